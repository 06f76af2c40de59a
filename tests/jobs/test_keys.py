"""The same click is the same job: again, at once, on another host, and after a crash."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import keys
from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.cancelling import BY_USER
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

pytestmark = pytest.mark.slow

SUBMITS = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.jobs.workplace import Kernels, Listener
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.jobs import JobRequest
folders = JobFolders(Path(sys.argv[2]))
store = JobStore(Path(sys.argv[3]), folders)
submission = Submission(store, folders, {"local": Listener()}, Kernels(), user="me")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(5):
    print(submission.submit(JobRequest(source=sys.argv[4]), key="a-click").id, flush=True)
"""


class Host:
    """One machine: its index lies on its own disk, the folders are shared."""

    def __init__(self, database: Path, folders: JobFolders, notebook: Path) -> None:
        self.store = JobStore(database, folders)
        self.backend = Listener()
        self.submission = Submission(
            self.store, folders, {"local": self.backend}, Kernels(), user="me"
        )
        self.actions = JobActions(self.store, folders, {"local": self.backend})
        self.request = JobRequest(source=str(notebook))

    def click(self, key: str = "a-click") -> JobRecord:
        return self.submission.submit(self.request, key)


@pytest.fixture
def notebook(work: Path) -> Path:
    return write_notebook(work / "n.ipynb", code("print(1)"))


@pytest.fixture
def hosts(tmp_path: Path, folders: JobFolders, notebook: Path) -> Iterator[tuple[Host, Host]]:
    first, second = (Host(tmp_path / f"{name}.sqlite", folders, notebook) for name in "ab")
    yield first, second
    first.store.close()
    second.store.close()


def test_a_click_on_two_hosts_is_one_job(hosts: tuple[Host, Host], folders: JobFolders) -> None:
    first, second = hosts
    assert second.store.counts().total == 0
    job = first.click()
    assert second.click().id == job.id
    assert folders.all() == [job.id]
    assert first.backend.submitted + second.backend.submitted == [folders.read_spec(job.id).token]
    assert second.click("another-click").id != job.id


def test_a_lost_index_does_not_forget_the_clicks(
    tmp_path: Path, hosts: tuple[Host, Host], folders: JobFolders
) -> None:
    first, _second = hosts
    job = first.click()
    first.store.close()
    for path in tmp_path.glob("a.sqlite*"):
        path.unlink()
    assert first.click().id == job.id
    assert folders.all() == [job.id]


def test_who_was_killed_in_the_middle_of_a_click_is_finished_by_the_next(
    hosts: tuple[Host, Host], folders: JobFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder and its key are written; its row is not, or on another host only."""
    first, second = hosts

    def killed(*_told: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(first.store, "insert", killed)
    with pytest.raises(KeyboardInterrupt):
        first.click()
    (begun,) = folders.all()
    assert not folders.committed(begun)
    assert second.click().id == begun
    assert folders.committed(begun)
    monkeypatch.undo()
    assert first.click().id == begun
    assert folders.all() == [begun]


def test_a_key_whose_job_was_deleted_makes_a_new_one(
    hosts: tuple[Host, Host], folders: JobFolders
) -> None:
    first, _second = hosts
    job = first.click()
    first.actions.cancel(job.id)
    first.store.cancel_if_waiting(job.id, BY_USER)
    first.actions.delete(job.id)
    assert list((folders.data_dir / "keys").iterdir()) == []
    again = first.click()
    assert again.id != job.id
    # what is left of the first one takes nothing from the second
    keys.forget(folders.data_dir, folders.job(job.id))
    assert first.click().id == again.id


@pytest.mark.parametrize("content", [b"", b"../../etc", b"abc", b"\xff" * 64])
def test_what_is_no_id_in_the_file_of_a_key_is_nothing(
    content: bytes, hosts: tuple[Host, Host], folders: JobFolders
) -> None:
    first, _second = hosts
    with keys.held(folders.data_dir, "a-click"):
        (path,) = (folders.data_dir / "keys").iterdir()
    path.write_bytes(content)
    job = first.click()
    assert path.read_text() == job.id


def test_a_click_that_takes_too_long_is_told_to_the_next(
    hosts: tuple[Host, Host], folders: JobFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _second = hosts
    monkeypatch.setattr(keys, "_PATIENCE", 0.1)
    with keys.held(folders.data_dir, "a-click"), pytest.raises(Unavailable) as caught:
        first.click()
    assert caught.value.code == "submit-going-on"
    assert folders.all() == []


def test_a_hundred_equal_clicks_from_several_processes_on_two_hosts_are_one_job(
    tmp_path: Path, folders: JobFolders, notebook: Path
) -> None:
    argv = [sys.executable, "-c", SUBMITS, str(Path(__file__).parents[2]), str(folders.data_dir)]
    started = [
        subprocess.Popen(
            [*argv, str(tmp_path / f"{host}.sqlite"), str(notebook)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for host in ("a", "b", "a", "b")
    ]  # fmt: skip
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    told: list[str] = []

    def click(process: subprocess.Popen[str]) -> None:
        told.extend(process.communicate("go\n")[0].split())

    threads = [threading.Thread(target=click, args=(process,)) for process in started]
    for thread in threads:
        thread.start()
    here = Host(tmp_path / "c.sqlite", folders, notebook)
    own = [threading.Thread(target=lambda: told.append(here.click().id)) for _ in range(80)]
    for thread in own:
        thread.start()
    for thread in (*threads, *own):
        thread.join()
    here.store.close()
    assert len(told) == 100
    assert set(told) == set(folders.all())
    assert len(folders.all()) == 1
