"""Two people who share runs: each has a data folder, an index and a way to submit of her own."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.exactness.facts import FactsReader
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.sharing.verbs import JobSharing
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.wishing import Wishing
from jupyter_mlinfn.model.environments import EnvironmentResolver
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest
from tests.jobs.workplace import Kernels, Listener, code, write_notebook

ADA = 4711
"""Who shares, where the tests may give files away."""

PRINTED = "loss 0.25\n"
SECRET = "very-secret-token-of-ada"


@dataclass
class Person:
    """One of them. ``work`` is the folder of her notebooks."""

    work: Path
    store: JobStore
    folders: JobFolders
    submission: Submission
    sharing: JobSharing

    @property
    def reader(self) -> FactsReader:
        """What her jobs are compared by."""
        return FactsReader(self.store, self.folders)

    def ran(self, **asked: Any) -> JobRecord:
        """A job of hers that has ended: a module, a log, an output notebook and a table."""
        (self.work / "helper.py").write_text("RATE = 2\n", encoding="utf-8")
        cells = (code("rate = 0.1", "parameters"), code("import helper"), code("print('loss')"))
        source = write_notebook(self.work / "fit.ipynb", *cells)
        request = JobRequest(source=str(source), backend="local", parameters={"rate": 0.5}, **asked)
        job = self.submission.submit(request)
        self._end(job)
        return self.store.get(job.id)

    def _end(self, job: JobRecord) -> None:
        attempt = self.folders.attempt(job.id, 1)
        attempt.mkdir(parents=True)
        (attempt / "log.txt").write_text(PRINTED, encoding="utf-8")
        (attempt / "values.jsonl").write_text(
            '{"at": "2026-11-21T10:00:00+00:00", "values": {"loss": 0.25}}\n', encoding="utf-8"
        )
        told = dict(code("print('loss')"), outputs=[
            {"output_type": "stream", "name": "stdout", "text": PRINTED}
        ])  # fmt: skip
        write_notebook(attempt / "notebook.ipynb", told)
        output = Path(job.output_folder)
        output.mkdir(parents=True)
        write_notebook(output / "fit.ipynb", told)
        (output / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
        (output / "away").symlink_to("/etc")
        (output / "link.csv").symlink_to("/etc/hostname")
        seen = Observation(
            state="succeeded",
            attempt=1,
            ended_at=datetime.now(UTC),
            output=str(output / "fit.ipynb"),
        )
        self.store.observe(job.id, seen)


def person(
    home: Path,
    area: Path,
    environments: EnvironmentResolver | None = None,
    secrets: dict[str, dict[str, str]] | None = None,
) -> Person:
    """Somebody with a home, and the area as the settings name it."""
    work = home / "work"
    work.mkdir(parents=True)
    folders = JobFolders(home / "data")
    folders.create()
    store = JobStore(folders.data_dir / "jobs.sqlite", folders)
    backends = {"local": Listener()}
    known = environments or Kernels()
    submission = Submission(
        store, folders, backends, known, user="somebody", wishing=Wishing(store, secrets=secrets)
    )
    sharing = JobSharing(
        folders=folders,
        actions=JobActions(store, folders, backends),
        points=store.points,
        submission=submission,
        environments=known,
        places=frozenset(backends),
        areas=(str(area),),
    )
    return Person(work, store, folders, submission, sharing)


def give(path: Path, uid: int = ADA) -> None:
    """Let all of it belong to somebody else."""
    os.chown(path, uid, uid)
    for where, names, files in os.walk(path):
        for name in (*names, *files):
            os.chown(Path(where, name), uid, uid, follow_symlinks=False)


def rewrite(path: Path, **changes: Any) -> None:
    """Change what a shared run tells of itself."""
    note = json.loads((path / "shared.json").read_text(encoding="utf-8"))
    (path / "shared.json").write_text(json.dumps({**note, **changes}), encoding="utf-8")
