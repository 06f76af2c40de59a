"""The sampler: begins with the first watcher, ends with the last, outlives what happens between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.gpus.holders import Knowledge
from jupyter_mlinfn.gpus.sampler import Patience, SamplerProcess
from jupyter_mlinfn.model.accelerators import GpuSnapshot
from tests.gpus.conftest import FakeDriver, a100, t4

pytestmark = pytest.mark.slow

QUICK = Patience(stale=1.5, hung=0.3, retry=(0.05,), missing=0.2)


async def snapshot_with(
    sampler: SamplerProcess, condition: Callable[[GpuSnapshot], bool]
) -> GpuSnapshot:
    async with asyncio.timeout(30):
        while True:
            snapshot = await sampler.next()
            if condition(snapshot):
                return snapshot


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_it_runs_from_the_first_watcher_to_the_last(driver: FakeDriver) -> None:
    driver.write(a100(pids=[1]), t4(1))
    sampler = SamplerProcess(interval=0.1)
    assert sampler.agent_pid is None
    assert sampler.latest().taken_at is None
    heard: list[GpuSnapshot] = []
    first = sampler.subscribe(heard.append)
    second = sampler.subscribe(lambda _: None)
    await snapshot_with(sampler, lambda _: True)
    pid = sampler.agent_pid
    assert pid is not None
    assert is_running(pid)
    assert [one.uuid for one in heard[0].accelerators][-1] == "GPU-T4-1"
    first()
    first()
    assert sampler.running
    second()
    assert not sampler.running
    for _ in range(200):
        if not is_running(pid):
            break
        await asyncio.sleep(0.02)
    assert not is_running(pid)
    assert sampler.latest() == heard[-1] or sampler.latest().accelerators, "the latest stays"


async def test_history_outlives_a_pause_in_watching(driver: FakeDriver) -> None:
    driver.write(t4(pids=[1]))
    sampler = SamplerProcess(interval=0.05)
    for _ in range(2):
        stop = sampler.subscribe(lambda _: None)
        for _ in range(3):
            await sampler.next()
        stop()
    history = sampler.history("GPU-T4-0", 60)
    assert len(history.times) >= 6
    assert list(history.times) == sorted(history.times)
    assert set(history.percent) == {83.0}
    assert abs(history.times[-1] - time.time()) < 30
    assert sampler.history("GPU-none", 60).times == ()


async def test_a_killed_agent_is_replaced(driver: FakeDriver) -> None:
    driver.write(t4(pids=[1]))
    sampler = SamplerProcess(interval=0.05, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    await sampler.next()
    pid = sampler.agent_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    fresh = await snapshot_with(sampler, lambda _: sampler.agent_pid not in (None, pid))
    assert fresh.accelerators[0].uuid == "GPU-T4-0"
    stop()


async def test_an_agent_that_stands_still_is_shown_with_its_age_and_replaced(
    driver: FakeDriver,
) -> None:
    driver.write(t4(pids=[1]))
    sampler = SamplerProcess(interval=0.05, patience=Patience(stale=4.0, retry=(0.05,)))
    stop = sampler.subscribe(lambda _: None)
    good = await sampler.next()
    pid = sampler.agent_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    aged = await snapshot_with(sampler, lambda one: one.accelerators[0].state == "silent")
    (card,) = aged.accelerators
    assert card.memory == good.accelerators[0].memory
    assert card.signal.state == "unknown"
    assert card.taken_at is not None
    assert aged.taken_at is not None
    assert card.taken_at < aged.taken_at
    await snapshot_with(sampler, lambda one: one.accelerators[0].state == "ok")
    assert sampler.agent_pid != pid
    stop()


def script(folder: Path, body: str) -> list[str]:
    """An agent that says what ``body`` prints; ``turn`` counts its starts from 0."""
    path = folder / "agent.py"
    path.write_text(
        "import json, os, sys, time\n"
        f"here = {str(folder)!r}\n"
        "turn = len([n for n in os.listdir(here) if n.startswith('turn')])\n"
        "open(f'{here}/turn{turn}', 'w').close()\n"
        "def say(hung, *states):\n"
        "    devices = [{'uuid': f'GPU-{n}', 'index': n, 'name': f'{turn}', 'state': s}\n"
        "               for n, s in enumerate(states)]\n"
        "    print(json.dumps({'time': time.time(), 'boot': 1.0, 'facts': {}, 'hung': hung,\n"
        "                      'layout': [one['uuid'] for one in devices], 'devices': devices}),\n"
        "          flush=True)\n" + body
    )
    return [sys.executable, "-I", str(path)]


async def test_a_successor_that_hears_more_takes_over(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "while True:\n"
        "    say(0.0, 'ok', 'ok') if turn else say(100.0, 'ok', 'silent')\n"
        "    time.sleep(0.05)\n",
    )
    sampler = SamplerProcess(interval=0.05, command=command, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    first = await sampler.next()
    assert [one.state for one in first.accelerators] == ["ok", "silent"]
    second = await snapshot_with(sampler, lambda one: one.accelerators[1].state == "ok")
    assert {one.name for one in second.accelerators} == {"1"}
    stop()


async def test_a_successor_that_hears_no_more_is_let_go(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "while True:\n"
        "    say(100.0, 'silent', 'silent') if turn else say(100.0, 'ok', 'silent')\n"
        "    time.sleep(0.05)\n",
    )
    sampler = SamplerProcess(interval=0.05, command=command, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    await snapshot_with(sampler, lambda _: (tmp_path / "turn1").exists())
    for _ in range(10):
        snapshot = await sampler.next()
        assert [one.state for one in snapshot.accelerators] == ["ok", "silent"]
    stop()


async def test_a_successor_that_hangs_as_a_whole_is_let_go(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "while True:\n    turn or say(100.0, 'ok', 'silent')\n    time.sleep(0.05)\n",
    )
    sampler = SamplerProcess(interval=0.05, command=command, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    await snapshot_with(sampler, lambda _: (tmp_path / "turn2").exists())
    assert sampler.latest().accelerators[0].name == "0"
    stop()


async def test_what_is_no_sample_is_passed_over(tmp_path: Path) -> None:
    command = script(
        tmp_path,
        "print('a library says hello', flush=True)\n"
        "while True:\n    say(0.0, 'ok')\n    time.sleep(0.05)\n",
    )
    sampler = SamplerProcess(interval=0.05, command=command, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    snapshot = await sampler.next()
    assert len(snapshot.accelerators) == 1
    stop()


async def test_a_program_that_cannot_be_started_is_no_fault_of_the_server() -> None:
    sampler = SamplerProcess(interval=0.05, command=["/nonexistent/agent"], patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    await asyncio.sleep(0.3)
    assert sampler.agent_pid is None
    stop()


async def test_without_a_driver_there_is_a_sentence_and_no_process(no_driver: None) -> None:
    sampler = SamplerProcess(interval=0.05, patience=QUICK)
    heard: list[GpuSnapshot] = []
    stop = sampler.subscribe(heard.append)
    assert sampler.latest().missing is not None
    assert sampler.agent_pid is None
    await sampler.next()  # it is said again when we looked again
    assert heard[-1].missing == sampler.latest().missing
    stop()


async def test_a_driver_that_appears_is_found(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.write(t4())
    found: list[bool] = [False]
    monkeypatch.setattr("jupyter_mlinfn.gpus.sampler.library_may_exist", lambda: found[0])
    sampler = SamplerProcess(interval=0.05, patience=QUICK)
    stop = sampler.subscribe(lambda _: None)
    assert sampler.latest().missing is not None
    found[0] = True
    seen = await snapshot_with(sampler, lambda one: one.missing is None)
    assert seen.accelerators[0].name == "Tesla T4"
    stop()


async def test_a_stretch_of_a_signal_is_told(driver: FakeDriver) -> None:
    card = t4(pids=[1])
    driver.write(card)
    sampler = SamplerProcess(interval=0.05)
    stop = sampler.subscribe(lambda _: None)
    first = await sampler.next()
    again = await sampler.next()
    assert again.accelerators[0].signal.since == first.taken_at
    card.util = 0
    driver.write()
    idle = await snapshot_with(sampler, lambda one: one.accelerators[0].signal.state == "idle")
    assert idle.accelerators[0].signal.since == idle.taken_at
    stop()


async def test_own_processes_are_told_by_name(driver: FakeDriver) -> None:
    """The agent's own namespace is calibrated by a process that holds a device file."""
    devices = driver.folder / "nvidia"
    holder = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"f = open({str(devices) + '0'!r}, 'w'); input()",
        stdin=asyncio.subprocess.PIPE,
    )  # fmt: skip
    driver.write(t4(pids=[holder.pid]))
    command = [sys.executable, "-I", "-m", "jupyter_mlinfn.gpus.agent", "--interval=0.05",
               f"--devices={devices}"]  # fmt: skip
    sampler = SamplerProcess(interval=0.05, command=command, knowledge=Knowledge)
    stop = sampler.subscribe(lambda _: None)
    seen = await snapshot_with(
        sampler, lambda one: any(each.mine for each in one.accelerators[0].holders)
    )
    (mine,) = seen.accelerators[0].holders
    assert (mine.kind, mine.pid, mine.memory) == ("process", holder.pid, 2000 * 2**20)
    assert mine.title.startswith("python")
    stop()
    await holder.communicate(b"\n")
    assert json.loads(seen.model_dump_json())["accelerators"][0]["holders"][0]["mine"] is True
