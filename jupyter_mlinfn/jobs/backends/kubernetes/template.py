"""What the pods of jobs look like beside their command: an admin's file, or this session's own pod.

In a hub's pod the job gets the image, the mounts and the environment of the session that submits
it, less every secret and everything that belongs to the hub.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.process.redaction import redact

Template = Mapping[str, Any]
"""A pod: ``metadata`` (labels and annotations) and ``spec`` with the job's container first."""

_SECRET: Final = re.compile(
    r"token|secret|passw|passphrase|credential|cookie|jwt|oauth|private|keys?($|_)"
    r"|(^|_)auth($|_)|authori[sz]ation|bearer|signature|proxy_url|webhook|(^|_)dsn($|_)",
    re.IGNORECASE,
)
_HUB: Final = re.compile(r"(JUPYTERHUB|JPY|KUBERNETES|CONFIGPROXY)_.*|(MEM|CPU)_(LIMIT|GUARANTEE)")
_OF_POD: Final = (
    "imagePullSecrets", "securityContext", "tolerations", "runtimeClassName", "hostAliases",
    "dnsPolicy", "dnsConfig",
)  # fmt: skip
_OF_CONTAINER: Final = ("image", "imagePullPolicy", "securityContext")
_ACCOUNTS: Final = "/var/run/secrets/"
_SECRET_STORE: Final = "secrets-store.csi.k8s.io"  # noqa: S105 - the name of a driver
_OF_SESSION: Final = ("HOME", "USER", "LOGNAME", "PATH", "LANG", "LC_ALL", "TZ", "SHELL")


@dataclass(frozen=True)
class Session:
    """What a session's program knows of itself and its pod does not tell: images may begin as
    root, give the person a name and a home, and go on as her. ``user`` and ``group`` ``None``:
    as the pod says."""

    user: int | None
    group: int | None
    environ: Mapping[str, str] = field(default_factory=dict)


def this_session(*, told_by_hub: bool = False) -> Session:
    """The session of this process. ``told_by_hub``: the hub's word is whom it runs as."""
    told = {name: os.environ[name] for name in _OF_SESSION if name in os.environ}
    if told_by_hub:
        return Session(None, None, told)
    return Session(os.getuid(), os.getgid(), told)


def read(path: Path) -> Template:
    """The template in a file: a Pod, or its ``spec`` alone. Raises :class:`Unavailable`."""
    from yaml import YAMLError, safe_load

    try:
        found = safe_load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        raise _bad(path, str(error).splitlines()[0]) from error
    if isinstance(found, dict) and "containers" in found:
        found = {"spec": found}
    spec = found.get("spec") if isinstance(found, dict) else None
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], dict):
        raise _bad(path, "it names no container")
    if not isinstance(containers[0].get("image"), str):
        raise _bad(path, "its container names no image")
    about = found.get("metadata")
    return {"metadata": about if isinstance(about, dict) else {}, "spec": spec}


def derived(pod: Mapping[str, Any], session: Session) -> Template:
    """The template that a session's own pod makes. Raises :class:`Unavailable`."""
    spec = pod.get("spec") or {}
    containers = spec.get("containers") or []
    own = next((one for one in containers if one.get("name") == "notebook"), None)
    own = own or next(iter(containers), None)
    if not own or "image" not in own:
        text = "The pod of this session does not tell its image."
        raise Unavailable(text, code="kubernetes-template")
    volumes = {
        volume["name"]: volume for volume in spec.get("volumes") or () if _may_be_shared(volume)
    }
    mounts = [
        mount
        for mount in own.get("volumeMounts") or ()
        if mount["name"] in volumes and not mount["mountPath"].startswith(_ACCOUNTS)
    ]
    used = {mount["name"] for mount in mounts}
    container = {
        "name": "job",
        **{key: own[key] for key in _OF_CONTAINER if key in own},
        "env": _environment(own.get("env") or (), session),
        "envFrom": [item for item in own.get("envFrom") or () if "configMapRef" in item],
        "volumeMounts": mounts,
    }
    # the image's own start may have been root's: results are to be the person's
    runs_as = {"runAsUser": session.user, "runAsGroup": session.group}
    container["securityContext"] = {
        **(container.get("securityContext") or {}),
        **{name: number for name, number in runs_as.items() if number is not None},
    }
    made = {key: spec[key] for key in _OF_POD if key in spec}
    made |= {"containers": [container], "volumes": [volumes[name] for name in sorted(used)]}
    return {"metadata": {}, "spec": copy.deepcopy(made)}


def _environment(given: Sequence[Mapping[str, Any]], session: Session) -> list[dict[str, Any]]:
    """What only the session knows, then what the pod says, less its secrets. Home is where the
    session has it."""
    kept = [dict(item) for item in given if not _is_secret(item)]
    known = {item.get("name") for item in kept} - {"HOME"}
    own = {name: value for name, value in session.environ.items() if name not in known}
    told = [item for item in kept if item.get("name") not in own]
    # Kubernetes replaces $(NAME) by what was named before
    return [*({"name": name, "value": value} for name, value in own.items()), *told]


def _may_be_shared(volume: Mapping[str, Any]) -> bool:
    """Folders and configuration, no secrets and no accounts."""
    sources = (volume.get("projected") or {}).get("sources") or ()
    secret = any("secret" in one or "serviceAccountToken" in one for one in sources)
    stored = (volume.get("csi") or {}).get("driver") == _SECRET_STORE
    return not (secret or stored or "secret" in volume)


def _is_secret(item: Mapping[str, Any]) -> bool:
    name, value = str(item.get("name", "")), item.get("value")
    if _SECRET.search(name) or _HUB.fullmatch(name):
        return True
    if value is None:
        return "secretKeyRef" in (item.get("valueFrom") or {"secretKeyRef": None})
    return redact(str(value)) != str(value)


def _bad(path: Path, why: str) -> Unavailable:
    text = f"The file with the pods of jobs, {path}, cannot be used: {why}."
    return Unavailable(text, code="kubernetes-template")
