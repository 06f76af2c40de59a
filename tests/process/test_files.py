"""Files that are whole or not there, locks that end with their process, detached programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.process import locks
from jupyter_mlinfn.process.detach import isolation, own_program, start_detached
from jupyter_mlinfn.process.durable import (
    append_line,
    touch_durably,
    write_atomically,
    write_durably,
)

HOLD = """
import sys, time
from pathlib import Path
from jupyter_mlinfn.process import locks
held = locks.acquire(Path(sys.argv[1]))
print(held is not None, flush=True)
time.sleep(1000)
"""


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """An empty folder."""
    (tmp_path / "empty").mkdir()
    return tmp_path / "empty"


@pytest.mark.parametrize("write", [write_durably, write_atomically])
def test_files_are_replaced_as_a_whole(empty: Path, write: object) -> None:
    path = empty / "file.json"
    for content in ("first", b"second"):
        write(path, content)  # type: ignore[operator]
    assert path.read_text() == "second"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(empty.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(empty: Path) -> None:
    path = empty / "file.json"
    write_durably(path, "old")
    (empty / "folder").mkdir()
    with pytest.raises(OSError):
        write_durably(empty / "folder", "a folder cannot be replaced by a file")
    assert sorted(p.name for p in empty.iterdir()) == ["file.json", "folder"]


def test_lines_and_markers(tmp_path: Path) -> None:
    append_line(tmp_path / "lines", "one")
    append_line(tmp_path / "lines", "two\n")
    assert (tmp_path / "lines").read_text() == "one\ntwo\n"
    touch_durably(tmp_path / "marker")
    touch_durably(tmp_path / "marker")
    assert (tmp_path / "marker").stat().st_size == 0


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not locks.held(path)
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"True\n"
    assert locks.held(path)
    assert locks.acquire(path) is None
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert not locks.held(path)


def test_a_look_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    """A look that takes the lock for a moment would make the owner's own attempt fail."""
    path = tmp_path / "lock"
    path.touch()
    look = (
        "import sys\nfrom pathlib import Path\nfrom jupyter_mlinfn.process import locks\n"
        "print(flush=True)\nwhile True: locks.held(Path(sys.argv[1]))"
    )
    looker = subprocess.Popen([sys.executable, "-c", look, str(path)], stdout=subprocess.PIPE)
    assert looker.stdout is not None
    looker.stdout.readline()
    try:
        for _ in range(3000):
            mine = locks.acquire(path)
            assert mine is not None
            os.close(mine)
    finally:
        looker.kill()
        looker.wait()
        looker.stdout.close()


def test_a_child_that_inherits_the_descriptor_holds_the_lock_too(tmp_path: Path) -> None:
    mine = locks.acquire(tmp_path / "lock")
    assert mine is not None
    child = subprocess.Popen(["sleep", "1000"], pass_fds=[mine])
    os.close(mine)
    assert locks.held(tmp_path / "lock")
    child.kill()
    child.wait()
    assert not locks.held(tmp_path / "lock")


def test_a_detached_program_outlives_its_starter(tmp_path: Path) -> None:
    start = (
        "import os, sys\nfrom pathlib import Path\n"
        "from jupyter_mlinfn.process.detach import start_detached\n"
        "here = Path(sys.argv[1])\n"
        "pid = start_detached(['sh', '-c', 'echo said; echo $ONLY; sleep 1000'],"
        " env={'ONLY': 'this'}, cwd=here, log=here / 'log')\n"
        "print(pid)"
    )
    done = subprocess.run(
        [sys.executable, "-c", start, str(tmp_path)], capture_output=True, check=True, timeout=30
    )
    pid = int(done.stdout)
    try:
        until = time.monotonic() + 10
        while (tmp_path / "log").read_text() != "said\nthis\n" and time.monotonic() < until:
            time.sleep(0.01)
        assert (tmp_path / "log").read_text() == "said\nthis\n"
        assert os.getsid(pid) == pid
    finally:
        os.killpg(pid, signal.SIGKILL)


def test_a_program_of_a_niced_starter_is_never_made_less_nice(tmp_path: Path) -> None:
    """Only root may lower niceness, so asking for less would fail for everybody else."""
    code = (
        "import os, sys; from pathlib import Path; os.nice(10)\n"
        "from jupyter_mlinfn.process.detach import start_detached\n"
        "argv = [sys.executable, '-c', 'import time; time.sleep(1000)']\n"
        "print(start_detached(argv, env=os.environ, cwd=Path.cwd(), nice=5))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    pid = int(told.stdout)
    try:
        assert os.getpriority(os.PRIO_PROCESS, pid) >= 10
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_program_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        start_detached(["/no/such/program"], env={}, cwd=tmp_path)


def test_our_programs_are_isolated_from_python_variables(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a foreign module was loaded')")
    argv = own_program("jupyter_mlinfn.jobs.supervisor", str(tmp_path / "attempts" / "1"))
    assert argv[1 : 1 + len(isolation())] == isolation()
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(argv, env=environ, cwd=tmp_path, capture_output=True, timeout=30)
    assert done.returncode == 2, done.stderr  # there is no claim to supervise
