"""What HTCondor's ads say, as records. Pure; ads that cannot be read are counted.

Attributes: "ClassAd attributes" and "Job ClassAd attributes" of HTCondor's manual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jupyter_mlinfn.model.jobs import JOB_ID

FIELDS: Final = (
    "MLInfnJobId", "MLInfnToken", "ClusterId", "ProcId", "JobStatus", "HoldReasonCode",
    "HoldReasonSubCode", "HoldReason", "RemoveReason", "RemoteHost", "LastRemoteHost",
    "NumJobStarts", "LastRejMatchReason", "LastRejMatchTime", "LastMatchTime", "ExitCode",
    "ExitBySignal", "ExitSignal", "PeriodicHoldSubCode",
    "MLInfnPoint", "JobMaterializeNextProcId", "MLInfnAgain", "RequestMemory", "RequestDisk",
    "ResidentSetSize_RAW", "DiskUsage_RAW", "ChirpMLInfnNews",
)  # fmt: skip
"""What is asked of a job."""

TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]{8,128}", re.ASCII)
_STATUS: Final = range(1, 8)


@dataclass(frozen=True)
class CondorJob:
    """One job's ad. ``status`` is its JobStatus (1 idle, 2 running, 3 removed, 4 completed, 5 held,
    6 transferring its output, 7 suspended); ``signal``: what it was ended by;
    ``rule`` the subcode with which its own rule would hold it; ``point`` the index of a sweep's
    point in its cluster; ``again``: it may be started once more; memory and disk in bytes;
    ``news``: when the job told of itself last.
    """

    cluster: int
    job: str
    token: str
    status: int
    hold: int = 0
    hold_sub: int = 0
    hold_text: str = ""
    removed: str = ""
    host: str = ""
    starts: int = 0
    rejected: str = ""
    rejected_at: datetime | None = None
    matched_at: datetime | None = None
    exit_code: int | None = None
    signal: int | None = None
    rule: int = 0
    proc: int = 0
    point: int | None = None
    again: bool = False
    memory_asked: int | None = None
    memory_used: int | None = None
    disk_asked: int | None = None
    disk_used: int | None = None
    news: int = 0


@dataclass(frozen=True)
class Cluster:
    """The ad of a whole cluster of a sweep. ``made``: so many of its jobs were put into the queue
    so far; the rest follows as others end."""

    cluster: int
    job: str
    token: str
    made: int


@dataclass(frozen=True)
class Device:
    """One accelerator of a machine; memory in bytes, ``None``: nobody tells."""

    model: str
    memory: int | None
    free: bool


@dataclass(frozen=True)
class Slot:
    """What one machine, or one fixed part of it, gives to jobs; memory in bytes."""

    machine: str
    cpus: int
    memory: int
    gpus: int
    cpus_free: int
    memory_free: int
    gpus_free: int
    takes_jobs: bool
    domain: str = ""
    devices: tuple[Device, ...] = ()


def is_id(text: object) -> bool:
    """Whether this is a job's id."""
    return isinstance(text, str) and JOB_ID.fullmatch(text) is not None


def jobs(told: object) -> tuple[tuple[CondorJob, ...], int]:
    """The jobs in an answer, and how many ads are none."""
    ads = told if isinstance(told, list) else [None]
    found = [_job(ad) for ad in ads if not _is_cluster(ad)]
    return tuple(one for one in found if one is not None), found.count(None)


def clusters(told: object) -> tuple[Cluster, ...]:
    """The ads of whole clusters in an answer that have still to make jobs."""
    ads = told if isinstance(told, list) else []
    found = [_cluster(ad) for ad in ads if _is_cluster(ad)]
    return tuple(one for one in found if one is not None)


def slots(told: object) -> tuple[Slot, ...]:
    """The machines in an answer; those that cannot be read are left out."""
    found = [_slot(ad) for ad in told] if isinstance(told, list) else []
    return tuple(one for one in found if one is not None)


def _is_cluster(ad: object) -> bool:
    """Whether this is the ad of a whole cluster that makes jobs: it has no job's number."""
    return isinstance(ad, Mapping) and "ProcId" not in ad and "JobMaterializeNextProcId" in ad


def _cluster(ad: Mapping[str, Any]) -> Cluster | None:
    number, made = _number(ad, "ClusterId"), _number(ad, "JobMaterializeNextProcId")
    if number is None or made is None or not is_id(ad.get("MLInfnJobId")):
        return None
    return Cluster(number, ad["MLInfnJobId"], str(ad.get("MLInfnToken", "")), made)


