"""A real API server and a real scheduler for pods of sessions: no queue, no kubelet."""

from __future__ import annotations

from typing import Any

from tests.parts import took_part
from tests.systems.daemons import free_ports, started
from tests.systems.kubernetes import building
from tests.systems.kubernetes.api import Api
from tests.systems.kubernetes.control import Kubernetes

STANDARD = "pod-security.kubernetes.io/enforce"
NAMESPACES = ("privileged", "baseline", "restricted")
"""One namespace for each of Kubernetes' own Pod Security Standards, which it enforces there."""


class Cluster(Kubernetes):
    """Accepts pods and places them on nodes; nothing of them ever runs."""

    def start(self) -> None:
        """Bring it up. Raises :class:`Missing`."""
        self._programs = building.programs()
        etcd, peer, self.port = free_ports(3)
        self._write_files()
        self._start_store(etcd, peer)
        self._start_server(etcd)
        self.api = Api(self.port, str(self._certificate), self._tokens["admin"])
        self.until_answers()
        self._start_manager("kube-scheduler")
        for name in NAMESPACES:
            about = {"name": name, "labels": {STANDARD: name}}
            self.api.apply("/api/v1/namespaces", {"metadata": about})
            place = f"/api/v1/namespaces/{name}/serviceaccounts"
            self.api.apply(place, {"metadata": {"name": "default"}})
        version = building.version(building.KUBERNETES)
        took_part("Kubernetes for sessions", f"{version}, API server and scheduler, no kubelet")

    def accept(self, pod: dict[str, Any], namespace: str, dry: bool = True) -> Any:
        """Give it a pod. Raises :class:`Said` with its reason."""
        asked = "?dryRun=All&fieldValidation=Strict" if dry else "?fieldValidation=Strict"
        return self.api.post(f"/api/v1/namespaces/{namespace}/pods{asked}", pod)

    def add_node(self, name: str, labels: dict[str, str], **resources: str) -> None:
        """A node that is ready, has these labels and, beside CPUs and memory, these resources."""
        place = f"/api/v1/nodes/{name}"
        self.api.post("/api/v1/nodes", {"metadata": {"name": name, "labels": labels}})
        room = {"cpu": "32", "memory": "256Gi", "pods": "50", **resources}
        ready = {"type": "Ready", "status": "True"}
        status = {"capacity": room, "allocatable": room, "conditions": [ready]}
        self.api.merge(f"{place}/status", {"status": status})
        self.api.merge(place, {"spec": {"taints": None}})  # a new node is tainted as not ready

    def node_of(self, pod: str, namespace: str) -> str | None:
        """Where the scheduler put it."""
        found: str | None = self._pod(pod, namespace)["spec"].get("nodeName")
        return found

    def is_refused(self, pod: str, namespace: str) -> bool:
        """Whether the scheduler has looked and found no node for it."""
        told = self._pod(pod, namespace)["status"].get("conditions", ())
        return any(one["type"] == "PodScheduled" and one["status"] == "False" for one in told)

    def _pod(self, pod: str, namespace: str) -> Any:
        return self.api.get(f"/api/v1/namespaces/{namespace}/pods/{pod}")


def start() -> Cluster:
    """A running one. Raises :class:`Missing` with the reason, which is also noted."""
    return started(Cluster(), "Kubernetes for sessions")
