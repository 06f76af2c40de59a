"""Whole process trees: found, told apart and ended, escapees too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.process import tree
from jupyter_mlinfn.process.cgroup import ControlGroup
from jupyter_mlinfn.process.child import on_cpus, start_child
from jupyter_mlinfn.process.identity import start_time, stat_fields, this_machine
from tests.parts import missed, took_part

SUPERVISE = """
import os, subprocess, sys, time
from jupyter_mlinfn.process import tree
tree.become_subreaper()
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], cwd=sys.argv[2])
child.wait()
def collect():
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0: return
        except ChildProcessError: return
print(len(tree.descendants(os.getpid())), flush=True)
left = tree.kill_until_gone(lambda: tree.descendants(os.getpid()), within=20, collect=collect)
print(len(left), flush=True)
"""
DAEMONS = """
import os, pathlib, time
for number in range(5):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path(f"{number}").write_text(str(os.getpid()))
            os.execvp("sleep", ["sleep", "1000"])
        os._exit(0)
    os.wait()
while sum(p.stat().st_size > 0 for p in pathlib.Path(".").iterdir()) < 5: time.sleep(0.01)
"""


def test_five_daemons_and_none_left(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SUPERVISE, DAEMONS, str(work)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["5", "0"]
    pids = {int(file.read_text()) for file in work.iterdir()}
    assert len(pids) == 5
    assert not pids & tree.living().keys()


def sleeper(**environ: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "1000"], env={**os.environ, **environ})


def test_escapees_are_found_by_the_token() -> None:
    carrying = sleeper(SOME_TOKEN="abc-1")
    other = sleeper(SOME_TOKEN="abc-12")
    try:
        assert tree.carrying("SOME_TOKEN", "abc-1") == {carrying.pid}
    finally:
        for process in (carrying, other):
            process.kill()
            process.wait()


def test_a_reused_pid_is_left_alone() -> None:
    process = sleeper()
    started = start_time(process.pid)
    assert started is not None
    assert not tree.send(process.pid, signal.SIGKILL, started + 1)
    assert process.poll() is None
    assert tree.send(process.pid, signal.SIGKILL, started)
    assert process.wait() == -signal.SIGKILL
    assert not tree.send(process.pid, signal.SIGKILL)
    assert start_time(process.pid) is None


def test_a_name_with_brackets_and_blanks(tmp_path: Path) -> None:
    program = tmp_path / "a) R (b"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "1000"])
    try:
        fields = stat_fields(process.pid)
        assert fields is not None
        assert fields[0] in "SRD"
        assert tree.living()[process.pid].parent == os.getpid()
    finally:
        process.kill()
        process.wait()


def test_memory_counts_shared_pages_once() -> None:
    code = (
        "import os, time\nkept = bytearray(50_000_000)\nkept[::4096] = b'x' * len(kept[::4096])\n"
        "child = os.fork()\nif child: print(child, flush=True)\ntime.sleep(1000)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    child = int(process.stdout.readline())
    try:
        table = tree.living()
        both = {process.pid, child}
        resident = sum(table[pid].rss for pid in both)
        used = tree.memory_of(both)
        assert resident > 100_000_000
        assert 50_000_000 < used < 90_000_000
        assert tree.memory_of([2**22 - 1]) == 0
    finally:
        tree.send(child, signal.SIGKILL)
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_machine_is_known_by_more_than_its_name() -> None:
    here = this_machine()
    assert here.shares_processes(here.as_dict())
    for name in ("boot_id", "pid_namespace", "container"):
        assert not here.shares_processes({**here.as_dict(), name: "another"})
    assert not here.shares_processes(None)
    assert not here.shares_processes({})


def test_children_start_bound_and_the_caller_stays_free() -> None:
    before = os.sched_getaffinity(0)
    reader, writer = os.pipe()
    code = "import os; print(sorted(os.sched_getaffinity(0)))"
    chosen = min(before)
    with on_cpus([chosen]):
        child = start_child(
            [sys.executable, "-c", code], env=dict(os.environ), cwd=Path("/"), output=writer
        )
    os.close(writer)
    assert child.wait() == 0
    assert os.read(reader, 100) == f"[{chosen}]\n".encode()
    os.close(reader)
    assert os.sched_getaffinity(0) == before
    with on_cpus([100_000]):  # this machine has no such CPU: no binding
        assert os.sched_getaffinity(0) == before


@pytest.fixture
def group() -> ControlGroup:
    made = ControlGroup.planned(f"mlinfn-test-{os.getpid()}").create(200 * 2**20)
    if not made.folders:
        missed("control group", "no group can be made here: memory is watched instead")
        pytest.skip("no control group can be made here")
    took_part("control group", ", ".join(str(folder.parent) for folder in made.folders))
    return made


def test_a_group_lists_limits_and_ends_its_members(group: ControlGroup) -> None:
    code = "import os, time\nos.fork()\ntime.sleep(1000)"
    process = start_child(
        [sys.executable, "-c", code],
        env=dict(os.environ),
        cwd=Path("/"),
        output=subprocess.DEVNULL,
        group=group,
    )
    try:
        until = time.monotonic() + 10
        while len(group.processes()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        assert process.pid in group.processes()
        assert len(group.processes()) == 2

        def collect() -> None:
            process.poll()

        group.kill()
        assert not tree.kill_until_gone(group.processes, within=10, collect=collect)
        assert process.wait() == -signal.SIGKILL
    finally:
        process.kill()
        group.remove()
    assert not any(folder.exists() for folder in group.folders)


def test_old_empty_groups_are_swept_and_others_stay(
    group: ControlGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = ControlGroup.planned("mlinfn-left-by-a-test").create(2**28)
    used = ControlGroup.planned("mlinfn-used-by-a-test").create(2**28)
    member = start_child(
        ["sleep", "1000"],
        env=dict(os.environ),
        cwd=Path("/"),
        output=subprocess.DEVNULL,
        group=used,
    )
    try:
        group.sweep("mlinfn-left")
        assert all(folder.exists() for folder in left.folders), "they are young"
        monkeypatch.setattr("jupyter_mlinfn.process.cgroup._OLD", -1.0)
        group.sweep("mlinfn-left")
        group.sweep("mlinfn-used")
        assert not any(folder.exists() for folder in left.folders)
        assert all(folder.exists() for folder in used.folders)
    finally:
        member.kill()
        member.wait()
        for one in (left, used, group):
            one.remove()


def test_a_group_that_cannot_be_made_is_empty() -> None:
    nowhere = ControlGroup((Path("/proc/mlinfn"),)).create(2**20)
    assert nowhere.folders == ()
    assert nowhere.processes() == set()
    assert nowhere.memory_now() is None
    assert nowhere.cpu_seconds() is None
    assert nowhere.out_of_memory_kills() == 0
