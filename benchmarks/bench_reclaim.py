"""Idle reclaim: what watching 8 GPUs × 7 MIG instances with 56 leases costs of a core.

The real agent of a GPU host over the stand-in library, and the real account of sessions in this
process; the shares are those of the usual interval. The culler asks for each session once a
minute.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.bench_gpus import CARDS, SLICES, Load, cpu_seconds, processes
from benchmarks.figures import Figure
from jupyter_mlinfn.gpus.simulated.library import library
from jupyter_mlinfn.gpus.simulated.state import STATE_VARIABLE
from jupyter_mlinfn.hub.reclaim.feeding import agent_of
from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.hub.reclaim.samples import HostSample
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts
from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.hub.reclaim.verdicts import VerdictRequest
from jupyter_mlinfn.hub.reclaim.watch import Watch
from jupyter_mlinfn.model.leases import Device, Lease, PoolState
from jupyter_mlinfn.model.plans import Limits
from jupyter_mlinfn.process.feed import LineFeed
from jupyter_mlinfn.process.tree import with_descendants

SETTINGS = ReclaimSettings()
SAMPLES, WARM = 30, 6
LIMITS = Limits(idle=7200, gpu_idle=7200, warn=1200)


def run() -> list[Figure]:
    """All figures of idle reclaim."""
    with tempfile.TemporaryDirectory() as folder, processes(CARDS * SLICES) as pids:
        environment = {
            **os.environ,
            STATE_VARIABLE: f"{folder}/state",
            "LD_LIBRARY_PATH": str(library().parent),
        }
        agent, lines = reading(Path(folder), Load(pids, gpm=True), environment)
        account = accounting(lines, Path(folder))
    share = 100 / SETTINGS.interval
    return [
        Figure("agent of a GPU host, 56 slices", agent * share, "% of a core"),
        Figure("account of 56 sessions, culler included", account * share, "% of a core"),
        Figure("watching for idle slices, all", (agent + account) * share, "% of a core", 1.0),
    ]


def reading(folder: Path, load: Load, environment: dict[str, str]) -> tuple[float, list[bytes]]:
    """CPU seconds of one sample in the agent and the one below it; the lines it said."""
    load.state().write(folder / "state")
    feed = LineFeed(agent_of((), SETTINGS.model_copy(update={"interval": 0.25})), environment)
    lines, before = [], 0.0
    try:
        for number in range(WARM + SAMPLES):
            line = feed.wait_for_line(30)
            if line is None:
                sys.exit("the agent of a GPU host says nothing")
            if number == WARM - 1:
                before = whole(feed.pid)
            lines.append(line)
            load.step().write(folder / "state")
        return (whole(feed.pid) - before) / SAMPLES, lines[WARM:]
    finally:
        feed.abandon()


def whole(pid: int) -> float:
    """CPU seconds of a process and those it started."""
    return sum(cpu_seconds(one) for one in with_descendants([pid]))


def accounting(lines: list[bytes], folder: Path) -> float:
    """CPU seconds of one sample in the service: read, step, and a sixth of the culler's minute."""
    watch = Watch(SETTINGS, Journal(folder / "decisions.jsonl"))
    first = HostSample.model_validate_json(lines[0])
    uuids = [one.uuid for one in first.devices if one.uuid.startswith("MIG-")]
    now = datetime.now(UTC)
    leases = [
        Lease(
            id=f"lease-{at}",
            device=Device(uuid=uuid, pool="mig", host=first.host, model="A100"),
            user=f"user-{at}",
            acquired=now,
        )
        for at, uuid in enumerate(uuids)
    ]
    facts = {
        (one.user, ""): SessionFacts(user=one.user, profile="p", started=now, limits=LIMITS)
        for one in leases
    }
    pools = (PoolState(pool="mig", total=len(leases), free=0),)
    began = time.process_time()
    for number, line in enumerate(lines):
        at = number * SETTINGS.interval
        watch.know(leases, pools, facts, at)
        watch.saw(HostSample.model_validate_json(line), at)
        if number % 6 == 0:
            for user, _ in facts:
                watch.verdict(VerdictRequest(user=user, inactive=60, age=6000), at)
    return (time.process_time() - began) / len(lines)
