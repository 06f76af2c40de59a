"""The machine an attempt runs on, from what its kernel shows of it; standard library only.

``/proc/driver/nvidia`` is what NVIDIA's driver shows without being asked through its library,
which may hang (README of the driver, "Proc file system interface").
"""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.process.durable import write_atomically

_LARGEST: Final = 64 * 2**10
_MODEL: Final = re.compile(r"^(?:model name|Model|Hardware|cpu)\s*:\s*(.+)$", re.MULTILINE)
_DRIVER: Final = re.compile(r"\s(\d{3,4}\.[\d.]*\d)\s")
_FACT: Final = re.compile(r"^(Model|GPU UUID):[ \t]*(.+)$", re.MULTILINE)


def write_node(target: Path, accelerators: Sequence[str], *, proc: Path = Path("/proc")) -> None:
    """Write the facts of this machine to ``target`` (``node.json``). Raises OSError."""
    write_atomically(target, json.dumps(present_node(accelerators, proc=proc)))


def present_node(accelerators: Sequence[str], *, proc: Path = Path("/proc")) -> dict[str, Any]:
    """This machine as a :class:`~jupyter_mlinfn.model.exactness.Node`.

    ``accelerators`` are those of the attempt; of a MIG slice, or where the batch system gave
    numbers only, all models of the machine are told. Without any no GPU is told.
    """
    told = os.uname()
    return {
        "host": told.nodename,
        "kernel": f"{told.sysname} {told.release} {told.machine}",
        "cpu": _cpu(proc),
        "cpus": os.cpu_count(),
        "driver": _driver(proc) if accelerators else None,
        "gpu_models": _models(proc, accelerators) if accelerators else [],
        "python": platform.python_version(),
    }


def _cpu(proc: Path) -> str | None:
    found = _MODEL.search(_head(proc / "cpuinfo"))
    return found[1].strip() if found else None


def _driver(proc: Path) -> str | None:
    found = _DRIVER.search(_head(proc / "driver" / "nvidia" / "version"))
    return found[1] if found else None


def _models(proc: Path, accelerators: Sequence[str]) -> list[str]:
    try:
        files = sorted((proc / "driver" / "nvidia" / "gpus").glob("*/information"))
    except OSError:
        return []
    facts = [dict(_FACT.findall(_head(path))) for path in files]
    mine = [fact for fact in facts if fact.get("GPU UUID", "").strip() in accelerators]
    return sorted({fact["Model"].strip() for fact in mine or facts if "Model" in fact})


def _head(path: Path) -> str:
    """The beginning of a file of the kernel; nothing where it is not there."""
    try:
        with path.open("rb") as stream:
            return stream.read(_LARGEST).decode("utf-8", "replace")
    except OSError:
        return ""
