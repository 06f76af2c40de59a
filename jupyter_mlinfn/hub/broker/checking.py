"""A Job, a Secret held against what its session may ask for: all problems at once. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from jupyter_mlinfn.hub.broker.allowance import Allowance
from jupyter_mlinfn.hub.broker.manifest import Container, Job, JobSpecification, Resources, Secret
from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.model.errors import Problem, Refused
from jupyter_mlinfn.model.kubernetes import (
    ACCESS,
    ACCESS_VOLUME,
    FOLDER,
    FOLDER_VOLUME,
    JOB,
    LEAST_AT_ONCE,
    MANAGED_BY,
    NAME,
    OWNER,
    PRIORITY,
    QUEUE,
    TOKEN,
)

MOST: Final = 20
DEVICES: Final = "NVIDIA_"
_ID: Final = re.compile(rf"{NAME}([a-z2-7]{{10}})(?:-.*)?")
_POD: Final = "spec.template.spec"
_CONTAINER: Final = f"{_POD}.containers.0"

Found = Iterator[tuple[str, str]]
"""Problems: the field's path and the sentence."""


def check_job(job: Job, may: Allowance, *, kueue: bool) -> None:
    """Raises :class:`Refused` (``not-offered``) with every problem. ``kueue``: whether the cluster
    has it."""
    _raise(
        [*_named(job, may.person), *_queued(job, may, kueue), *_counted(job.spec), *_pod(job, may)]
    )


def check_secret(secret: Secret, who: Person) -> None:
    """As :func:`check_job`; whose Job an owner is has to be asked elsewhere."""
    about = secret.metadata
    found = [*_labels("metadata.labels", about.labels, _ours(about.name, who), {})]
    for owner in about.owner_references:
        if owner.name != about.name:
            found.append(("metadata.ownerReferences", "A Secret goes with the Job of its name."))
    _raise(found)


def _raise(found: Sequence[tuple[str, str]]) -> None:
    if found:
        problems = [
            Problem(code="not-offered", field=field, text=text) for field, text in found[:MOST]
        ]
        text = " ".join(one.text for one in problems[:3])
        raise Refused(text, code="not-offered", problems=problems)


# --- names and labels -------------------------------------------------------------------------


def _ours(name: str, who: Person) -> dict[str, str]:
    """The labels that an object of this name has to have."""
    managed_by, us = MANAGED_BY
    found = _ID.fullmatch(name)
    return {managed_by: us, OWNER: who.owner, JOB: found[1] if found else ""}


def _labels(
    field: str, told: Mapping[str, str], needed: Mapping[str, str], further: Mapping[str, object]
) -> Found:
    for name, value in needed.items():
        if told.get(name) != value:
            whose = "Its owner is not who asks." if name == OWNER else f"It has to be '{value}'."
            yield f"{field}.{name}", whose
    for name in told.keys() - needed.keys() - further.keys():
        yield f"{field}.{_short(name)}", "No job of ours has this label."


def _named(job: Job, who: Person) -> Found:
    needed = _ours(job.metadata.name, who)
    yield from _labels("metadata.labels", job.metadata.labels, needed, {QUEUE: 0, PRIORITY: 0})
    yield from _labels(
        "spec.template.metadata.labels", job.spec.template.metadata.labels, needed, {}
    )
    if TOKEN not in job.metadata.annotations:
        yield f"metadata.annotations.{TOKEN}", "A job is found again by its token."
    for name, value in job.metadata.annotations.items():
        if name != TOKEN and (name, value) != (LEAST_AT_ONCE, "1"):
            yield f"metadata.annotations.{_short(name)}", "No job of ours has this annotation."


def _queued(job: Job, may: Allowance, kueue: bool) -> Found:
    labels, field = job.metadata.labels, f"metadata.labels.{QUEUE}"
    queue, priority = labels.get(QUEUE), labels.get(PRIORITY)
    if not kueue:
        if queue is not None or priority is not None or job.spec.suspend:
            yield field, "This cluster has no Kueue, so there are no queues."
        return
    if queue not in may.queues:
        named = ", ".join(sorted(may.queues)) or "none"
        yield field, f"This queue is not offered to you. You are offered: {named}."
    if priority is not None and priority not in may.priorities:
        named = ", ".join(sorted(may.priorities)) or "none"
        yield f"metadata.labels.{PRIORITY}", f"This priority is not offered. There are: {named}."
    if not job.spec.suspend:
        yield "spec.suspend", "Kueue starts the job when its turn comes, so it begins suspended."


