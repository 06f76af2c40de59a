"""A document of a session, read strictly: every mistake with its path and a sentence. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.model.errors import InputError, Problem

Document = TypeVar("Document", bound=BaseModel)

MOST: Final = 20
"""So many mistakes are told of one document."""

_NODE: Final = "A job shares no network, no processes and no memory with its node."
_ONE: Final = "A job has one container and no other."
_PLACE: Final = "The offer says on which nodes a job runs, and the broker puts that in."
_RIGHTS: Final = "A job has no rights in the cluster: no service account, no token of one."
_HUB: Final = "The hub says in which namespace jobs are. Leave it out."
_WHY: Final[Mapping[str, str]] = {
    "hostNetwork": _NODE, "hostPID": _NODE, "hostIPC": _NODE, "hostUsers": _NODE,
    "shareProcessNamespace": _NODE, "ports": _NODE, "hostAliases": _NODE, "hostname": _NODE,
    "initContainers": _ONE, "ephemeralContainers": _ONE, "lifecycle": _ONE,
    "nodeName": _PLACE, "nodeSelector": _PLACE, "affinity": _PLACE, "tolerations": _PLACE,
    "schedulerName": _PLACE, "priorityClassName": _PLACE, "runtimeClassName": _PLACE,
    "topologySpreadConstraints": _PLACE,
    "serviceAccountName": _RIGHTS, "serviceAccount": _RIGHTS,
    "namespace": _HUB,
    "ownerReferences": "A job belongs to nothing else in the cluster.",
    "finalizers": "Nothing holds a job back from being removed.",
    "secretKeyRef": "Secrets of the cluster are nobody's variables here. Declare your own secret.",
    "configMapKeyRef": "Configuration of the cluster is not read into variables.",
    "volumeDevices": "A job gets no device of its node but accelerators of the offer.",
    "manualSelector": "Kubernetes itself says which pods are of which Job.",
    "selector": "Kubernetes itself says which pods are of which Job.",
}  # fmt: skip
_UNKNOWN: Final = "No job of ours has this field, so it is not passed on."
_RIGHTS_OF: Final[Mapping[str, str]] = {
    "automountServiceAccountToken": _RIGHTS,
    "containers": _ONE,
    "envFrom": "Secrets and configuration of the cluster are not read into variables.",
    "annotations": "The pod of a job has no annotations.",
    "name": "It is no name of one of our jobs.",
}


class _Twice(ValueError):
    """A key that is there twice: who reads it next may take the other one."""


def read(model: type[Document], body: bytes) -> Document:
    """The document in ``body``. Raises :class:`InputError` with all problems, each with its
    path."""
    try:
        json.loads(body, object_pairs_hook=_once)
    except _Twice as error:
        text = f"The key '{_short(str(error))}' is there twice."
        raise InputError(text, field=_short(str(error))) from None
    except (ValueError, RecursionError):
        raise InputError("This is no JSON document.", field="body") from None
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        problems = [_problem(one) for one in error.errors(include_url=False)[:MOST]]
        text = "The broker does not pass this on. " + _said(problems)
        raise InputError(text, problems=problems) from None


def _said(problems: Sequence[Problem]) -> str:
    return " ".join(f"{one.field}: {one.text}" for one in problems[:3])


def _problem(wrong: Any) -> Problem:
    path = [str(part) for part in wrong["loc"]]
    last = next((part for part in reversed(path) if not part.isdigit()), "")
    if wrong["type"] == "extra_forbidden":
        text = _WHY.get(last, _UNKNOWN)
    else:
        text = _RIGHTS_OF.get(last) or f"{wrong['msg']}."
    return Problem(code="bad-input", field=_short(".".join(path)) or "body", text=text)


def _short(text: str) -> str:
    return ascii(text)[1:-1][:200]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Twice(key)
        found[key] = value
    return found
