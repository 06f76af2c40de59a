"""The Job object. Of a person's text nothing is in it: only ids, checked names and numbers."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.backends.kubernetes.template import Template
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobSpec
from jupyter_mlinfn.model.kubernetes import (
    ACCESS,
    ACCESS_FILE,
    ACCESS_VOLUME,
    AT_ONCE,
    FOLDER,
    FOLDER_VOLUME,
    GRACE,
    JOB,
    KEPT_FOR,
    LATEST,
    LEAST_AT_ONCE,
    MANAGED_BY,
    OWNER,
    PRIORITY,
    QUEUE,
    TOKEN,
    owner,
)
from jupyter_mlinfn.process.detach import own_program

_SAVES_WITHIN: Final = 50
_AWAY: Final = "jupyter_mlinfn.jobs.backends.kubernetes.away"

_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where a job goes. ``queue`` ``None``: there is no Kueue; ``gpu``: its resource's name.

    ``staged``: the Python there of a pod that sees no folder of here; empty: it sees them.
    ``owner``: as ``whose`` of :func:`labels_of`.
    """

    queue: str | None
    priority: str | None = None
    gpu: str = "nvidia.com/gpu"
    staged: str = ""
    owner: str = ""


def labels_of(spec: JobSpec, whose: str = "") -> dict[str, str]:
    """What all objects of a job are found by. ``whose``: the owner's label where another than
    this machine says who that is."""
    managed_by, us = MANAGED_BY
    return {managed_by: us, OWNER: whose or owner(spec.user), JOB: spec.id}


def manifest(
    name: str, spec: JobSpec, job_folder: Path, template: Template, place: Place
) -> dict[str, Any]:
    """The Job. Raises :class:`Refused` for a name that is none."""
    labels = labels_of(spec, place.owner)
    for_kueue = {QUEUE: place.queue, PRIORITY: place.priority if place.queue else None}
    about = template["metadata"]
    made: dict[str, Any] = {
        "completions": 1,
        "parallelism": 1,
        "completionMode": "NonIndexed",
        # whether a job runs again is decided here, by what its folder says
        "backoffLimit": 0,
        # never two at once: a new pod only when the old one has ended
        "podReplacementPolicy": "Failed",
        "activeDeadlineSeconds": spec.resources.time + LATEST,
        "ttlSecondsAfterFinished": KEPT_FOR,
        "suspend": place.queue is not None,
        "template": {
            "metadata": {
                "labels": {**(about.get("labels") or {}), **labels},
                "annotations": dict(about.get("annotations") or {}),
            },
            "spec": _pod(name, spec, job_folder, template, place),
        },
    }
    if spec.evictable or spec.retries:
        # taken for something else is no failure: Kubernetes starts it again by itself
        taken = {"type": "DisruptionTarget", "status": "True"}
        made["podFailurePolicy"] = {"rules": [{"action": "Ignore", "onPodConditions": [taken]}]}
    checked = {key: _checked(value) for key, value in for_kueue.items() if value}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "labels": {**labels, **checked},
            "annotations": {TOKEN: spec.token},
        },
        "spec": made,
    }


def sweep(
    name: str,
    spec: JobSpec,
    job_folder: Path,
    template: Template,
    place: Place,
    array: Array,
    token: str,
) -> dict[str, Any]:
    """The Job of some points, each of which fails or succeeds for itself.

    Kueue starts it with fewer pods at once where its quota is not enough for more.
    """
    made = manifest(name, spec, job_folder, template, place)
    about, asked, number = made["metadata"], made["spec"], len(array.numbers())
    at_once = min(number, spec.throttle or number, AT_ONCE)
    about["annotations"] = {TOKEN: token, **({LEAST_AT_ONCE: "1"} if at_once > 1 else {})}
    for whole in ("backoffLimit", "activeDeadlineSeconds"):
        del asked[whole]
    asked |= {
        "completionMode": "Indexed",
        "completions": number,
        "parallelism": at_once,
        "backoffLimitPerIndex": 0,
        "maxFailedIndexes": number,
    }
    pod = asked["template"]["spec"]
    pod["activeDeadlineSeconds"] = spec.resources.time + LATEST
    pod["containers"][0]["command"].append(array.points)
    return made


def _pod(
    name: str, spec: JobSpec, job_folder: Path, template: Template, place: Place
) -> dict[str, Any]:
    pod = copy.deepcopy(dict(template["spec"]))
    first, *others = pod["containers"]
    argv = own_program("jupyter_mlinfn.jobs.batch", str(job_folder), "kubernetes")
    if place.staged:
        argv = (place.staged, "-I", "-m", _AWAY, f"{ACCESS}/{ACCESS_FILE}", FOLDER)
    container = {
        **first,
        "name": first.get("name") or "job",
        # Kubernetes replaces $(NAME) in commands; $$ is a $
        "command": [word.replace("$", "$$") for word in argv],
        "args": [],
        "workingDir": "/",
        "env": _environment(first.get("env") or ()),
        "resources": _resources(spec, first.get("resources") or {}, place),
    }
    if place.staged:
        mounts: list[dict[str, Any]] = [{"name": FOLDER_VOLUME, "mountPath": FOLDER}]
        mounts.append({"name": ACCESS_VOLUME, "mountPath": ACCESS, "readOnly": True})
        container["volumeMounts"] = [*(first.get("volumeMounts") or ()), *mounts]
        folder = {"name": FOLDER_VOLUME, "emptyDir": {}}
        access = {"name": ACCESS_VOLUME, "secret": {"secretName": name}}
        pod["volumes"] = [*(pod.get("volumes") or ()), folder, access]
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        **pod,
        "containers": [container, *others],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE,
    }


def _environment(given: Any) -> list[dict[str, Any]]:
    """The template's, and what the job is told by Kubernetes."""

    def field(name: str, path: str) -> dict[str, Any]:
        return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}

    ours: list[dict[str, Any]] = [
        field("MLINFN_POD", "metadata.name"),
        field("MLINFN_NODE", "spec.nodeName"),
        {"name": "MLINFN_GRACE_SECONDS", "value": str(_SAVES_WITHIN)},
    ]
    named = {item["name"] for item in ours}
    return [*(item for item in given if item.get("name") not in named), *ours]


def _resources(spec: JobSpec, given: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """What was asked for, as request and limit alike; further ones of the template stay."""
    asked: dict[str, str] = {
        "cpu": str(spec.resources.cpus),
        "memory": str(spec.resources.memory),
    }
    if spec.resources.gpus:
        asked[place.gpu] = str(spec.resources.gpus)
    return {
        "requests": {**(given.get("requests") or {}), **asked},
        "limits": {**(given.get("limits") or {}), **asked},
    }


def _checked(word: str) -> str:
    """A name for a label. Raises :class:`Refused` for what is none: a record may be old."""
    if not _LABEL.fullmatch(word):
        raise Refused(f"{word!r} is no name of a queue in Kubernetes.", code="bad-queue")
    return word
