"""What Slurm's programs print, as records. Pure; lines that cannot be read are counted.

Text and not JSON: ``squeue --json`` of 22.05 and 24.11 differ in kind, the text does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

SEPARATOR: Final = "\x1f"
"""Between the fields of ``squeue``: a byte that no name, comment or reason can hold."""

JOB_FORMAT: Final = SEPARATOR.join(("mlinfn", "%i", "%T", "%r", "%S", "%N", "%P", "%j", "%k"))
"""Mark, number, state, reason, start (or expected start), nodes, partition, name, comment."""

ACCOUNTED_FIELDS: Final = ("JobID", "State", "NodeList", "Partition", "JobName", "Comment")

SINFO_FIELDS: Final = (
    ("Partition", 100),
    ("Available", 12),
    ("Time", 24),
    ("StateCompact", 24),
    ("Nodes", 12),
    ("CPUs", 12),
    ("CPUsState", 40),
    ("Memory", 16),
    ("AllocMem", 16),
    ("Gres", 160),
    ("GresUsed", 160),
)
SINFO_FORMAT: Final = ",".join(f"{name}:{width}" for name, width in SINFO_FIELDS)

_ID: Final = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_STATE: Final = re.compile(r"[A-Z_]{2,30}", re.ASCII)
_GPU: Final = re.compile(
    r"gpu(?::(?P<model>[A-Za-z0-9_.-]+))?:(?P<count>\d{1,5})(?=[(,]|$)", re.ASCII
)
_TIME: Final = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})", re.ASCII)
_SUBMITTED: Final = re.compile(r"([1-9][0-9]{0,17})(?:;[A-Za-z0-9_.-]+)?", re.ASCII)

Record = TypeVar("Record")


@dataclass(frozen=True)
class SlurmJob:
    """One line of ``squeue`` or ``sacct``. ``start`` is the expected one while it waits."""

    id: str
    state: str
    reason: str = ""
    start: datetime | None = None
    nodes: str = ""
    partition: str = ""
    name: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Group:
    """Nodes of one partition that are alike: counts for each node, memory in bytes.

    ``cpus_idle`` counts the free CPUs of all of them together.
    """

    partition: str
    default: bool
    available: bool
    time_limit: int | None
    state: str
    nodes: int
    cpus: int
    cpus_idle: int
    memory: int
    memory_allocated: int
    gpus: int
    gpus_used: int
    gpu_models: tuple[str, ...]


def jobs(text: str) -> tuple[tuple[SlurmJob, ...], int]:
    """The jobs in the answer of ``squeue -o JOB_FORMAT``, and how many lines are no job."""
    return _each(text, _job)


def accounted(text: str) -> tuple[tuple[SlurmJob, ...], int]:
    """The jobs in the answer of ``sacct -P`` with :data:`ACCOUNTED_FIELDS`."""
    return _each(text, _accounted)


def groups(text: str) -> tuple[tuple[Group, ...], int]:
    """The groups of nodes in the answer of ``sinfo -O SINFO_FORMAT``."""
    return _each(text, _group)


def submitted(text: str) -> str | None:
    """The job's number in the answer of ``sbatch --parsable``; ``None``: there is none."""
    for line in text.splitlines():
        if found := _SUBMITTED.fullmatch(line.strip()):
            return found[1]
    return None


def duration(text: str) -> int | None:
    """Seconds of ``days-hours:minutes:seconds`` or ``minutes:seconds``; ``None``: no limit."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _each(text: str, read: Callable[[str], Record | None]) -> tuple[tuple[Record, ...], int]:
    lines = [line for line in text.split("\n") if line.strip()]
    found = [read(line) for line in lines]
    return tuple(one for one in found if one is not None), found.count(None)


def _job(line: str) -> SlurmJob | None:
    parts = line.split(SEPARATOR)
    if len(parts) != len(JOB_FORMAT.split(SEPARATOR)) or parts[0] != "mlinfn":
        return None
    _mark, number, state, reason, start, nodes, partition, name, comment = parts
    if not _ID.fullmatch(number) or not _STATE.fullmatch(state):
        return None
    return SlurmJob(number, state, _word(reason), _moment(start), nodes, partition, name, comment)


def _accounted(line: str) -> SlurmJob | None:
    parts = line.split(SEPARATOR)
    if len(parts) != len(ACCOUNTED_FIELDS):
        return None
    number, state, nodes, partition, name, comment = parts
    state = state.split(" ")[0].rstrip("+")  # "CANCELLED by 1000"
    if not _ID.fullmatch(number) or not _STATE.fullmatch(state):
        return None
    return SlurmJob(number, state, "", None, nodes, partition, name, comment)


def _group(line: str) -> Group | None:
    fields, at = {}, 0
    for name, width in SINFO_FIELDS:
        fields[name], at = line[at : at + width].strip(), at + width
    try:
        idle = int(fields["CPUsState"].split("/")[1])
        memory, allocated = int(fields["Memory"]), int(fields["AllocMem"])
        nodes, cpus = int(fields["Nodes"]), int(fields["CPUs"])
    except (ValueError, IndexError):
        return None
    models, gpus = _gpus(fields["Gres"])
    return Group(
        partition=fields["Partition"].rstrip("*"),
        default=fields["Partition"].endswith("*"),
        available=fields["Available"] == "up",
        time_limit=duration(fields["Time"]),
        state=fields["StateCompact"],
        nodes=nodes,
        cpus=cpus,
        cpus_idle=idle,
        memory=memory * 2**20,
        memory_allocated=allocated * 2**20,
        gpus=gpus,
        gpus_used=_gpus(fields["GresUsed"])[1],
        gpu_models=models,
    )


def _gpus(text: str) -> tuple[tuple[str, ...], int]:
    """Models and number of the GPUs in ``gpu:t4:2(S:0-1),shard:…``."""
    found = list(_GPU.finditer(text))
    models = {match["model"] for match in found if match["model"]}
    return tuple(sorted(models)), sum(int(match["count"]) for match in found)


def _moment(text: str) -> datetime | None:
    """Slurm's time of the day without a zone: this machine's."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _word(text: str) -> str:
    return "" if text in ("None", "(null)") else text[:200]
