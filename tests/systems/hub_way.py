"""Our hub's glue over sessions that cost nothing, and an offer for the tests.

:class:`FolderWay` is to :class:`~tests.systems.hub_sessions.FolderSpawner` what the Docker way is
to DockerSpawner: labels, a list of what runs, leases. ``LINES`` make a hub of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.hub.spawning import PlannedSpawner
from jupyter_mlinfn.model.leases import Device, Labelled, Lease
from jupyter_mlinfn.model.plans import Plan, Pool, SpawnerKind
from tests.systems.hub_sessions import FolderSpawner

OFFER = """\
schema = 1
title = "Hub of the tests"

[ceiling]
cpu = 8
memory = "32GiB"
time = "12h"

[accelerator.slice]
title = "A100 slice 10 GB"
model = "NVIDIA A100 80GB PCIe"
mig = "1g.10gb"

[accelerator.t4]
title = "T4"
model = "Tesla T4"

[[profile]]
name = "small"
title = "Small"
description = "For looking at results."
groups = ["*"]
cpu = [1, 2]
memory = ["2GiB", "4GiB"]

[[profile]]
name = "gpu"
title = "With a GPU"
groups = ["users/ai-infn"]
cpu = [4]
memory = ["8GiB"]
accelerators = ["slice", "t4"]
time = { max = "12h", idle = "2h" }

[[profile]]
name = "patient"
title = "With a GPU, in line"
groups = ["users/ai-infn"]
cpu = [4]
memory = ["8GiB"]
accelerators = ["t4"]
on_full = "wait"
"""

LINES = (
    "import os",
    "from jupyter_mlinfn.hub import configure",
    "from tests.systems.hub_way import FolderWay, inventory",
    "from jupyter_mlinfn.hub import tending",
    "tending.EVERY = c.Spawner.poll_interval = 1",
    "desk = configure(c, 'profiles.toml', spawner=FolderWay(), devices=inventory,"
    " service=('127.0.0.1', int(os.environ['MLINFN_TEST_SERVICE_PORT'])))",
)


class PlannedFolderSpawner(PlannedSpawner, FolderSpawner):
    """Starts nothing, as planned."""


class FolderWay:
    """One folder of sessions."""

    kind: SpawnerKind = "docker"
    spawner: type[PlannedSpawner] = PlannedFolderSpawner
    leases = True

    def traits(
        self,
        plan: Plan,
        server: str,
        lease: Lease | None,
        until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:
        labels = {"profile": plan.profile, "server": server}
        if lease is not None:
            labels |= {"lease": lease.id, "device": lease.device.uuid}
        return {"labels": labels, "cpu_limit": plan.cpu, "mem_limit": plan.memory}

    def owner(self, plan: Plan) -> None:
        """No folder is made."""

    def labelled(self) -> Sequence[Labelled]:
        told = [
            json.loads(file.read_text(encoding="utf-8"))
            for file in Path(os.environ["MLINFN_TEST_SESSIONS"]).glob("*.json")
        ]
        return [
            Labelled(
                container=one["container"],
                lease=one["labels"]["lease"],
                user=one["user"],
                server=one["server"],
                devices=(one["labels"]["device"],),
                running=True,
            )
            for one in told
            if "lease" in one["labels"]
        ]


def inventory(pools: Sequence[Pool]) -> Sequence[Device]:
    """So many devices of each pool as ``devices.json`` beside the sessions says."""
    told = json.loads(
        (Path(os.environ["MLINFN_TEST_SESSIONS"]).parent / "devices.json").read_text()
    )
    return [
        Device(
            uuid=f"{'MIG' if pool.mig else 'GPU'}-{pool.name}-{number}",
            pool=pool.name,
            host="localhost",
            model=pool.model,
            mig=pool.mig,
        )
        for pool in pools
        for number in range(told.get(pool.name, 0))
    ]
