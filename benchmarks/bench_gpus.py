"""GPU samples: CPU, NVML calls and bytes at 8 GPUs × 7 MIG instances with 56 processes.

The real nvidia-ml-py in the real agent over the stand-in library (a real driver's calls cost
their own time on top: docs/gpus-measured.md). The load jitters as training does: activity ± 3
percent points with a change of phase every minute, power ± 5 W, memory in steps.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Figure, median
from jupyter_mlinfn.gpus.deltas import delta
from jupyter_mlinfn.gpus.sampler import SamplerProcess
from jupyter_mlinfn.gpus.settling import settle
from jupyter_mlinfn.gpus.simulated.library import library
from jupyter_mlinfn.gpus.simulated.state import (
    CALLS_VARIABLE,
    STATE_VARIABLE,
    Card,
    Instance,
    Process,
    State,
)
from jupyter_mlinfn.gpus.snapshot import take_snapshot
from jupyter_mlinfn.model.accelerators import GpuSnapshot

CARDS, SLICES, SAMPLES, WARM = 8, 7, 40, 12
ENVELOPE = '{"type":"delta","topic":"gpus","seq":100000,"data":%s}'


def run() -> list[Figure]:
    """All figures of GPUs."""
    with tempfile.TemporaryDirectory() as folder, processes(CARDS * SLICES) as pids:
        os.environ[STATE_VARIABLE] = f"{folder}/state"
        os.environ[CALLS_VARIABLE] = f"{folder}/calls"
        os.environ["LD_LIBRARY_PATH"] = str(library().parent)
        try:
            figures = [
                figure
                for gpm in (False, True)
                for figure in asyncio.run(stream(Path(folder), pids, gpm))
            ]
            return [*figures, one_shot()]
        finally:
            for name in (STATE_VARIABLE, CALLS_VARIABLE, "LD_LIBRARY_PATH"):
                del os.environ[name]


async def stream(folder: Path, pids: list[int], gpm: bool) -> list[Figure]:
    """A watched server with A100s (no activity of slices) or later cards (GPM)."""
    load = Load(pids, gpm)
    load.state().write(folder / "state")
    sampler = SamplerProcess(interval=0.25)
    shown: GpuSnapshot | None = None
    sizes: list[int] = []

    def listen(snapshot: GpuSnapshot) -> None:
        nonlocal shown
        before, shown = shown, settle(shown, snapshot)
        change = delta(before, shown) if before else None
        if change is not None:
            sizes.append(len(ENVELOPE % json.dumps(change, separators=(",", ":"))))

    stop = sampler.subscribe(listen)
    for _ in range(WARM):
        await sampler.next()
    pid = sampler.agent_pid
    assert pid is not None
    sizes.clear()
    agent = server = 0.0
    before_calls = calls(folder / "calls")
    for _ in range(SAMPLES):
        load.step().write(folder / "state")
        cpu, own = cpu_seconds(pid), time.process_time()
        await sampler.next()
        server += time.process_time() - own  # first: the other reading costs 0.3 ms of our own
        agent += cpu_seconds(pid) - cpu
    made = (calls(folder / "calls") - before_calls) / SAMPLES
    stop()
    name = "GPM" if gpm else "A100"
    return [
        Figure(f"GPU sample 8×7 {name}: CPU in all", 1000 * (agent + server) / SAMPLES, "ms", 5),
        Figure(f"GPU sample 8×7 {name}: agent", 1000 * agent / SAMPLES, "ms"),
        Figure(f"GPU sample 8×7 {name}: server", 1000 * server / SAMPLES, "ms"),
        Figure(f"GPU sample 8×7 {name}: NVML calls", made, "calls"),
        Figure(f"GPU delta frame 8×7 {name}: mean", sum(sizes) / len(sizes), "B", 250),
    ]


def one_shot() -> Figure:
    """``mlinfn gpus`` without the program around it."""
    spans = []
    for _ in range(5):
        started = time.perf_counter()
        assert take_snapshot(deadline=20).accelerators
        spans.append(time.perf_counter() - started)
    return Figure("GPU one-shot snapshot 8×7: wall", 1000 * median(spans), "ms")


class Load:
    """56 training processes on 56 slices."""

    def __init__(self, pids: list[int], gpm: bool) -> None:
        self.random = random.Random(2)
        self.gpm = gpm
        self.pids = pids
        self.seconds = 0
        count = CARDS * SLICES
        self.level = [self.random.choice([0, 60, 85, 95]) for _ in range(count)]
        self.memory = [self.random.randint(3000, 9000) for _ in range(count)]

    def step(self) -> State:
        """A second later."""
        self.seconds += 1
        for at in range(len(self.level)):
            if self.random.random() < 1 / 60:
                self.level[at] = self.random.choice([0, 60, 85, 95])
            if self.random.random() < 1 / 100:
                self.memory[at] = self.random.randint(3000, 9000)
        return self.state()

    def state(self) -> State:
        """What the driver says now."""
        return State(cards=[self._card(at) for at in range(CARDS)])

    def _card(self, at: int) -> Card:
        places = range(at * SLICES, (at + 1) * SLICES)
        instances = [
            Instance(
                slot=n,
                uuid=f"MIG-5a1e0000-0000-5000-8000-{place:012d}",
                gi=7 + n,
                used_mib=self.memory[place],
                util=self._percent(self.level[place]) if self.gpm else None,
            )
            for n, place in enumerate(places)
        ]
        return Card(
            uuid=f"GPU-5a1e0000-0000-4000-8000-{at:012d}",
            mig=True,
            gpm=self.gpm,
            util=None,
            power_mw=round(1000 * self.random.gauss(300, 5)),
            temperature=round(self.random.gauss(61, 0.5)),
            energy_mj=10**9 + 300_000 * self.seconds,
            instances=instances,
            processes=[
                Process(self.pids[place], instances[n].used_mib - 20, gi=7 + n)
                for n, place in enumerate(places)
            ],
        )

    def _percent(self, level: int) -> float:
        return min(100.0, max(0.0, self.random.gauss(level, 3))) if level else 0.0


@contextmanager
def processes(count: int) -> Iterator[list[int]]:
    """Real processes whose PIDs the driver names."""
    wait = [sys.executable, "-c", "input()"]
    running = [subprocess.Popen(wait, stdin=subprocess.PIPE) for _ in range(count)]
    try:
        yield [one.pid for one in running]
    finally:
        for one in running:
            one.communicate(b"\n")


def cpu_seconds(pid: int) -> float:
    """CPU seconds of all living threads of a process, in nanosecond steps."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def calls(path: Path) -> int:
    """NVML calls counted by the stand-in."""
    return sum(count for _, count in struct.iter_unpack("56sQ", path.read_bytes()))
