"""What vkd is asked for. Of a person's text nothing becomes a line of a script.

The script is always the same; it starts the program that a file beside it names, and that reads
the rest from another one (:mod:`.start`).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.backends.kubernetes.vkd.start import MODULE, SPECIFICATION, Start
from jupyter_mlinfn.jobs.backends.protocol import VkdSettings
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobSpec

SCRIPT: Final = (
    '#!/bin/sh\nhere="${0%/*}"\n'
    f'exec "$(cat "$here/python")" -I -m {MODULE} "$here/{SPECIFICATION}"\n'
)
_ENTRY: Final = "mlinfn.sh"

PRIORITIES: Final = ("lowest", "lower", "higher", "highest")
"""vkd's classes, all of them below interactive work. ``fire`` is one too, which takes the place of
others: no job of ours has it."""

USUAL: Final = ("higher", "lowest")
"""The priority of a job, and of one that may be evicted, where the settings say nothing."""

_LATEST: Final = 1800
_KEPT_FOR: Final = 86400
_GPU: Final = 2**30
"""Bytes asked for where somebody wants a GPU of no size: every GPU has so much."""

_QUEUE: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


def priority(settings: VkdSettings, *, evictable: bool) -> str:
    """The priority of such a job."""
    told = settings.evictable_priority if evictable else settings.priority
    return told or USUAL[evictable]


def bunshin(
    called: str, spec: JobSpec, folder: Path, queue: str, settings: VkdSettings, points: str = ""
) -> dict[str, Any]:
    """One job, or one for some ``points`` of a sweep. Raises :class:`Refused` for a queue whose
    name is none."""
    if not _QUEUE.fullmatch(queue):
        raise Refused(f"{queue!r} is no name of a queue in Kubernetes.", code="bad-queue")
    many = len(ranges.read(points)) if points else 1
    asked: dict[str, Any] = {
        "name": called,
        "queue": queue,
        "priority": priority(settings, evictable=spec.evictable),
        "cpu_request": spec.resources.cpus,
        "memory_request": _amount(spec.resources.memory),
        # of a sweep this is for all its points, which may run one after the other
        "active_deadline_seconds": many * spec.resources.time + _LATEST,
        "ttl_seconds_after_finished": _KEPT_FOR,
        "provide_output_url": False,
        "script": f"/sandbox/{_ENTRY}",
        "sandbox": {
            _ENTRY: SCRIPT,
            "python": sys.executable,
            SPECIFICATION: Start(folder=str(folder), points=points).model_dump_json(),
        },
    }
    if spec.resources.gpus:
        asked["gpu_memory_request"] = _amount(spec.resources.gpu_memory or _GPU)
    if points:
        asked["completions"] = many
    if volumes := _volumes(_needed(spec, folder)):
        asked["volumes"] = volumes
    if spec.offload:
        node = {"node_name": settings.offload_node} if settings.offload_node else {}
        asked["offloading"] = {"enabled": True, **node}
    site = {
        "original_pod": settings.original_pod,
        "cvmfs_provisioning": settings.cvmfs,
        "juicefs_provisioning": settings.juicefs,
    }
    return asked | {key: value for key, value in site.items() if value}


def volumes(paths: Iterable[str], mounts: str) -> dict[str, list[str]]:
    """The mount points of network file systems that hold ``paths``, by vkd's kinds; ``mounts`` is
    the text of ``/proc/mounts``."""
    known: dict[str, str] = {}
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) > 2:
            known[_OCTAL.sub(lambda code: chr(int(code[1], 8)), fields[1])] = fields[2]
    found: dict[str, set[str]] = {}
    for path in paths:
        above = [one for one in known if os.path.commonpath((one, path)) == one]
        place = max(above, key=len, default="")
        kind = known.get(place, "")
        for named in ("juicefs", "nfs"):
            if named in kind:
                found.setdefault(named, set()).add(place)
    return {kind: sorted(places) for kind, places in sorted(found.items())}


def _volumes(paths: Iterable[str]) -> dict[str, list[str]]:
    try:
        told = Path("/proc/mounts").read_text("utf-8", "surrogateescape")
    except OSError:
        return {}
    return volumes(paths, told)


def _needed(spec: JobSpec, folder: Path) -> list[str]:
    """What the job reads and writes, as absolute paths."""
    prefix = spec.environment.prefix
    told = [
        str(folder),
        spec.workdir,
        spec.output_folder,
        sys.prefix,
        *([prefix] if prefix else ()),
    ]
    return [os.path.realpath(one) for one in told if Path(one).is_absolute()]


def _amount(size: int) -> str:
    """Bytes as Kubernetes writes them, rounded up to whole MiB."""
    return f"{-(-size // 2**20)}Mi"
