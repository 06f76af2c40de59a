"""What Kubernetes is told: the document that was checked, and what only the broker says. Pure."""

from __future__ import annotations

from typing import Any, Final

from jupyter_mlinfn.hub.broker.allowance import Allowance
from jupyter_mlinfn.hub.broker.manifest import Job, Secret
from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.model.kubernetes import ACCESS_VOLUME
from jupyter_mlinfn.profiles.spawners.session import NO_DEVICE

PERSON: Final = "jupyter-mlinfn/person"
"""The label by which people who administer the cluster find somebody's Jobs."""


def stored_name(name: str, who: Person) -> str:
    """What a Secret is called in the cluster: nobody else's can have this name, so whose it is
    need not be read."""
    return f"{name}-{who.owner}"


def job_of(job: Job, may: Allowance) -> dict[str, Any]:
    """The Job for the namespace of its owner. It has been checked."""
    made = job.written()
    made["metadata"]["namespace"] = may.person.namespace
    made["metadata"]["labels"][PERSON] = may.person.slug
    pod: dict[str, Any] = made["spec"]["template"]["spec"]
    for volume in pod["volumes"]:
        if volume["name"] == ACCESS_VOLUME and "secret" in volume:
            volume["secret"] = {"secretName": stored_name(job.metadata.name, may.person)}
    limits = job.spec.template.spec.containers[0].resources.limits
    devices = [name for name in sorted(limits) if name in may.pools and int(limits[name])]
    if not devices:
        # the runtime shows all devices to an image that says nothing, or says so itself
        pod["containers"][0]["env"].append({"name": "NVIDIA_VISIBLE_DEVICES", "value": NO_DEVICE})
    place = may.placement(devices)
    if place.selector:
        pod["nodeSelector"] = dict(place.selector)
    if place.terms:
        required = {"nodeSelectorTerms": list(place.terms)}
        needed = {"requiredDuringSchedulingIgnoredDuringExecution": required}
        pod["affinity"] = {"nodeAffinity": needed}
    if place.tolerations:
        pod["tolerations"] = list(place.tolerations)
    return made


def secret_of(secret: Secret, who: Person) -> dict[str, Any]:
    """The Secret for the namespace of its owner. It has been checked."""
    made = secret.written()
    made["metadata"] |= {"namespace": who.namespace, "name": stored_name(secret.metadata.name, who)}
    return {**made, "type": "Opaque"}