def _job(ad: object) -> CondorJob | None:
    if not isinstance(ad, Mapping) or not is_id(ad.get("MLInfnJobId")):
        return None
    cluster, status = _number(ad, "ClusterId"), _number(ad, "JobStatus")
    if cluster is None or status is None or cluster < 1:
        return None
    signalled = ad.get("ExitBySignal") is True
    return CondorJob(
        cluster=cluster,
        job=ad["MLInfnJobId"],
        token=str(ad.get("MLInfnToken", "")),
        status=status if status in _STATUS else 0,
        hold=_number(ad, "HoldReasonCode") or 0,
        hold_sub=_number(ad, "HoldReasonSubCode") or 0,
        hold_text=_words(ad, "HoldReason"),
        removed=_words(ad, "RemoveReason"),
        host=_words(ad, "RemoteHost" if "RemoteHost" in ad else "LastRemoteHost").split("@")[-1],
        starts=_number(ad, "NumJobStarts") or 0,
        rejected=_words(ad, "LastRejMatchReason"),
        rejected_at=_moment(ad, "LastRejMatchTime"),
        matched_at=_moment(ad, "LastMatchTime"),
        exit_code=None if signalled else _number(ad, "ExitCode"),
        signal=_number(ad, "ExitSignal") if signalled else None,
        rule=_number(ad, "PeriodicHoldSubCode") or 0,
        proc=_number(ad, "ProcId") or 0,
        point=_number(ad, "MLInfnPoint"),
        again=ad.get("MLInfnAgain") is True,
        memory_asked=_bytes(ad, "RequestMemory", 2**20),
        memory_used=_bytes(ad, "ResidentSetSize_RAW", 2**10),
        disk_asked=_bytes(ad, "RequestDisk", 2**10),
        disk_used=_bytes(ad, "DiskUsage_RAW", 2**10),
        news=_number(ad, "ChirpMLInfnNews") or 0,
    )


def _slot(ad: object) -> Slot | None:
    if not isinstance(ad, Mapping):
        return None
    cpus, memory = _number(ad, "TotalSlotCpus"), _number(ad, "TotalSlotMemory")
    if cpus is None or memory is None or cpus < 1 or memory < 0:
        return None
    splits = ad.get("SlotType") == "Partitionable"
    free = splits or ad.get("State") == "Unclaimed"
    devices = ad.get("devices")
    return Slot(
        machine=_words(ad, "Machine"),
        cpus=cpus,
        memory=memory * 2**20,
        gpus=max(0, _number(ad, "TotalSlotGPUs") or 0),
        cpus_free=max(0, _number(ad, "Cpus") or 0) if free else 0,
        memory_free=max(0, _number(ad, "Memory") or 0) * 2**20 if free else 0,
        gpus_free=max(0, _number(ad, "GPUs") or 0) if free else 0,
        takes_jobs=ad.get("State") in ("Unclaimed", "Claimed", "Matched", "Preempting"),
        domain=_words(ad, "FileSystemDomain"),
        devices=tuple(_device(one) for one in devices) if isinstance(devices, list) else (),
    )


def _device(told: Any) -> Device:
    fields = told if isinstance(told, Mapping) else {}
    memory = _number(fields, "memory")
    return Device(
        model=_words(fields, "model"),
        memory=memory * 2**20 if memory else None,
        free=fields.get("free") is True,
    )


def _number(ad: Mapping[str, Any], name: str) -> int | None:
    """A whole number; HTCondor writes some of them with a fraction of nothing."""
    value = ad.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        return None
    return int(value) if abs(value) < 2**53 else None


def _bytes(ad: Mapping[str, Any], name: str, unit: int) -> int | None:
    """An amount; ``None`` where it is not told, or is none."""
    value = _number(ad, name)
    return value * unit if value is not None and value > 0 else None


def _words(ad: Mapping[str, Any], name: str) -> str:
    value = ad.get(name)
    if not isinstance(value, str):
        return ""
    shown = "".join(sign if sign.isprintable() else " " for sign in value)
    return " ".join(shown.split())[:300]


def _moment(ad: Mapping[str, Any], name: str) -> datetime | None:
    seconds = _number(ad, name)
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None
