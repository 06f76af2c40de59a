"""What one session may ask the cluster for: its plan, made anew, and the pod that it means. Pure.

The same function says how a job's pod is to look and what it is held against, so there is nothing
of images, volumes and rights that a session could say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Identity, Plan, Pool
from jupyter_mlinfn.profiles.choice import choose, find_profile
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.offer import ProfileOffer, make_offer
from jupyter_mlinfn.profiles.planning import make_plan
from jupyter_mlinfn.profiles.spawners import kube, session
from jupyter_mlinfn.profiles.spawners.literal import without_references
from jupyter_mlinfn.profiles.spawners.sites import KubeSite

BACKEND: Final = "kubernetes"
_DEVICES: Final = "NVIDIA_"


@dataclass(frozen=True)
class Placement:
    """Where pods with some accelerators go: node selector, required terms, tolerations."""

    selector: Mapping[str, str]
    terms: Sequence[Mapping[str, Any]]
    tolerations: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Allowance:
    """``cpu`` and ``memory`` (bytes) are the most of the profile, ``accelerators`` so many devices
    of the resources in ``pools``; ``pod`` is what a job's pod is made like."""

    person: Person
    plan: Plan
    site: KubeSite
    pod: Mapping[str, Any]
    cpu: float
    memory: int
    accelerators: int
    pools: Mapping[str, Sequence[Pool]]
    queues: frozenset[str]
    priorities: frozenset[str]

    def placement(self, resources: Sequence[str]) -> Placement:
        """Where pods go that ask for these accelerators; any node of the site for none."""
        pools: list[Pool | None] = [pool for name in resources for pool in self.pools[name]]
        pools = pools or [None]
        found = [
            kube.traits(self.plan.model_copy(update={"pool": pool}), self.site) for pool in pools
        ]
        terms = [term for one in found for term in one["node_affinity_required"]]
        tolerations: list[Mapping[str, Any]] = []
        for one in found:
            tolerations += [each for each in one["tolerations"] if each not in tolerations]
        return Placement(found[0]["node_selector"], terms, tolerations)


def allowance(
    book: Book,
    who: Person,
    groups: frozenset[str],
    options: Mapping[str, object],
    site: KubeSite,
    *,
    accelerators: int,
    priorities: Sequence[str],
) -> Allowance:
    """What the session that was started with ``options`` may ask for at this moment.

    Raises:
        Refused: the profile, or something of it, is not for her any more, or no jobs on Kubernetes
            are (``not-offered``).
        InputError: the file has nothing of that name any more.
    """
    identity = Identity(name=who.user, slug=who.slug, groups=groups)
    offer = make_offer(book, identity)
    plan = make_plan(book, offer, choose(offer, options), identity)
    if BACKEND not in plan.backends:
        text = f"The profile '{plan.title}' of this session offers no jobs on Kubernetes."
        raise Refused(text, code="not-offered", field="backend")
    site = site.model_copy(update={"roots": (*site.roots, *book.ceiling.roots)})
    offered = find_profile(offer, plan.profile)
    return Allowance(
        person=who,
        plan=plan,
        site=site,
        pod=pod_of(plan, site),
        cpu=max(offered.cpu),
        memory=max(size.amount for size in offered.memory),
        accelerators=accelerators,
        pools=_pools(offered, site),
        queues=frozenset(plan.queues),
        priorities=frozenset(priorities),
    )


def _pools(offered: ProfileOffer, site: KubeSite) -> dict[str, list[Pool]]:
    """The accelerators of a profile by the name of their resource."""
    found: dict[str, list[Pool]] = {}
    for one in offered.accelerators:
        if one.pool is not None:
            found.setdefault(kube.resource(one.pool, site), []).append(one.pool)
    return found


def pod_of(plan: Plan, site: KubeSite) -> dict[str, Any]:
    """The pod of a plan as far as a job's is made like it. Raises :class:`Refused`."""
    told = kube.traits(plan, site)
    volumes, mounts = kube.storage(plan, site)
    environment = session.environment(plan, site, None if plan.pool else ())
    container = {
        "name": "notebook",
        "image": told["image"],
        "imagePullPolicy": told["image_pull_policy"],
        "env": [
            {"name": name, "value": without_references(text)}
            for name, text in environment.items()
            if not name.startswith(_DEVICES)
        ],
        "volumeMounts": mounts,
        "securityContext": {
            "runAsUser": told["uid"],
            "runAsGroup": told["gid"],
            "privileged": told["privileged"],
            "allowPrivilegeEscalation": told["allow_privilege_escalation"],
            **told["container_security_context"],
        },
    }
    of_pod: dict[str, Any] = {}
    if told["fs_gid"] is not None:
        of_pod["fsGroup"] = told["fs_gid"]
    if told["supplemental_gids"]:
        of_pod["supplementalGroups"] = told["supplemental_gids"]
    spec = {
        "containers": [container],
        "volumes": volumes,
        "securityContext": of_pod,
        "imagePullSecrets": [{"name": name} for name in told["image_pull_secrets"]],
    }
    return {"metadata": {}, "spec": spec}
