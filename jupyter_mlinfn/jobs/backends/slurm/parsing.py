"""What Slurm's programs print, as records. Pure; lines that cannot be read are counted.

Text and not JSON: ``squeue --json`` of 22.05 and 24.11 differ in kind, the text does not.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeVar

from jupyter_mlinfn.jobs.sweeps import ranges

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

_ELEMENTS: Final = re.compile(
    r"([1-9][0-9]{0,17})(?:_([0-9]{1,9}|\[([0-9,:-]+(?:%[0-9]{1,9})?)\]))?", re.ASCII
)
_STATE: Final = re.compile(r"[A-Z_]{2,30}", re.ASCII)
_GPU: Final = re.compile(
    r"gpu(?::(?P<model>[A-Za-z0-9_.-]+))?:(?P<count>\d{1,5})(?=[(,]|$)", re.ASCII
)
_TIME: Final = re.compile(r"(?:(\d{1,6})-)?(?:(\d{1,6}):)?(\d{1,6}):(\d{1,6})", re.ASCII)
_SUBMITTED: Final = re.compile(r"([1-9][0-9]{0,17})(?:;[A-Za-z0-9_.-]+)?", re.ASCII)

_LIMITS: Final = {
    "size": re.compile(r"^MaxArraySize\s*=\s*([0-9]{1,9})\s*$", re.ASCII | re.MULTILINE),
    "tasks": re.compile(r"\bmax_array_tasks=([0-9]{1,9})\b", re.ASCII),
}

_WOULD_START: Final = re.compile(r"\bto start at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\b", re.ASCII)

UNTYPED: Final = "gpu"
"""What GPUs are called whose type Slurm was not told."""

Record = TypeVar("Record")


@dataclass(frozen=True)
class SlurmJob:
    """One line of ``squeue`` or ``sacct``. ``start`` is the expected one while it waits.

    ``indexes``: which elements of an array it is about; those that wait alike share a line.
    """

    id: str
    state: str
    reason: str = ""
    start: datetime | None = None
    nodes: str = ""
    partition: str = ""
    name: str = ""
    comment: str = ""
    indexes: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Group:
    """Nodes of one partition that are alike: counts for each node, memory in bytes.

    ``cpus_idle`` counts the free CPUs of all of them together. ``gpu_types``: of each type of
    GPU how many a node has and how many of them are used; those without a type are ``gpu``.
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
    gpu_types: Mapping[str, tuple[int, int]] = field(default_factory=dict)


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


def array_limits(text: str) -> tuple[int, int] | None:
    """How many elements an array may have, and one more than its largest index may be, in the
    answer of ``scontrol show config``; ``None``: it does not tell."""
    size = _LIMITS["size"].search(text)
    if size is None or int(size[1]) < 1:
        return None
    tasks = _LIMITS["tasks"].search(text)
    return min(int(size[1]), int(tasks[1]) if tasks else int(size[1])), int(size[1])


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


@lru_cache(maxsize=20_000)  # of a large sweep most lines are those of the last answer
def _job(line: str) -> SlurmJob | None:
    parts = line.split(SEPARATOR)
    if len(parts) != len(JOB_FORMAT.split(SEPARATOR)) or parts[0] != "mlinfn":
        return None
    _mark, number, state, reason, start, nodes, partition, name, comment = parts
    found = _identity(number)
    if found is None or not _STATE.fullmatch(state):
        return None
    why, when = _word(reason), _moment(start)
    return SlurmJob(found[0], state, why, when, nodes, partition, name, comment, found[1])


def _accounted(line: str) -> SlurmJob | None:
    parts = line.split(SEPARATOR)
    if len(parts) != len(ACCOUNTED_FIELDS):
        return None
    number, state, nodes, partition, name, comment = parts
    state = state.split(" ")[0].rstrip("+")  # "CANCELLED by 1000"
    found = _identity(number)
    if found is None or not _STATE.fullmatch(state):
        return None
    node = "" if nodes == "None assigned" else nodes
    return SlurmJob(found[0], state, "", None, node, partition, name, comment, found[1])


def _identity(text: str) -> tuple[str, tuple[int, ...] | None] | None:
    """Number and elements of ``7``, ``7_3`` and ``7_[0-4,9%2]``; ``None``: it is no such thing.

    What was cut off (``7_[0-4,...]``) is none either: its elements would count as gone.
    """
    told = _ELEMENTS.fullmatch(text)
    if told is None:
        return None
    if told[2] is None:
        return told[1], None
    try:
        return told[1], ranges.read((told[3] or told[2]).partition("%")[0])
    except ValueError:
        return None


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
        gpu_types=_gpu_types(fields["Gres"], fields["GresUsed"]),
    )


def _gpus(text: str) -> tuple[tuple[str, ...], int]:
    """Models and number of the GPUs in ``gpu:t4:2(S:0-1),shard:…``."""
    found = list(_GPU.finditer(text))
    models = {match["model"] for match in found if match["model"]}
    return tuple(sorted(models)), sum(int(match["count"]) for match in found)


def _gpu_types(there: str, used: str) -> dict[str, tuple[int, int]]:
    counts = {text: Counter[str]() for text in (there, used)}
    for text, counted in counts.items():
        for match in _GPU.finditer(text):
            counted[match["model"] or UNTYPED] += int(match["count"])
    return {name: (count, counts[used][name]) for name, count in counts[there].items()}


def trial(text: str) -> datetime | None:
    """When a job would start, in what ``sbatch --test-only`` says; ``None``: it does not tell."""
    found = _WOULD_START.search(text)
    return _moment(found[1]) if found else None


def _moment(text: str) -> datetime | None:
    """Slurm's time of the day without a zone; its programs were told to speak of UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def _word(text: str) -> str:
    return "" if text in ("None", "(null)") else text[:200]
