"""Tasks stopped in the middle, two at once, and what dead ones left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.engine.holding import holding
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Create, Restore, Task
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.process.locks import held
from tests.environments.engine.house import House, run_engine, wait_for
from tests.environments.engine.slow import SlowChannel, slow_channel

pytestmark = pytest.mark.slow


@pytest.fixture
def slow(small_channel: Path) -> Iterator[SlowChannel]:
    """The small channel; humanize does not come before it may."""
    with slow_channel(small_channel, "humanize") as channel:
        yield channel


@pytest.fixture
def slow_house(tmp_path: Path, slow: SlowChannel) -> Iterator[House]:
    """A person with the slow channel, and ``mine`` made from it."""
    house = House(tmp_path / "data", slow.url)
    house.create("mine", "python", "greeting <2")
    yield house
    assert house.leftovers() == []


def engine_of(house: House, task: Task) -> int:
    """The PID of the engine that carries out ``task``."""
    folder = os.fsencode(house.layout.task(task.id))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if folder in words and b"jupyter_mlinfn.environments.engine" in words:
                return int(entry.name)
    raise AssertionError("it does not run")


def midway(house: House, slow: SlowChannel, request: Create | Alter | Clone) -> Task:
    """A task that stands still in the middle of its installation."""
    task = house.tasks.start(request)
    assert slow.asked.wait(30), house.tasks.read(task.id)
    staging = house.place(request.name).staging(task.id)
    wait_for(lambda: (staging / "conda-meta").is_dir())
    return task


def test_cancel_in_the_middle_of_a_change(slow_house: House, slow: SlowChannel) -> None:
    before = slow_house.place("mine").record.read_bytes()
    task = midway(slow_house, slow, Alter(name="mine", add=("humanize",)))
    slow_house.tasks.cancel(task.id)
    result = slow_house.finished(task)
    assert (result.state, result.exit_code) == ("cancelled", 130)
    assert "as it was before" in result.text
    assert slow_house.place("mine").record.read_bytes() == before
    assert slow_house.is_whole("mine")
    slow.go.set()
    slow_house.done(Alter(name="mine", add=("humanize",)))


def test_cancel_in_the_middle_of_a_creation_leaves_no_trace(
    slow_house: House, slow: SlowChannel
) -> None:
    task = midway(slow_house, slow, Create(name="other", packages=("python", "humanize")))
    slow_house.tasks.cancel(task.id)
    result = slow_house.finished(task)
    assert result.state == "cancelled"
    assert "'other' was not made" in result.text
    assert not slow_house.place("other").folder.exists()
    with pytest.raises(AssertionError):
        engine_of(slow_house, task)


def test_the_end_of_the_session_is_a_cancel(slow_house: House, slow: SlowChannel) -> None:
    task = midway(slow_house, slow, Create(name="other", packages=("python", "humanize")))
    os.kill(engine_of(slow_house, task), signal.SIGTERM)
    assert slow_house.finished(task).state == "cancelled"
    assert not slow_house.place("other").folder.exists()


def test_a_killed_engine_leaves_the_old_state_and_no_lock(
    slow_house: House, slow: SlowChannel
) -> None:
    before = slow_house.place("mine").record.read_bytes()
    task = midway(slow_house, slow, Alter(name="mine", add=("humanize",)))
    os.kill(engine_of(slow_house, task), signal.SIGKILL)
    result = slow_house.finished(task)
    assert result.state == "interrupted"
    assert slow_house.place("mine").record.read_bytes() == before
    assert slow_house.is_whole("mine")
    assert slow_house.place("mine").staging(task.id).is_dir()
    slow.go.set()
    slow_house.done(Alter(name="mine", add=("humanize",)))  # takes the lock, clears up
    assert slow_house.versions("mine")["humanize"] == "4.11.0"


def test_two_engines_on_one_environment(slow_house: House, slow: SlowChannel) -> None:
    first = midway(slow_house, slow, Alter(name="mine", add=("humanize",)))
    with pytest.raises(Conflict):
        slow_house.tasks.start(Alter(name="mine", remove=("greeting",)))
    # as another server would that looked a moment earlier
    second = slow_house.unchecked(Alter(name="mine", remove=("greeting",)))
    assert (second.code, second.exit_code) == ("environment-busy", 1)
    assert "Nothing was changed by this one" in second.text
    slow.go.set()
    assert slow_house.finished(first).state == "succeeded"
    assert {"greeting", "humanize"} <= slow_house.versions("mine").keys()


def test_a_preview_waits_for_nobody(slow_house: House, slow: SlowChannel) -> None:
    first = midway(slow_house, slow, Alter(name="mine", add=("humanize",)))
    look = slow_house.done(Alter(name="mine", remove=("greeting",), preview=True))
    assert look.change is not None
    assert [change.name for change in look.change.removed] == ["greeting"]
    slow.go.set()
    slow_house.finished(first)


def test_a_task_is_carried_out_by_one_engine(slow_house: House, slow: SlowChannel) -> None:
    task = midway(slow_house, slow, Alter(name="mine", add=("humanize",)))
    assert run_engine(slow_house.layout.task(task.id)) == 1
    slow.go.set()
    assert slow_house.finished(task).state == "succeeded"
    assert len(slow_house.record("mine").history) == 2


def test_who_holds_an_environment_clears_up_and_lets_go(house: House) -> None:
    place = house.place("mine")
    place.staging("dead").mkdir(parents=True)
    with holding(place, lambda descriptor: None):
        assert held(place.lock)
        assert not place.staging("dead").exists()
        with pytest.raises(Conflict), holding(place, lambda descriptor: None):
            pass
    assert not place.folder.exists()


def test_a_half_made_prefix_without_papers_is_made_anew(house: House) -> None:
    """As after a kill between the new name and the record."""
    house.create("mine", "python", "greeting <2")
    house.done(Alter(name="mine", update=("greeting>=2",)))
    digest = house.record("mine").digest
    house.done(Restore(name="mine", digest=house.record("mine").history[0].digest))
    for path in house.place("mine").papers(digest).iterdir():
        path.unlink()
    house.done(Alter(name="mine", update=("greeting>=2",)))
    assert house.record("mine").digest == digest
    assert house.is_whole("mine")


def test_a_lost_record_costs_no_more_than_itself(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    prefix, papers = house.prefix("mine"), house.papers("mine")
    house.place("mine").record.unlink()
    with holding(house.place("mine"), lambda descriptor: None):
        pass
    assert prefix.is_dir()
    assert (papers / "conda-lock.yml").is_file()
