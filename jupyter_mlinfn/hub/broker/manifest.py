"""The Job and the Secret that our back-end writes, field by field; nothing else can be read.

What is passed on to Kubernetes is what was read here, so a field that nobody looked at never
arrives there. Names are those of Kubernetes' API.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints
from pydantic.alias_generators import to_camel

from jupyter_mlinfn.model.kubernetes import AT_ONCE, GRACE, KEPT_FOR, LATEST
from jupyter_mlinfn.model.sweeps import MAX_POINTS

LONGEST: Final = 30 * 86400 + LATEST
"""Seconds of a deadline at most."""

NAME: Final = r"^mlinfn-[a-z2-7]{10}(-a?[0-9]{1,6})?$"
JobName = Annotated[str, StringConstraints(pattern=NAME)]
Deadline = Annotated[int, Field(ge=1, le=LONGEST)]
Labels = dict[
    Annotated[str, StringConstraints(max_length=200)],
    Annotated[str, StringConstraints(max_length=200)],
]
Whole = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}$")]
"""CPUs, bytes and devices as our back-end writes them: digits, no unit."""

Object = dict[str, JsonValue]


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, alias_generator=to_camel, populate_by_name=False
    )

    def written(self) -> dict[str, Any]:
        """As Kubernetes is told it."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class FieldRef(_Strict):
    """What the pod is told of itself."""

    field_path: Literal["metadata.name", "spec.nodeName"]


class ValueFrom(_Strict):
    """No secret and no configuration of the cluster can be named here."""

    field_ref: FieldRef


class Variable(_Strict):
    """One variable: a text, or the name of the pod or of its node."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,199}$")]
    value: Annotated[str, StringConstraints(max_length=65536)] | None = None
    value_from: ValueFrom | None = None


class Resources(_Strict):
    """What is asked for."""

    requests: dict[str, Whole]
    limits: dict[str, Whole]


class Container(_Strict):
    """The one container of a job."""

    name: Literal["job"]
    image: str
    image_pull_policy: str | None = None
    command: Annotated[tuple[str, ...], Field(min_length=1, max_length=64)]
    args: Annotated[tuple[str, ...], Field(max_length=0)] = ()
    working_dir: Literal["/"]
    env: Annotated[tuple[Variable, ...], Field(max_length=500)]
    env_from: Annotated[tuple[Object, ...], Field(max_length=0)] = ()
    resources: Resources
    volume_mounts: Annotated[tuple[Object, ...], Field(max_length=200)] = ()
    security_context: Object | None = None


class PodSpec(_Strict):
    """What its pod is made of."""

    containers: Annotated[tuple[Container, ...], Field(min_length=1, max_length=1)]
    volumes: Annotated[tuple[Object, ...], Field(max_length=200)] = ()
    security_context: Object | None = None
    image_pull_secrets: tuple[Object, ...] = ()
    restart_policy: Literal["Never"]
    termination_grace_period_seconds: Annotated[int, Field(ge=0, le=GRACE)]
    enable_service_links: Literal[False]
    automount_service_account_token: Literal[False]
    active_deadline_seconds: Deadline | None = None


class PodMetadata(_Strict):
    """Its labels; annotations mean something to machines that we know nothing of."""

    labels: Labels
    annotations: Annotated[dict[str, str], Field(max_length=0)] = {}


class PodTemplate(_Strict):
    """The pod of a Job."""

    metadata: PodMetadata
    spec: PodSpec


class Pattern(_Strict):
    """A pod that was taken away for something else."""

    type: Literal["DisruptionTarget"]
    status: Literal["True"]


class Rule(_Strict):
    """Such a pod does not count as failed."""

    action: Literal["Ignore"]
    on_pod_conditions: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=1)]


class FailurePolicy(_Strict):
    """What becomes of pods that fail."""

    rules: Annotated[tuple[Rule, ...], Field(min_length=1, max_length=1)]


class JobSpecification(_Strict):
    """One pod, or one for each point of a sweep."""

    completions: Annotated[int, Field(ge=1, le=MAX_POINTS)]
    parallelism: Annotated[int, Field(ge=1, le=AT_ONCE)]
    completion_mode: Literal["NonIndexed", "Indexed"]
    backoff_limit: Literal[0] | None = None
    backoff_limit_per_index: Literal[0] | None = None
    max_failed_indexes: Annotated[int, Field(ge=0, le=MAX_POINTS)] | None = None
    pod_replacement_policy: Literal["Failed"]
    pod_failure_policy: FailurePolicy | None = None
    active_deadline_seconds: Deadline | None = None
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=KEPT_FOR)]
    suspend: bool
    template: PodTemplate


class Metadata(_Strict):
    """Its name, labels and annotations."""

    name: JobName
    labels: Labels
    annotations: Labels


class Job(_Strict):
    """A Job of ours."""

    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    metadata: Metadata
    spec: JobSpecification


class OwnerReference(_Strict):
    """The Job with which a Secret goes."""

    api_version: Literal["batch/v1"]
    kind: Literal["Job"]
    name: JobName
    uid: Annotated[str, StringConstraints(pattern=r"^[0-9a-f-]{1,64}$")]


class SecretMetadata(_Strict):
    """Its name, that of its Job; its labels; its owner."""

    name: JobName
    labels: Labels
    owner_references: Annotated[tuple[OwnerReference, ...], Field(max_length=1)] = ()


class Secret(_Strict):
    """The addresses of a staged job, and its declared secrets."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: SecretMetadata
    string_data: dict[Literal["access.json", "secrets.json"], str]


class DeleteOptions(_Strict):
    """With its pods, each of which has its grace."""

    api_version: Literal["v1"]
    kind: Literal["DeleteOptions"]
    propagation_policy: Literal["Background"]
