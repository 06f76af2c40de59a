"""Facts from the real ``/proc`` and the calibration of PID namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.gpus import processes
from jupyter_mlinfn.gpus.holders import Knowledge
from jupyter_mlinfn.gpus.processes import ProcessReader, holders_of, read_facts
from jupyter_mlinfn.gpus.reading import AgentFeed
from jupyter_mlinfn.gpus.snapshot import to_snapshot
from tests.gpus.conftest import FakeDriver, reading_of, t4

Start = Callable[..., subprocess.Popen[str]]
WAIT = "import sys; print(1, flush=True); sys.stdin.read()"


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python programs that wait until the test is over."""
    running: list[subprocess.Popen[str]] = []

    def one(code: str = WAIT, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **environment},
        )  # fmt: skip
        running.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    yield one
    for process in running:
        process.communicate("")


def holding(*paths: Path) -> str:
    """A program that holds device files open."""
    return f"files = [open(p, 'w') for p in {[str(p) for p in paths]!r}]\n{WAIT}"


def test_a_kernel_is_known_by_its_connection_file(start: Start) -> None:
    kernel = start(WAIT, "-f", "/run/jupyter/kernel-6f1c-0a.json",
                   JPY_SESSION_NAME="/home/a/train.ipynb")  # fmt: skip
    facts = read_facts(kernel.pid)
    assert facts is not None
    assert (facts["kernel"], facts["session"], facts["job"]) == (
        "6f1c-0a", "/home/a/train.ipynb", None,
    )  # fmt: skip
    assert facts["uid"] == os.getuid()
    assert os.getpid() in facts["parents"]


def test_a_child_of_a_kernel_belongs_to_it_and_a_daemon_still_names_the_notebook(
    start: Start,
) -> None:
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read(); child.communicate(b'\\n')"
    )
    kernel = subprocess.Popen(
        [sys.executable, "-c", code, "-f", "/x/kernel-k1.json"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "JPY_SESSION_NAME": "/n/a.ipynb"},
    )  # fmt: skip
    assert kernel.stdout is not None
    facts = read_facts(int(kernel.stdout.readline()))
    kernel.communicate("")
    assert facts is not None
    assert facts["kernel"] == "k1"
    daemon = start(WAIT, JPY_SESSION_NAME="/n/a.ipynb")
    told = read_facts(daemon.pid)
    assert told is not None
    assert (told["kernel"], told["session"]) == (None, "/n/a.ipynb")


def test_a_job_is_known_by_its_environment_and_options_are_never_told(start: Start) -> None:
    job = start(WAIT, "train.py", "--token=secret", MLINFN_JOB="20261121-abc")
    facts = read_facts(job.pid)
    assert facts is not None
    assert facts["job"] == "20261121-abc"
    assert facts["name"].endswith(" train.py")
    assert "secret" not in repr(facts)


def test_a_number_that_is_nobody_has_no_facts() -> None:
    assert read_facts(2**22 + 5) is None
    assert ProcessReader().facts([2**22 + 5]) == {}


def test_facts_are_kept_while_the_number_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = read_facts
    monkeypatch.setattr(processes, "read_facts", lambda pid: asked.append(pid) or real(pid))
    reader = ProcessReader()
    for pids in ([os.getpid()], [os.getpid()], [], [os.getpid()]):
        reader.facts(pids)
    assert asked == [os.getpid()] * 2, "a number that went and came back is another process"


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a PID namespace that is not the machine's first."""
    monkeypatch.setattr(processes, "_FIRST_NAMESPACE", "pid:[1]")
    monkeypatch.setattr(processes, "_CALIBRATE_AGAIN", 0.0)


def test_the_same_namespace_is_found_and_stays(
    container: None, start: Start, tmp_path: Path
) -> None:
    held = start(holding(tmp_path / "nvidia0", tmp_path / "nvidia-uvm"))
    reader = ProcessReader(str(tmp_path / "nvidia"))
    assert reader.namespace([]) == "unknown"
    assert reader.namespace([held.pid, 99999]) == "same"
    assert reader.namespace([99999]) == "same"


def test_another_namespace_needs_two_looks(container: None, start: Start, tmp_path: Path) -> None:
    start(holding(tmp_path / "nvidia0", tmp_path / "nvidia-uvm"))
    reader = ProcessReader(str(tmp_path / "nvidia"))
    assert reader.namespace([99999]) == "unknown"
    assert reader.namespace([99999]) == "different"


def test_who_merely_watches_proves_nothing(container: None, start: Start, tmp_path: Path) -> None:
    watcher = start(holding(tmp_path / "nvidia0", tmp_path / "nvidiactl"))
    assert holders_of(str(tmp_path / "nvidia")) == {watcher.pid: False}
    reader = ProcessReader(str(tmp_path / "nvidia"))
    assert {reader.namespace([99999]) for _ in range(4)} == {"unknown"}


def test_in_the_first_namespace_numbers_are_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_FIRST_NAMESPACE", os.readlink("/proc/self/ns/pid"))
    assert ProcessReader().namespace([99999]) == "same"


def unshare() -> list[str]:
    program = shutil.which("unshare")
    command = [program or "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if not program or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("PID namespaces are not permitted here")
    return command


def test_host_numbers_in_a_container_are_never_taken_for_ours(
    driver: FakeDriver, agent: Callable[..., AgentFeed]
) -> None:
    """In a real PID namespace: the driver names a PID that exists there as well, by accident."""
    command = unshare()
    driver.write(t4(pids=[1, 2**22 + 7]))  # 1 is the agent itself, in there
    devices = driver.folder / "nvidia"
    reading = reading_of(agent(f"--devices={devices}", "--once=10", prefix=command))
    assert reading.namespace == "unknown"
    (card,) = to_snapshot(reading, Knowledge()).accelerators
    assert {(one.kind, one.title, one.mine) for one in card.holders} == {
        ("outside", "outside this container", False)
    }
    assert sum(one.memory or 0 for one in card.holders) == 4000 * 2**20


def test_translated_numbers_in_a_container_are_ours(
    driver: FakeDriver, agent: Callable[..., AgentFeed]
) -> None:
    command = unshare()
    devices = driver.folder / "nvidia"
    # Inside: 1 is the shell, 2 holds the devices, 3 is the agent.
    shell = (
        f"sh -c 'exec 7>{devices}0 8>{devices}-uvm; sleep 30' & "
        f'"$@"; code=$?; kill $!; exit $code'
    )
    driver.write(t4(pids=[2]))
    feed = agent(
        f"--devices={devices}", "--interval=0.1", prefix=[*command, "sh", "-c", shell, "sh"]
    )
    for _ in range(50):
        reading = reading_of(feed)
        if reading.namespace == "same":
            break
    (card,) = to_snapshot(reading, Knowledge()).accelerators
    (holder,) = card.holders
    assert (holder.mine, holder.kind) == (True, "process")
