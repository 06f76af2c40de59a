"""What is true of a job by the system's word and its folder's, whoever asked first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.backends.told import Phase, Teller, Word
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import new_id
from jupyter_mlinfn.model.jobs import JobRecord
from jupyter_mlinfn.process import locks
from tests.jobs.workplace import REQUEST, make_spec

WAITS, STARTS, RUNS = (Word(id="7", phase=phase) for phase in ("waits", "starts", "runs"))


class Story:
    """One job on a system, its folder, and an index over it."""

    def __init__(self, store: JobStore, folders: JobFolders) -> None:
        self.store, self.folders = store, folders
        self.teller = Teller(folders, "The system")
        self.job = store.insert(make_spec(new_id(), backend="slurm"), REQUEST).id
        folders.job(self.job).mkdir(parents=True)
        self.lock: int | None = None
        self.word = WAITS

    def record(self) -> JobRecord:
        return self.store.get(self.job)

    def look(self, word: Word, record: JobRecord | None = None) -> JobRecord:
        """Apply what is told with this answer of the system, which may be old."""
        before = record or self.record()
        seen = self.teller.ended(before) or self.teller.observe(before, word)
        if isinstance(seen, Observation):
            self.store.observe(self.job, seen)
        return self.record()

    def folder(self, number: int) -> AttemptFolder:
        return AttemptFolder(self.folders.attempt(self.job, number))

    def make(self, number: int) -> None:
        """The batch program has begun: its folder, its lock, its claim."""
        folder = self.folder(number)
        folder.path.mkdir(parents=True, exist_ok=True)
        self.lock = locks.acquire(folder.supervisor_lock)
        folder.claim.write_text("{}")

    def begin(self, number: int) -> None:
        self.folder(number).begun.write_text('{"at": "2026-01-01T10:00:00+00:00"}')

    def die(self) -> None:
        """The program is gone, by its end or with its machine."""
        if self.lock is not None:
            os.close(self.lock)
        self.lock = None

    def end(self, number: int, state: str) -> None:
        self.folder(number).end.write_text(json.dumps({"state": state}))
        self.die()

    def system(self, phase: Phase) -> None:
        self.word = Word(id="7", phase=phase)


@pytest.fixture
def story(store: JobStore, folders: JobFolders) -> Iterator[Story]:
    made = Story(store, folders)
    yield made
    made.die()


def test_who_asked_before_the_start_and_looks_after_it_does_not_count_it(story: Story) -> None:
    """Two servers on one home: the answer of one is older than what the other has written."""
    assert story.look(STARTS).attempts == 1
    waits = story.look(WAITS)
    assert (waits.state, waits.attempts) == ("queued", 0)
    assert story.store.attempts(story.job) == ()
    story.make(1)
    story.begin(1)
    assert story.look(RUNS).attempts == 1
    story.end(1, "succeeded")
    done = story.look(RUNS)
    assert (done.state, done.attempts) == ("succeeded", 1)


def test_a_start_that_was_lost_before_any_code_ran_gives_its_number_to_the_next(
    story: Story,
) -> None:
    story.make(1)
    assert story.look(RUNS).state == "starting"
    story.die()  # its machine is lost, and the system queues it again
    waits = story.look(WAITS)
    assert (waits.state, waits.attempts) == ("queued", 0)
    story.make(1)
    story.begin(1)
    running = story.look(RUNS)
    assert (running.state, running.attempts) == ("running", 1)


def test_a_second_start_that_left_nothing_leaves_the_first_eviction(story: Story) -> None:
    story.make(1)
    story.begin(1)
    story.look(RUNS)
    story.end(1, "evicted")
    assert story.look(WAITS).state == "evicted"
    story.folder(2).path.mkdir()  # killed between this and its claim
    assert (story.look(STARTS).state, story.record().attempts) == ("starting", 2)
    waits = story.look(WAITS)
    assert (waits.state, waits.attempts) == ("evicted", 1)
    story.make(2)
    story.begin(2)
    story.end(2, "succeeded")
    assert (story.look(RUNS).state, story.record().attempts) == ("succeeded", 2)


def test_an_end_is_not_overlooked_for_an_old_answer(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job ends between the look at its end and the look at who lives."""
    story.make(1)
    story.begin(1)
    story.look(RUNS)
    exists, asked = Path.exists, []

    def ends_meanwhile(path: Path, **given: bool) -> bool:
        found = exists(path, **given)
        if path.name == "end.json" and not asked:
            asked.append(path)
        elif path.name == "end.json" and story.lock is not None:
            story.end(1, "succeeded")
        return found

    monkeypatch.setattr(Path, "exists", ends_meanwhile)
    seen = story.look(WAITS)
    assert seen.state in ("running", "succeeded")
    monkeypatch.undo()
    assert story.look(WAITS).state == "succeeded"


HISTORY = (
    ("starts", lambda story: None),
    ("runs", lambda story: story.make(1)),
    ("waits", lambda story: story.die()),  # its machine is lost before any code ran
    ("starts", lambda story: None),
    ("runs", lambda story: story.make(1)),
    ("runs", lambda story: story.begin(1)),
    ("runs", lambda story: story.end(1, "evicted")),
    ("waits", lambda story: None),
    ("starts", lambda story: None),
    ("runs", lambda story: story.make(2)),
    ("runs", lambda story: story.begin(2)),
    ("runs", lambda story: story.end(2, "succeeded")),
    ("over", lambda story: None),
)
"""What the system says, and what happens in the folder at that moment."""

moves = st.lists(
    st.sampled_from(("goes on", "first asks", "first tells", "second asks", "second tells")),
    max_size=60,
)


@settings(max_examples=15, deadline=None)
@given(moves)
def test_whatever_two_servers_ask_and_tell_in_whatever_order_the_end_is_true(
    told_store: JobStore, told_folders: JobFolders, moves: list[str]
) -> None:
    story, rest = Story(told_store, told_folders), list(HISTORY)
    asked: dict[str, tuple[Word, JobRecord]] = {}
    for move in [*moves, *["goes on"] * len(HISTORY)]:
        who, _, does = move.partition(" ")
        if who == "goes" and rest:
            phase, happens = rest.pop(0)
            happens(story)
            story.word = Word(id="7", phase=phase)  # type: ignore[arg-type]
        elif does == "asks":
            asked[who] = (story.word, story.record())
        elif does == "tells" and who in asked:
            story.look(*asked.pop(who))
    done = story.look(story.word)
    assert (done.state, done.attempts) == ("succeeded", 2)


@pytest.fixture(scope="module")
def told_folders(tmp_path_factory: pytest.TempPathFactory) -> JobFolders:
    made = JobFolders(tmp_path_factory.mktemp("told"))
    made.create()
    return made


@pytest.fixture(scope="module")
def told_store(told_folders: JobFolders) -> Iterator[JobStore]:
    made = JobStore(told_folders.data_dir / "jobs.sqlite")
    yield made
    made.close()
