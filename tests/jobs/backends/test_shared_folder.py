"""What all batch systems over a shared folder do alike, on one that lives in this process."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from jupyter_mlinfn.jobs.backends import endings, shared_folder
from jupyter_mlinfn.jobs.backends.handing import Note
from jupyter_mlinfn.jobs.backends.protocol import BackendContext
from jupyter_mlinfn.jobs.backends.shared_folder import SharedFolderBackend
from jupyter_mlinfn.jobs.backends.told import Doubt, Word
from jupyter_mlinfn.jobs.cancelling import cancel
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import new_id
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobRecord, JobSpec
from tests.jobs.workplace import REQUEST, make_spec


class System(SharedFolderBackend):
    """A batch system as a table. Doubts count at once."""

    name: ClassVar[str] = "system"
    title: ClassVar[str] = "The system"
    patience: ClassVar[Mapping[Doubt, float]] = {"absent": 0.0, "not-again": 0.0, "no-word": 0.0}

    def __init__(self, context: BackendContext) -> None:
        super().__init__(context, poll=0.0)
        self.table: dict[str, tuple[JobSpec, Word]] = {}
        self.ended: list[str] = []
        self.gently: list[bool] = []
        self.silent = False

    def _words(self, records: Sequence[JobRecord]) -> Mapping[str, Word]:
        if self.silent:
            raise Unavailable("Nobody answers.")
        return {spec.id: word for spec, word in self.table.values()}

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        mine = [number for number, (one, _) in self.table.items() if one.token == spec.token]
        return mine[-1] if mine else None

    def _give(self, spec: JobSpec, folder: Path) -> str:
        number = str(len(self.table) + 1)
        self.table[number] = (spec, Word(id=number, phase="waits"))
        return number

    def _end(self, number: str, *, gently: bool) -> None:
        if self.silent:
            raise Unavailable("Nobody answers.")
        self.ended.append(number)
        self.gently.append(gently)
        spec, _ = self.table[number]
        self.table[number] = (spec, Word(id=number, phase="over"))


@pytest.fixture
def system(store: JobStore, folders: JobFolders, tmp_path: Path) -> System:
    context = BackendContext(store, folders, None, (), tmp_path)  # type: ignore[arg-type]
    return System(context)


@pytest.fixture
def job(store: JobStore, folders: JobFolders, system: System) -> JobSpec:
    """A job that the system has, of which the index does not know the number."""
    spec = make_spec(new_id(), backend="system")
    store.insert(spec, REQUEST)
    folder = folders.job(spec.id)
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(spec.model_dump_json())
    system.submit(spec)
    return spec


def look(system: System, store: JobStore, job: str) -> JobRecord:
    store.observe_all(system.query(store.unfinished("system")))
    return store.get(job)


def test_a_cancel_after_a_kill_between_the_number_and_the_index_comes_to_its_end(
    system: System, store: JobStore, folders: JobFolders, job: JobSpec
) -> None:
    """The system took the job out; without its number nobody would ask for it ever again."""
    assert store.get(job.id).backend_id is None
    cancel(store, folders, system, store.get(job.id))
    assert system.ended == ["1"]
    look(system, store, job.id)
    done = look(system, store, job.id)
    assert (done.state, done.backend_id) == ("cancelled", "1")


def test_a_job_whose_folder_was_deleted_is_lost_and_leaves_the_system(
    system: System, store: JobStore, folders: JobFolders, job: JobSpec
) -> None:
    store.accepted(job.id, "1")
    shutil.rmtree(folders.job(job.id))
    done = look(system, store, job.id)
    assert (done.state, done.reason and done.reason.code) == ("failed", "lost")
    assert system.ended == ["1"]


def test_a_deleted_folder_is_told_also_while_the_system_is_silent(
    system: System, store: JobStore, folders: JobFolders, job: JobSpec
) -> None:
    store.accepted(job.id, "1")
    shutil.rmtree(folders.job(job.id))
    system.silent = True
    assert look(system, store, job.id).state == "failed"


def test_a_damaged_note_makes_no_second_job(
    system: System, store: JobStore, folders: JobFolders, job: JobSpec
) -> None:
    note = folders.job(job.id) / "system.json"
    assert Note.model_validate_json(note.read_bytes()).id == "1"
    note.write_text('{"id": "1"')
    assert system.submit(job) == "1"
    assert len(system.table) == 1


def test_what_a_silent_system_did_not_hear_is_told_at_once_and_gently_when_it_answers(
    system: System,
    store: JobStore,
    folders: JobFolders,
    job: JobSpec,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job would be killed at its first word, with what it had not saved, after a long silence."""
    monkeypatch.setattr(shared_folder, "runs", lambda *_: True)
    store.accepted(job.id, "1")
    clock = 1000.0
    monkeypatch.setattr(endings.time, "monotonic", lambda: clock)
    system.silent = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            cancel(store, folders, system, store.get(job.id))
        clock += 40
    system.silent = False
    for wait in (0, 5, 40, 40):
        clock += wait
        cancel(store, folders, system, store.get(job.id))
    assert system.gently == [True, True, False]
