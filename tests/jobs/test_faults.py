"""A submit killed at any point: what was acknowledged is whole, what was not leaves no harm."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import reconciler as module
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.reconciler import Reconciler
from jupyter_mlinfn.jobs.store import JobStore
from tests.jobs.workplace import Listener, code, write_notebook

pytestmark = pytest.mark.slow

SUBMITTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.jobs.workplace import Kernels, Listener
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.jobs import JobRequest
folders = JobFolders(Path(sys.argv[2]))
store = JobStore(folders.data_dir / "jobs.sqlite", folders)
submission = Submission(store, folders, {"local": Listener()}, Kernels(), user="me")
request = JobRequest(source=sys.argv[3])
key = 0
print("ready", flush=True)
while True:
    key += 1
    print(submission.submit(request, key=f"{sys.argv[4]}-{key}").id, flush=True)
"""


@pytest.mark.fault
def test_kill_9_at_random_points_of_submit(
    store: JobStore, folders: JobFolders, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (work / "helper.py").write_text("x = 1", encoding="utf-8")
    notebook = write_notebook(work / "n.ipynb", code("import helper"))
    store.counts()
    chance, told = random.Random(2026), []
    for round_number in range(6):
        arguments = [Path(__file__).parents[2], folders.data_dir, notebook, round_number]
        run = [sys.executable, "-c", SUBMITTER, *map(str, arguments)]
        with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
            told += [line for line in process.stdout.read().split("\n")[:-1] if line]
    backend = Listener()
    monkeypatch.setattr(module, "GARBAGE_SECONDS", -1.0)
    Reconciler(store, folders, {"local": backend}).run_once()
    records = store.page(limit=200).jobs
    known = {record.id for record in records}
    assert set(told) <= known
    assert len(known) <= len(told) + 6  # at most one a kill was committed but not acknowledged
    assert set(folders.all()) == known
    assert list(folders.staging.iterdir()) == []
    for record in records:
        assert folders.committed(record.id)
        check_bundle(folders, record.id)


def check_bundle(folders: JobFolders, job: str) -> None:
    """Every file of the manifest is there and is what was recorded."""
    for file in folders.read_spec(job).files:
        below = "modules/" if file.role == "module" else ""
        content = (folders.bundle(job) / f"{below}{file.path}").read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256


def test_the_rooms_faces_load_nothing_heavy() -> None:
    names = ("submission", "actions", "reconciler", "follow", "folders", "parameters")
    imports = "; ".join(f"import jupyter_mlinfn.jobs.{name}" for name in names)
    heavy = "{'sqlalchemy', 'alembic', 'nbformat', 'nbclient', 'jupyter_client'}"
    program = f"{imports}; import sys; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"