def _counted(spec: JobSpecification) -> Found:
    if spec.completion_mode == "NonIndexed":
        if (spec.completions, spec.parallelism) != (1, 1):
            yield "spec.completions", "A job that is no sweep has one pod."
        if spec.backoff_limit != 0:
            yield "spec.backoffLimit", "Whether a job runs again is not decided by Kubernetes: 0."
        if spec.active_deadline_seconds is None:
            yield "spec.activeDeadlineSeconds", "A job has an end."
        return
    if spec.backoff_limit_per_index != 0:
        text = "Whether a point runs again is not decided by Kubernetes: 0."
        yield "spec.backoffLimitPerIndex", text
    if spec.template.spec.active_deadline_seconds is None:
        yield f"{_POD}.activeDeadlineSeconds", "A point of a sweep has an end."


# --- the pod ----------------------------------------------------------------------------------


def _pod(job: Job, may: Allowance) -> Found:
    asked, offered = job.spec.template.spec, may.pod["spec"]
    (container,), own = asked.containers, offered["containers"][0]
    if container.image != own["image"]:
        text = f"The image of this session's profile is {own['image']}. No other is offered."
        yield f"{_CONTAINER}.image", text
    if container.image_pull_policy != own["imagePullPolicy"]:
        yield f"{_CONTAINER}.imagePullPolicy", f"It is {own['imagePullPolicy']} here."
    if list(asked.image_pull_secrets) != offered["imagePullSecrets"]:
        yield f"{_POD}.imagePullSecrets", "Other secrets than the site's cannot be named."
    field = f"{_CONTAINER}.securityContext"
    yield from _rights(field, container.security_context or {}, own["securityContext"])
    field = f"{_POD}.securityContext"
    yield from _rights(field, asked.security_context or {}, offered["securityContext"])
    yield from _sized(container.resources, may)
    yield from _variables(container)
    yield from _stored(job, offered["volumes"], own["volumeMounts"])


def _rights(field: str, asked: Mapping[str, Any], offered: Mapping[str, Any]) -> Found:
    for name in sorted(asked.keys() | offered.keys()):
        if asked.get(name) != offered.get(name):
            text = "A job has the rights of its session and no others."
            yield f"{field}.{_short(name)}", text


def _sized(asked: Resources, may: Allowance) -> Found:
    field, most = f"{_CONTAINER}.resources", asked.limits
    if asked.requests != asked.limits:
        yield f"{field}.requests", "A job asks for what it may use, and for as much."
    for name in ("cpu", "memory"):
        if name not in most:
            yield f"{field}.limits.{name}", "A job says how much it needs of it."
    if int(most.get("cpu", 0)) > may.cpu:
        yield f"{field}.limits.cpu", f"Your profile offers {may.cpu:g} CPUs at most."
    if int(most.get("memory", 0)) > may.memory:
        text = f"Your profile offers {may.memory / 2**30:g} GiB of memory at most."
        yield f"{field}.limits.memory", text
    devices = most.keys() - {"cpu", "memory"}
    for name in sorted(devices - may.pools.keys()):
        yield f"{field}.limits.{_short(name)}", "Your profile does not offer this resource."
    if sum(int(most[name]) for name in devices) > may.accelerators:
        text = f"A pod may ask for so many accelerators at most: {may.accelerators}."
        yield f"{field}.limits", text


def _variables(container: Container) -> Found:
    for at, one in enumerate(container.env):
        field = f"{_CONTAINER}.env.{at}"
        if one.name.upper().startswith(DEVICES):
            yield (
                field,
                f"{one.name} is not yours to set: the cluster says which devices a job sees.",
            )
        if (one.value is None) == (one.value_from is None):
            yield field, f"{one.name} has a value, or is told of the pod: one of both."


def _stored(job: Job, volumes: Sequence[Any], mounts: Sequence[Any]) -> Found:
    spec, name = job.spec.template.spec, job.metadata.name
    own_volumes: list[Any] = [
        {"name": FOLDER_VOLUME, "emptyDir": {}},
        {"name": ACCESS_VOLUME, "secret": {"secretName": name}},
    ]
    own_mounts: list[Any] = [
        {"name": FOLDER_VOLUME, "mountPath": FOLDER},
        {"name": ACCESS_VOLUME, "mountPath": ACCESS, "readOnly": True},
    ]
    for at, one in enumerate(spec.volumes):
        if one not in volumes and one not in own_volumes:
            yield f"{_POD}.volumes.{at}", _not_a_volume(one)
    for at, one in enumerate(spec.containers[0].volume_mounts):
        if one not in mounts and one not in own_mounts:
            text = "This session has no such mount: place, folder and mode are the offer's."
            yield f"{_CONTAINER}.volumeMounts.{at}", text


def _not_a_volume(one: Mapping[str, Any]) -> str:
    if "hostPath" in one:
        return "No folder of a node is mounted but what the offer mounts into your session."
    if "secret" in one or "projected" in one:
        return "A job mounts its own Secret and no other, and no token of an account."
    return "Your profile does not offer this volume."


def _short(text: str) -> str:
    return ascii(text)[1:-1][:100]
