"""Pods that may run on interLink's virtual nodes: machines elsewhere, which see no folder of here.

Such a node takes a pod with its image, and of volumes only what can be sent along. Pure.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from jupyter_mlinfn.jobs.backends.kubernetes.template import Template
from jupyter_mlinfn.jobs.backends.protocol import OffloadSettings

_SENT_ALONG: Final = frozenset({"name", "configMap", "emptyDir", "projected", "secret"})
"""The volumes that interLink carries to the other side."""


def admitted(template: Template, offload: OffloadSettings) -> Template:
    """The same pod, allowed onto virtual nodes, less the volumes that cannot be there.

    A volume stays where the site says that its folder is seen on the other side too.
    """
    pod = copy.deepcopy(dict(template["spec"]))
    tolerated = {"key": offload.taint, "operator": "Exists"}
    pod["tolerations"] = [*(pod.get("tolerations") or ()), tolerated]
    if offload.node_selector:
        pod["nodeSelector"] = {**(pod.get("nodeSelector") or {}), **offload.node_selector}
    if offload.affinity:
        pod["affinity"] = dict(offload.affinity)
    _leave_behind(pod, offload.folders)
    about = dict(template["metadata"])
    about["annotations"] = {**(about.get("annotations") or {}), **offload.annotations}
    return {"metadata": about, "spec": pod}


def volumes(template: Template) -> tuple[str, ...]:
    """The folders of the job's container that do not come from its image."""
    first = template["spec"]["containers"][0]
    return tuple(mount["mountPath"] for mount in first.get("volumeMounts") or ())


def _leave_behind(pod: dict[str, Any], folders: Sequence[str]) -> None:
    """Take out what cannot be sent along, and every mount of it."""
    sent = {one["name"] for one in pod.get("volumes") or () if one.keys() <= _SENT_ALONG}
    used: set[str] = set()
    for container in pod["containers"]:
        mounts = container.get("volumeMounts") or ()
        kept = [one for one in mounts if one["name"] in sent or _is_seen(one, folders)]
        used |= {one["name"] for one in kept}
        container["volumeMounts"] = kept
    pod["volumes"] = [one for one in pod.get("volumes") or () if one["name"] in used]


def _is_seen(mount: Mapping[str, Any], folders: Sequence[str]) -> bool:
    place = os.path.normpath(mount["mountPath"])
    return any(
        os.path.commonpath((place, folder)) == folder for folder in map(os.path.normpath, folders)
    )
