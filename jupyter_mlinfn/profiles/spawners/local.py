"""A plan as the traits of LocalProcessSpawner and SimpleLocalProcessSpawner.

A process of this machine: no image, no mounts, no wall around its memory or its accelerator. What
can only be told is told (``CPU_LIMIT``, ``MEM_LIMIT``, ``CUDA_VISIBLE_DEVICES``);
:mod:`~jupyter_mlinfn.profiles.spawners.honouring` says what that is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from jupyter_mlinfn.model.plans import Plan
from jupyter_mlinfn.profiles.spawners import session
from jupyter_mlinfn.profiles.spawners.sites import LocalSite


def traits(
    plan: Plan,
    site: LocalSite,
    devices: Sequence[str] = (),
    *,
    until: datetime | None = None,
) -> dict[str, Any]:
    """Every trait of the local spawners that decides command, environment, and what is told.

    Raises:
        Refused: there is no device for an accelerator asked for, or one that was not; a countable
            resource.
    """
    session.refuse_counted(plan)
    shown = {"CUDA_VISIBLE_DEVICES": ",".join(devices)}  # empty: CUDA sees none
    return {
        **session.server(plan, site),
        "env_keep": list(site.keep),
        "environment": {**session.environment(plan, site, devices, until), **shown},
        "cpu_limit": plan.cpu,
        "cpu_guarantee": None,
        "mem_limit": plan.memory,
        "mem_guarantee": None,
        "popen_kwargs": {},
        "shell_cmd": [],
    }
