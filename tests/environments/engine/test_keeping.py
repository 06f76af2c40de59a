"""Locking for several platforms, sharing and freeing space: cancelled, killed, and done."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.own.removing import collect
from jupyter_mlinfn.environments.own.using import Users
from jupyter_mlinfn.model.environment_tasks import (
    Collect,
    LockPlatforms,
    Share,
    Task,
    TaskRequest,
    TaskResult,
)
from jupyter_mlinfn.model.environments import EnvironmentUser
from jupyter_mlinfn.model.errors import Conflict, Unavailable
from jupyter_mlinfn.process.locks import held
from tests.environments.engine.house import House, wait_for
from tests.environments.engine.test_stopping import engine_of

pytestmark = pytest.mark.slow

PLATFORMS = ("linux-64", "linux-aarch64")
BIG = 3 * 2**30
MANY = 6000


@pytest.fixture
def mine(house: House) -> House:
    """With the environment ``mine``."""
    house.create("mine", "python", "greeting <2")
    return house


class Dead:
    """A solver that never answers; ``pid`` is its process once it was started."""

    def __init__(self, folder: Path) -> None:
        self._noted = folder / "pid"
        self.program = folder / "conda"
        self.program.write_text(f"#!/bin/sh\necho $$ > {self._noted}\nexec sleep 600\n")
        self.program.chmod(0o755)

    def started(self) -> bool:
        return self._noted.exists() and self._noted.read_text().strip().isdigit()

    def runs(self) -> bool:
        try:
            state = Path(f"/proc/{self._noted.read_text().strip()}/stat").read_text()
        except FileNotFoundError:
            return False
        return state.rsplit(")", 1)[1].split()[0] != "Z"


@pytest.fixture
def dead(mine: House, tmp_path: Path) -> Dead:
    found = Dead(tmp_path)
    program = {"conda_program": str(found.program)}
    mine.policy = Policy.model_validate({**mine.policy.model_dump(), **program})
    return found


def kill(house: House, task: Task) -> None:
    os.kill(engine_of(house, task), signal.SIGKILL)


def test_a_cancelled_lock_leaves_the_old_file_and_no_process(mine: House, dead: Dead) -> None:
    old = mine.papers("mine") / "platforms.conda-lock.yml"
    old.write_text("as it was")
    task = mine.tasks.start(LockPlatforms(name="mine", platforms=PLATFORMS))
    wait_for(dead.started)
    with pytest.raises(Conflict):
        mine.tasks.start(LockPlatforms(name="mine", platforms=PLATFORMS))
    mine.tasks.cancel(task.id)
    result = mine.finished(task)
    assert (result.state, result.exit_code) == ("cancelled", 130)
    assert old.read_text() == "as it was"
    wait_for(lambda: not dead.runs(), 5)


def test_a_killed_lock_leaves_the_old_file_and_no_lock(mine: House, dead: Dead) -> None:
    old = mine.papers("mine") / "platforms.conda-lock.yml"
    old.write_text("as it was")
    task = mine.tasks.start(LockPlatforms(name="mine", platforms=PLATFORMS))
    wait_for(dead.started)
    kill(mine, task)
    result = mine.finished(task)
    assert result.state == "interrupted"
    assert "as it was before" in result.text
    assert old.read_text() == "as it was"
    assert mine.is_whole("mine")
    mine.done(Share(name="mine", folder=str(old.parent)))  # takes the lock and clears up


@pytest.fixture
def area(mine: House, tmp_path: Path) -> Path:
    """A folder where ``mine`` is shared already; copying it again takes seconds."""
    folder = tmp_path / "area"
    folder.mkdir()
    mine.done(Share(name="mine", folder=str(folder)))
    with (mine.papers("mine") / "big").open("wb") as file:
        file.truncate(BIG)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def midway(house: House, request: TaskRequest, phase: str) -> Task:
    task = house.tasks.start(request)

    def there() -> bool:
        now = house.tasks.read(task.id)
        assert now.state == "running", now.result
        return now.event is not None and now.event.phase == phase and now.event.total > 0

    wait_for(there)
    return task


def stopped(house: House, task: Task, way: str) -> TaskResult:
    """Cancel the task, or kill its engine; what it then tells."""
    if way == "cancelled":
        house.tasks.cancel(task.id)
    else:
        kill(house, task)
    result = house.finished(task)
    assert result.state == way
    return result


@pytest.mark.parametrize("way", ["cancelled", "interrupted"])
def test_a_share_that_was_stopped_changes_nothing_for_others(
    mine: House, area: Path, way: str
) -> None:
    before = contents(area)
    task = midway(mine, Share(name="mine", folder=str(area)), "copying")
    assert len(list(area.iterdir())) == 2
    result = stopped(mine, task, way)
    assert "as it was" in result.text
    assert [path.name for path in area.iterdir()] == ["mine"]
    assert contents(area) == before
    (mine.papers("mine") / "big").unlink()
    assert "lie in" in mine.done(Share(name="mine", folder=str(area))).text


def test_a_share_that_was_done_but_not_told(mine: House, tmp_path: Path) -> None:
    task = mine.tasks.start(Share(name="mine", folder=str(tmp_path)))
    mine.finished(task)
    folder = mine.layout.task(task.id)
    wait_for(lambda: not held(folder / "alive"))
    (folder / "result.json").unlink()
    again = mine.tasks.read(task.id).result
    assert again is not None
    assert (again.state, "but it was done" in again.text) == ("interrupted", True)


def test_a_share_with_the_packed_file(mine: House, tmp_path: Path) -> None:
    alone = mine.done(Share(name="mine", folder=str(tmp_path), preview=True))
    assert "Its lock alone" in alone.text
    result = mine.done(Share(name="mine", folder=str(tmp_path), pack=True))
    assert "run it at once" in result.text
    (image,) = (tmp_path / "mine" / "images").iterdir()
    assert image.stat().st_size == mine.record("mine").images[0].size
    wait_for(lambda: mine.leftovers() == [])  # the packer's folder is removed beside


@pytest.fixture
def waste(mine: House) -> Iterator[Path]:
    """Folders of dead tasks: removing them takes a while."""
    folder = mine.place("mine").folder
    for number in range(MANY):
        leftover = folder / f"staging-{number:016x}"
        leftover.mkdir()
        (leftover / "file").write_bytes(b"x")
    yield folder
    mine.done(Collect())
    assert list(folder.glob("staging-*")) == []


@pytest.mark.parametrize("way", ["cancelled", "interrupted"])
def test_freeing_space_that_was_stopped(mine: House, waste: Path, way: str) -> None:
    task = midway(mine, Collect(), "removing")
    with pytest.raises(Conflict):
        mine.tasks.start(Collect())
    result = stopped(mine, task, way)
    assert "the rest" in result.text
    assert 0 < len(list(waste.glob("staging-*"))) < MANY
    assert mine.is_whole("mine")
    if way == "cancelled":
        assert result.freed is not None
        assert len(result.freed.items) == MANY - len(list(waste.glob("staging-*")))


def test_freeing_stops_between_two_things(mine: House) -> None:
    for number in range(3):
        (mine.place("mine").folder / f"staging-{number}").mkdir()
    asked: list[int] = []

    def stopped() -> bool:
        asked.append(1)
        return len(asked) > 2

    plan = collect(mine.layout, Users((), ()), dry_run=False, stopped=stopped)
    assert len(plan.items) == 2
    assert len(list(mine.place("mine").folder.glob("staging-*"))) == 1
    mine.done(Collect())


def test_what_would_be_freed(mine: House) -> None:
    result = mine.done(Collect(preview=True))
    assert result.freed is not None
    assert not result.freed.done
    assert "Nothing was changed yet" in result.text


class Jobs:
    """Tells of no job, or cannot tell."""

    def __init__(self) -> None:
        self.silent = False

    def unfinished(self) -> tuple[EnvironmentUser, ...]:
        if self.silent:
            raise Unavailable("The index is locked.")
        return ()


def test_nothing_is_freed_while_jobs_cannot_be_asked(mine: House) -> None:
    from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks

    jobs = Jobs()
    tasks = EnvironmentTasks(mine.layout, lambda: mine.policy, users=jobs)
    jobs.silent = True
    with pytest.raises(Unavailable):
        tasks.start(Collect())
    jobs.silent = False
    ended = tasks.wait(tasks.start(Collect()).id, 60).result
    assert ended is not None
    assert ended.state == "succeeded"


def test_the_same_key_is_the_same_task(mine: House, tmp_path: Path) -> None:
    request = Share(name="mine", folder=str(tmp_path))
    first = mine.tasks.start(request, key="once")
    assert mine.tasks.start(request, key="once").id == first.id
    assert mine.finished(first).state == "succeeded"
