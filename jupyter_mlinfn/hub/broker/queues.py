"""What of Kueue's objects is for one person. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jupyter_mlinfn.model.kubernetes import JOB_UID

Object = Mapping[str, Any]


def offered(found: Iterable[Object], names: Collection[str]) -> list[Object]:
    """The queues with these names."""
    return [one for one in found if _about(one).get("name") in names]


def behind(found: Iterable[Object], local: Iterable[Object]) -> list[Object]:
    """The ClusterQueues that these LocalQueues belong to."""
    names = {(one.get("spec") or {}).get("clusterQueue") for one in local}
    return [one for one in found if _about(one).get("name") in names]


def in_line(found: Iterable[Object], uids: Collection[str], names: Collection[str]) -> list[Object]:
    """The Workloads of these Jobs as they are, and of all others in these queues that they are
    there, since when, and whether they wait."""
    told: list[Object] = []
    for one in found:
        labels = _about(one).get("labels") or {}
        if labels.get(JOB_UID) in uids:
            told.append(one)
        elif (one.get("spec") or {}).get("queueName") in names:
            told.append(_somebody(one))
    return told


def _somebody(one: Object) -> Object:
    spec, status = one.get("spec") or {}, one.get("status") or {}
    conditions = [
        {"type": told.get("type"), "status": told.get("status")}
        for told in status.get("conditions") or ()
    ]
    return {
        "metadata": {"creationTimestamp": _about(one).get("creationTimestamp")},
        "spec": {name: spec[name] for name in ("queueName", "priority", "active") if name in spec},
        "status": {"conditions": conditions},
    }


def _about(one: Object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = one.get("metadata") or {}
    return found
