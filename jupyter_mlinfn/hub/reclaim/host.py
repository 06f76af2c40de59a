"""The agent of a GPU host: one line of JSON a sample, until its reader is gone.

    python -I -m jupyter_mlinfn.hub.reclaim.host [--interval 10] [--simulated]

It reads the accelerators through ``gpus/agent.py`` and adds which containers hold them
(docs/hub-services.md, section 1). On a host without a driver it says so and goes on: a driver
may come. It must see the host's processes: run it there, or in a container with the host's PID
namespace.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Final

from jupyter_mlinfn.gpus.reading import AgentFeed, Missing, Reading
from jupyter_mlinfn.gpus.signals import judge_all
from jupyter_mlinfn.gpus.snapshot import agent_command
from jupyter_mlinfn.gpus.source import SILENT_DRIVER
from jupyter_mlinfn.hub.reclaim.containers import Containers
from jupyter_mlinfn.hub.reclaim.samples import DeviceSample, HostSample
from jupyter_mlinfn.process.identity import this_machine

LOOK_FOR_BATCH: Final = 60.0
"""Seconds between looks at every process of the host for batch steps."""
_PATIENCE: Final = 8.0


class Host:
    """Makes a :class:`HostSample` of each reading."""

    def __init__(self, containers: Containers | None = None) -> None:
        self._containers = containers or Containers()
        self._batch: tuple[str, ...] = ()
        self._looked = float("-inf")

    def sample(self, reading: Reading | None) -> HostSample:
        """``reading`` with containers; ``None``: the driver did not answer."""
        machine = this_machine()
        missing = Missing(code="silent", text=SILENT_DRIVER) if reading is None else reading.missing
        return HostSample(
            host=machine.host,
            boot=machine.boot_id,
            at=time.clock_gettime(time.CLOCK_BOOTTIME),
            time=datetime.now(UTC),
            missing=missing,
            devices=() if reading is None or missing else self._devices(reading),
            batch_containers=self._with_batch(),
        )

    def _devices(self, reading: Reading) -> tuple[DeviceSample, ...]:
        judged = judge_all(reading.devices)
        pids = {one.uuid: [p.pid for p in one.processes or ()] for one in reading.devices}
        self._containers.forget_all_but(pid for found in pids.values() for pid in found)
        ours = reading.namespace == "same"  # else the numbers are those of other processes
        return tuple(
            DeviceSample(
                uuid=one.uuid,
                state=judged[one.uuid].state,
                measurement=judged[one.uuid].measurement,
                percent=judged[one.uuid].percent,
                containers=self._containers.occupants(pids[one.uuid]) if ours else (),
            )
            for one in reading.devices
        )

    def _with_batch(self) -> tuple[str, ...]:
        now = time.monotonic()
        if now - self._looked >= LOOK_FOR_BATCH:
            self._looked = now
            self._batch = self._containers.with_batch()
        return self._batch


def main(arguments: list[str] | None = None) -> int:
    """Prints samples until the reader is gone; the exit code."""
    parser = argparse.ArgumentParser(prog="jupyter_mlinfn.hub.reclaim.host")
    parser.add_argument("--interval", type=float, default=10.0, help="seconds between samples")
    parser.add_argument("--simulated", action="store_true", help="simulated cards that move")
    options = parser.parse_args(arguments)
    threading.Thread(target=_end_with_reader, name="reader", daemon=True).start()
    _tell(Host(), options.interval, options.simulated)
    return 0


def _tell(host: Host, interval: float, simulated: bool) -> None:
    command = agent_command(interval=interval, simulated=simulated)
    feed = AgentFeed(command)
    while True:
        line = feed.wait_for_line(interval + _PATIENCE)
        reading = None if line is None else feed.complete(line)
        if line is None or reading is not None:
            _say(host.sample(reading))
        if feed.ended or line is None:
            # no driver, other devices than before, or a call that does not come back
            feed.abandon()
            time.sleep(interval)
            feed = AgentFeed(command)


def _say(sample: HostSample) -> None:
    sys.stdout.write(sample.model_dump_json() + "\n")
    sys.stdout.flush()


def _end_with_reader() -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    os._exit(0)  # the agent below ends with us: its standard input closes


if __name__ == "__main__":
    sys.exit(main())
