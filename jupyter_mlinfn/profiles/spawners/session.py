"""What a session is told, whatever starts it: its environment and arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.plans import Plan
from jupyter_mlinfn.profiles.spawners.literal import literal
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, KubeSite, Site

NO_DEVICE = "void"
"""``NVIDIA_VISIBLE_DEVICES`` without a device: CUDA images say ``all`` by themselves, and the
nvidia runtime believes them (gpu-operator#284, container-toolkit#1599)."""

ASK_AGAIN = 60
"""Seconds for which a group's session believes the hub's last answer on somebody (usual: 300)."""
_UUID = re.compile(r"(?:GPU|MIG)-[A-Za-z0-9/-]{1,200}", re.ASCII)
_OF_THE_HUB = ("JUPYTERHUB_", "JPY_")
"""Who the session is and whom it obeys: JupyterHub lets ``environment`` overwrite even that."""


def environment(
    plan: Plan, site: Site, devices: Sequence[str] | None, until: datetime | None = None
) -> dict[str, str]:
    """The variables of a session: the site's, the plan's, and ours over both.

    ``devices`` are UUIDs of accelerators (none: the session is shown none); ``None`` where
    somebody else gives and names them. ``until`` is the planned end.

    Raises:
        InputError: a variable of the site or the plan belongs to the hub.
        Refused: there is no device for an accelerator asked for, or one that was not.
    """
    given = dict((*site.environment, *plan.environment))
    for name in given:
        if name.startswith(_OF_THE_HUB):
            raise InputError(
                f"{name} is the hub's own variable. Remove it from profile '{plan.profile}'.",
                field=f"profile.{plan.profile}.environment",
            )
    return {**given, **_told(plan, site, until), **_shown(plan, devices)}


def _told(plan: Plan, site: Site, until: datetime | None) -> dict[str, str]:
    areas = [area.model_dump(mode="json", exclude_none=True) for area in plan.areas]
    told = {
        "MLINFN_AREAS": json.dumps(areas, ensure_ascii=False, separators=(",", ":")),
        "MLINFN_BACKENDS": ",".join(plan.backends),
        "MLINFN_CHARGE": plan.charge or "",
        "MLINFN_MANAGED_ENVIRONMENTS": ":".join(plan.environments),
        "MLINFN_PORTS": ",".join(str(port) for port in plan.ports),
        "MLINFN_PROFILE": plan.profile,
        "MLINFN_QUEUES": ",".join(plan.queues),
    }
    if plan.unkept:
        told["MLINFN_UNKEPT"] = json.dumps(plan.unkept, ensure_ascii=False)
    if site.service is not None:
        told["MLINFN_HUB_SERVICE"] = site.service
    if until is not None:
        told["MLINFN_UNTIL"] = until.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return told


def _shown(plan: Plan, devices: Sequence[str] | None) -> Mapping[str, str]:
    if devices is None:
        return {}
    for uuid in devices:
        if not _UUID.fullmatch(uuid):
            raise Refused(f"'{uuid[:80]}' is no UUID of an accelerator.", code="no-device")
    if plan.pool is not None and not devices:
        raise Refused(
            f"No device was leased for the accelerator '{plan.pool.name}'.", code="no-device"
        )
    if plan.pool is None and devices:
        raise Refused(f"Profile '{plan.profile}' has no accelerator.", code="no-device")
    return {"NVIDIA_VISIBLE_DEVICES": ",".join(devices) or NO_DEVICE}


def refuse_counted(plan: Plan) -> None:
    """For spawners that nothing counts for. Raises :class:`Refused` for a countable resource:
    somebody who asked for one and silently gets none has been lied to. Who is told so on the
    spawn page, because the profile is advisory, is started."""
    for asked in () if plan.advisory else plan.resources:
        raise Refused(f"Nobody gives out '{asked.name}' here.", code="no-resource")


def group_ids(plan: Plan, site: DockerSite | KubeSite) -> list[int]:
    """Ids of the groups beside the first: all sessions', and those of the group folders shown."""
    shown = {mount.shared_with for mount in plan.mounts}
    return sorted({*site.groups, *(number for slug, number in site.group_ids if slug in shown)})


def arguments(plan: Plan, site: Site) -> list[str]:
    """Arguments of the server: real-time collaboration is on where the plan says so alone.

    A session of a group asks the hub again soon whether somebody may still be in it.
    """
    told = [*site.arguments, f"--YDocExtension.disable_rtc={not plan.collaborative}"]
    if plan.collaborative:
        told.append(f"--HubOAuth.cache_max_age={ASK_AGAIN}")
    return told


def server(plan: Plan, site: Site) -> dict[str, Any]:
    """The traits that every spawner has and that decide what is started."""
    return {
        "cmd": list(site.command),
        "args": arguments(plan, site),
        "notebook_dir": literal(site.folder),
        "default_url": literal(site.start_page),
    }
