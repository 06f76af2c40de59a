"""Tasks: started, read, cancelled and found dead, with a stand-in for the engine."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own import tasks as module
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.own.record import read_record
from jupyter_mlinfn.environments.own.tasks import EnvironmentTasks, engine_environment
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Create, Restore, Task
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound, Unavailable
from jupyter_mlinfn.process.locks import acquire
from tests.environments.own.stand_in_engine import done_without_a_word

pytestmark = pytest.mark.slow

STAND_IN = Path(__file__).with_name("stand_in_engine.py")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.of(tmp_path / "data")


@pytest.fixture
def tasks(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> Iterator[EnvironmentTasks]:
    import sys

    def program(_module: str, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, str(STAND_IN), *arguments)

    monkeypatch.setattr(module, "own_program", program)
    monkeypatch.chdir(Path(__file__).parents[3])
    tasks = EnvironmentTasks(layout, lambda: Policy(user="me", channels=("here",)))
    yield tasks
    for task in tasks.list().tasks:
        if task.state == "running":
            tasks.cancel(task.id)
            tasks.wait(task.id, 20)


def until_event(tasks: EnvironmentTasks, identifier: str) -> Task:
    until = time.monotonic() + 20
    while (task := tasks.read(identifier)).event is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return task


def test_a_task_from_start_to_end(tasks: EnvironmentTasks) -> None:
    started = tasks.start(Create(name="one", packages=("python",)))
    assert (started.action, started.name, started.preview) == ("create", "one", False)
    ended = tasks.wait(started.id, 20)
    assert ended.state == "succeeded"
    assert ended.result is not None
    assert ended.result.text == "'one' is ready."
    assert ended.event is not None
    assert (ended.event.phase, ended.event.done, ended.event.total) == ("linking", 3, 9)
    assert tasks.list().tasks == (ended,)


def test_the_engine_gets_the_policy_and_no_secret(
    tasks: EnvironmentTasks, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "JUPYTER_TOKEN",
        "JUPYTERHUB_API_TOKEN",
        "PYTHONPATH",
        "LD_PRELOAD",
        "PIP_INDEX_URL",
    ):
        monkeypatch.setenv(name, "secret-value")
    task = tasks.wait(tasks.start(Create(name="one")).id, 20)
    folder = layout.task(task.id)
    assert "secret-value" not in (folder / "environment").read_text()
    assert json.loads((folder / "environment").read_text())["environ"]["JUPYTER_DATA_DIR"]
    assert Policy.model_validate_json((folder / "policy.json").read_bytes()).channels == ("here",)
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.glob("*.json"))} == {0}


def test_what_is_passed_on_is_a_short_list() -> None:
    given = {"HOME": "/h", "https_proxy": "p", "AWS_SECRET_ACCESS_KEY": "k", "MLINFN_JOB": "j"}
    passed = engine_environment(given)
    ours = {"JUPYTER_DATA_DIR", "PYDANTIC_DISABLE_PLUGINS"}
    assert set(passed) == {"HOME", "https_proxy", *ours}


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", "-p", ".hidden", "a\n", "a b", "x" * 300, "ｏｎｅ", "é", "one\u202e"]
)
def test_a_name_that_cannot_be_one_writes_nothing(
    tasks: EnvironmentTasks, layout: Layout, name: str
) -> None:
    with pytest.raises(InputError) as refused:
        tasks.start(Create(name=name))
    assert refused.value.field == "name"
    assert not layout.folder.exists()


def test_one_task_at_a_time_changes_an_environment(tasks: EnvironmentTasks) -> None:
    first = tasks.start(Create(name="slow"))
    with pytest.raises(Conflict) as refused:
        tasks.start(Create(name="slow"))
    assert refused.value.code == "environment-busy"
    assert first.id in refused.value.text
    assert tasks.start(Create(name="slow", preview=True)).preview
    assert tasks.start(Create(name="slow-other")).state == "running"


@pytest.fixture
def held(layout: Layout) -> int:
    """The lock of the environment ``one``, which another program holds."""
    place = layout.place("one")
    place.folder.mkdir(parents=True)
    descriptor = acquire(place.lock)
    assert descriptor is not None
    return descriptor


def test_an_environment_held_by_another_program_is_busy(tasks: EnvironmentTasks, held: int) -> None:
    with pytest.raises(Conflict, match="Another program"):
        tasks.start(Create(name="one"))
    os.close(held)
    assert tasks.wait(tasks.start(Create(name="one")).id, 20).state == "succeeded"


def test_an_engine_that_is_just_ending_is_waited_for(tasks: EnvironmentTasks, held: int) -> None:
    threading.Timer(0.3, os.close, (held,)).start()
    assert tasks.wait(tasks.start(Create(name="one")).id, 20).state == "succeeded"


def test_what_exists_is_not_made_and_what_does_not_is_not_changed(
    tasks: EnvironmentTasks, layout: Layout
) -> None:
    (layout.tasks / ("0" * 16)).mkdir(parents=True)
    done_without_a_word(layout.tasks / ("0" * 16), "One")
    for name in ("One", "one", "ONE"):
        for request in (Create(name=name), Clone(name=name, source="base")):
            with pytest.raises(Conflict) as refused:
                tasks.start(request)
            assert refused.value.code == "environment-exists"
            assert "'One'" in refused.value.text
    for absent in (Alter(name="two", add=("six",)), Restore(name="two", digest="a" * 12)):
        with pytest.raises(NotFound):
            tasks.start(absent)


def test_cancelling(tasks: EnvironmentTasks) -> None:
    task = until_event(tasks, tasks.start(Create(name="slow")).id)
    assert task.state == "running"
    tasks.cancel(task.id)
    ended = tasks.wait(task.id, 20)
    assert ended.state == "cancelled"
    assert tasks.cancel(task.id) == ended


def test_an_engine_that_died_left_it_as_it_was(tasks: EnvironmentTasks) -> None:
    task = tasks.wait(tasks.start(Create(name="dies")).id, 20)
    assert task.state == "interrupted"
    assert task.result is not None
    assert "Nothing was changed" in task.result.text
    assert tasks.read(task.id) == task


def test_an_engine_that_died_after_the_change_had_done_it(
    tasks: EnvironmentTasks, layout: Layout
) -> None:
    task = tasks.wait(tasks.start(Create(name="dies-done")).id, 20)
    assert task.state == "interrupted"
    assert task.result is not None
    assert "it was done" in task.result.text
    assert read_record(layout.place("dies-done")).history[-1].task == task.id


def test_an_engine_that_takes_long_to_start_is_not_taken_for_dead(
    tasks: EnvironmentTasks, layout: Layout
) -> None:
    """On a machine with too much to do Python alone took more than 15 s."""
    task = tasks.start(Create(name="starts-slowly"))
    before = time.time() - 3600
    os.utime(layout.task(task.id) / "request.json", (before, before))
    assert tasks.read(task.id).state == "running"
    (layout.task(task.id) / "go").touch()
    assert tasks.wait(task.id, 20).state == "succeeded"


def test_an_engine_that_never_began_is_seen_at_once(tasks: EnvironmentTasks) -> None:
    task = tasks.wait(tasks.start(Create(name="never")).id, 20)
    assert task.state == "interrupted"
    assert task.result is not None
    assert "Nothing was changed" in task.result.text


def test_an_engine_that_cannot_be_started(
    tasks: EnvironmentTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "own_program", lambda *_: ("/no/such/program",))
    task = tasks.start(Create(name="one"))
    assert task.state == "failed"
    assert task.result is not None
    assert task.result.exit_code == 3


def test_one_key_is_one_task(tasks: EnvironmentTasks) -> None:
    request = Create(name="slow", packages=("python",))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(tasks.start(request, key="click").id))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(tasks.list().tasks) == 1
    with pytest.raises(Conflict) as refused:
        tasks.start(Create(name="another"), key="click")
    assert refused.value.code == "key-used"


def test_a_full_or_closed_disk_is_told(tasks: EnvironmentTasks, layout: Layout) -> None:
    layout.folder.parent.mkdir(parents=True)
    layout.folder.write_text("a file where the folder should be")
    with pytest.raises(Unavailable) as refused:
        tasks.start(Create(name="one"))
    assert "Nothing was changed" in refused.value.text


def test_old_tasks_are_not_listed_and_then_removed(tasks: EnvironmentTasks, layout: Layout) -> None:
    task = tasks.wait(tasks.start(Create(name="one")).id, 20)
    running = tasks.start(Create(name="slow"))
    path = layout.task(task.id) / "result.json"
    result = json.loads(path.read_text())

    def ended(ago: timedelta) -> None:
        path.write_text(json.dumps({**result, "ended_at": (datetime.now(UTC) - ago).isoformat()}))

    ended(timedelta(hours=2))
    assert [one.id for one in tasks.list().tasks] == [running.id]
    assert tasks.tidy() == 0
    ended(timedelta(hours=25))
    assert tasks.tidy() == 1
    assert not path.parent.exists()
    with pytest.raises(NotFound):
        tasks.read(task.id)


@pytest.mark.parametrize("identifier", ["../../etc", "", "0" * 15, "G" * 16, "0" * 16 + "\n"])
def test_a_task_is_named_by_its_own_name_only(tasks: EnvironmentTasks, identifier: str) -> None:
    with pytest.raises(InputError):
        tasks.read(identifier)


def test_lines_that_were_cut_off_do_not_count(tasks: EnvironmentTasks, layout: Layout) -> None:
    task = tasks.wait(tasks.start(Create(name="one")).id, 20)
    with (layout.task(task.id) / "events.jsonl").open("ab") as file:
        file.write(b'{"at": "2026-01-01T00:00:00Z", "pha')
    assert tasks.read(task.id).event == task.event


def test_a_stranger_in_the_folder_of_tasks_is_passed_over(
    tasks: EnvironmentTasks, layout: Layout
) -> None:
    task = tasks.wait(tasks.start(Create(name="one")).id, 20)
    (layout.tasks / "notes.txt").write_text("")
    (layout.tasks / ("f" * 16)).mkdir()
    (layout.tasks / ("e" * 16)).mkdir()
    (layout.tasks / ("e" * 16) / "request.json").write_text("{}")
    assert tasks.list().tasks == (task,)
