"""A restore goes on when the server that began it is killed; what was killed itself is told so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from jupyter_mlinfn.model.errors import Conflict, NotFound
from jupyter_mlinfn.model.storage import RestoreRequest, RestoreTask
from jupyter_mlinfn.storage.backups import restores as restores_room
from jupyter_mlinfn.storage.backups.restores import Restores
from tests.storage.conftest import Shelf

CHECKOUT = Path(__file__).parent.parent.parent
STANDS_STILL = ("sh", "-c", 'kill -STOP $$; exec "$@"', "sh")
"""In front of a program: it waits for a SIGCONT before its first moment."""
SERVER = """
import sys
from pathlib import Path
from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.storage import RestoreRequest
from jupyter_mlinfn.storage.backups import restores
from jupyter_mlinfn.storage.backups.restores import Restores
from tests.storage.test_restores import stand_still
folder, area, asked = sys.argv[1:]
stand_still(restores)
task = Restores(Path(folder)).start(
    Area.model_validate_json(area), RestoreRequest.model_validate_json(asked)
)
print(task.id, flush=True)
sys.stdin.read()
"""


def stand_still(module: ModuleType, patch: pytest.MonkeyPatch | None = None) -> None:
    """Programs of restores that begin now do so when they are told to go on."""
    plain = module.own_program
    program = lambda *words: (*STANDS_STILL, *plain(*words))  # noqa: E731
    (patch or pytest.MonkeyPatch()).setattr(module, "own_program", program)


class Desk:
    """A shelf whose folder was deleted, and restores of it whose programs stand still."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.copy = shelf.copy().copy.id
        self.folder = shelf.base / "restores"
        self.programs: list[psutil.Process] = []
        (shelf.path / "analysis" / "fit.py").unlink()
        (shelf.path / "analysis").rmdir()

    @property
    def asked(self) -> RestoreRequest:
        return RestoreRequest(copy_id=self.copy, path="analysis", where="back")

    def standing(self, task: str) -> psutil.Process:
        """The program of a restore, before its first moment."""
        word = str(self.folder / task)
        found = until(
            lambda: [one for one in psutil.process_iter() if word in _words(one)],
            "the program of the restore",
        )
        self.programs.append(found[0])
        return found[0]

    def begin(self) -> tuple[RestoreTask, psutil.Process]:
        task = Restores(self.folder).start(self.shelf.area(), self.asked)
        return task, self.standing(task.id)

    def is_back(self) -> bool:
        return (self.shelf.path / "analysis" / "fit.py").exists()


def _words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        if process.status() == psutil.STATUS_STOPPED:
            return list(process.cmdline())
    return []


def until(look: Callable[[], list[psutil.Process]], what: str) -> list[psutil.Process]:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.01)
    raise AssertionError(f"not seen: {what}")


def ended(restores: Restores, task: str) -> RestoreTask:
    end = time.monotonic() + 120
    while (told := restores.read(task)).state == "running":
        assert time.monotonic() < end
        time.sleep(0.02)
    return told


@pytest.fixture
def desk(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    desk = Desk(shelf)
    stand_still(restores_room, monkeypatch)
    yield desk
    for one in desk.programs:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def test_a_killed_server_takes_no_restore_along_and_the_next_one_tells_of_it(desk: Desk) -> None:
    told = (str(desk.folder), desk.shelf.area().model_dump_json(), desk.asked.model_dump_json())
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, *told],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT,
    )  # fmt: skip
    assert server.stdout is not None
    task = server.stdout.readline().strip()
    program = desk.standing(task)
    server.kill()
    server.communicate()

    next_one = Restores(desk.folder)
    assert next_one.read(task).state == "running"
    assert [(one.id, one.state) for one in next_one.list()] == [(task, "running")]
    assert not desk.is_back()
    program.resume()
    done = ended(next_one, task)
    assert (done.state, done.result, done.files) == ("done", "analysis", 1), done.text
    assert desk.is_back()


def test_another_server_stops_a_restore(desk: Desk) -> None:
    task, program = desk.begin()
    assert Restores(desk.folder).cancel(task.id).state == "running"
    program.resume()
    done = ended(Restores(desk.folder), task.id)
    assert done.state == "cancelled"
    assert not desk.is_back()
    assert os.listdir(desk.shelf.path / ".mlinfn" / "drafts") == []


def test_a_killed_restore_is_told_as_such_and_can_be_begun_again(desk: Desk) -> None:
    task, program = desk.begin()
    program.kill()
    done = ended(Restores(desk.folder), task.id)
    assert (done.state, done.code) == ("failed", "ended-from-outside")
    assert "ended from outside" in str(done.text)
    assert not desk.is_back()
    again, program = desk.begin()
    program.resume()
    assert ended(Restores(desk.folder), again.id).state == "done"
    assert desk.is_back()


def test_three_run_at_once_for_all_servers_and_what_is_old_is_forgotten(desk: Desk) -> None:
    tasks = [desk.begin()[0].id for _ in range(3)]
    with pytest.raises(Conflict) as caught:
        Restores(desk.folder).start(desk.shelf.area(), desk.asked)
    assert caught.value.code == "busy"
    for program in desk.programs:
        program.kill()
    restores = Restores(desk.folder)
    assert {ended(restores, task).state for task in tasks} == {"failed"}
    os.utime(desk.folder / tasks[0], (0, 0))
    desk.standing(restores.start(desk.shelf.area(), desk.asked).id)
    with pytest.raises(NotFound):
        restores.read(tasks[0])
    assert restores.read(tasks[1]).state == "failed"
    assert [one.state for one in restores.list()] == ["running", "failed", "failed"]
    os.utime(desk.folder / tasks[1], (0, 0))
    (desk.folder / tasks[2] / "assignment.json").write_text("of another version")
    assert [one.state for one in restores.list()] == ["running"]


def test_without_a_restore_none_is_told(tmp_path: Path) -> None:
    assert Restores(tmp_path / "none").list() == ()


@pytest.mark.parametrize("name", ["../restores", "0" * 15, "0" * 16, ".", ""])
def test_no_other_folder_is_taken_for_a_restore(desk: Desk, name: str) -> None:
    (Path(desk.folder) / "assignment.json").parent.mkdir(parents=True, exist_ok=True)
    (desk.folder / "assignment.json").touch()
    with pytest.raises(NotFound):
        Restores(desk.folder).read(name)
