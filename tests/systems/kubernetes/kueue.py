"""Kueue on the control plane of the tests: its own CRDs, webhooks and controller.

What is left out: webhooks of kinds of work that are not there, and the visibility server, whose
certificates lie in a folder of the machine's root.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import yaml

from tests.systems.kubernetes.api import Api

NAMESPACE = "kueue-system"
_SERVICE = "kueue-webhook-service"
_SECRET = "kueue-webhook-server-cert"
_WEBHOOKS = (
    "/mutate-batch-v1-job", "/validate-batch-v1-job",
    "/mutate-kueue-x-k8s-io-v1beta2-workload", "/validate-kueue-x-k8s-io-v1beta2-workload",
    "/mutate-kueue-x-k8s-io-v1beta2-clusterqueue", "/validate-kueue-x-k8s-io-v1beta2-clusterqueue",
    "/mutate-kueue-x-k8s-io-v1beta2-resourceflavor",
    "/validate-kueue-x-k8s-io-v1beta2-resourceflavor",
    "/validate-kueue-x-k8s-io-v1beta2-cohort",
)  # fmt: skip
_CONVERTED = ("localqueues", "clusterqueues", "cohorts", "workloads", "multikueueclusters")


def configuration(webhook_port: int, certificates: Path) -> str:
    """The controller's configuration file."""
    return yaml.safe_dump(
        {
            "apiVersion": "config.kueue.x-k8s.io/v1beta2",
            "kind": "Configuration",
            "namespace": NAMESPACE,
            "health": {"healthProbeBindAddress": "0"},
            "metrics": {"bindAddress": "0"},
            "webhook": {"host": "127.0.0.1", "port": webhook_port, "certDir": str(certificates)},
            "leaderElection": {"leaderElect": False},
            "clientConnection": {"qps": 300, "burst": 500},
            "internalCertManagement": {
                "enable": True,
                "webhookServiceName": _SERVICE,
                "webhookSecretName": _SECRET,
            },
            "integrations": {"frameworks": ["batch/job"]},
        }
    )


def install(api: Api, manifests: Path, webhook_port: int) -> None:
    """CRDs, the webhooks' service, secret and configurations, as Kueue's installer makes them."""
    api.apply("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
    service = {
        "metadata": {"name": _SERVICE},
        # there is no network of pods: the service is this machine
        "spec": {"type": "ExternalName", "externalName": "localhost"},
    }
    api.apply(f"/api/v1/namespaces/{NAMESPACE}/services", service)
    api.apply(f"/api/v1/namespaces/{NAMESPACE}/secrets", {"metadata": {"name": _SECRET}})
    called = {"name": _SERVICE, "namespace": NAMESPACE, "port": webhook_port}
    for path in sorted((manifests / "crd").glob("kueue.*.yaml")):
        crd = yaml.load(path.read_text(), yaml.CSafeLoader)
        if crd["spec"]["names"]["plural"] in _CONVERTED:
            crd["spec"]["conversion"] = {
                "strategy": "Webhook",
                "webhook": {
                    "conversionReviewVersions": ["v1"],
                    "clientConfig": {"service": {**called, "path": "/convert"}},
                },
            }
        api.apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd)
    text = (manifests / "webhook" / "manifests.yaml").read_text()
    for made in yaml.load_all(text, yaml.CSafeLoader):
        _install_webhooks(api, made, called)


def _install_webhooks(api: Api, made: dict[str, Any], called: dict[str, Any]) -> None:
    made["metadata"]["name"] = f"kueue-{made['metadata']['name']}"
    kept = []
    for webhook in made["webhooks"]:
        path = webhook["clientConfig"]["service"]["path"]
        if path in _WEBHOOKS:
            webhook["clientConfig"]["service"] = {**called, "path": path}
            kept.append(webhook)
    assert kept, "Kueue's webhooks have other paths in this version"
    made["webhooks"] = kept
    api.apply(f"/apis/admissionregistration.k8s.io/v1/{made['kind'].lower()}s", made)


def certificates(api: Api, folder: Path) -> bool:
    """Put what the controller keeps in its secret where a kubelet would; whether it is there."""
    found = api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{_SECRET}").get("data") or {}
    for name, text in found.items():
        (folder / name).write_bytes(base64.b64decode(text))
    return "tls.crt" in found


FLAVOUR = {"metadata": {"name": "any"}}
PRIORITIES = {"interactive": 1000, "evictable": -100}


def make_queues(api: Api, namespace: str, quota: dict[str, str]) -> None:
    """ClusterQueue ``shared`` with ``quota``, LocalQueues ``default`` and ``closed``, priorities.

    Work of higher priority takes the place of work of lower priority.
    """
    kueue = "/apis/kueue.x-k8s.io/v1beta2"
    api.apply(f"{kueue}/resourceflavors", _kind("ResourceFlavor", FLAVOUR))
    for name, value in PRIORITIES.items():
        priority = {"metadata": {"name": name}, "value": value}
        api.apply(f"{kueue}/workloadpriorityclasses", _kind("WorkloadPriorityClass", priority))
    for name, more in (("shared", {}), ("stopped", {"stopPolicy": "Hold"})):
        group = {
            "coveredResources": list(quota),
            "flavors": [
                {
                    "name": "any",
                    "resources": [
                        {"name": key, "nominalQuota": much} for key, much in quota.items()
                    ],
                }
            ],
        }
        spec = {
            "namespaceSelector": {},
            "resourceGroups": [group],
            "preemption": {"withinClusterQueue": "LowerPriority"},
            **more,
        }
        made = {"metadata": {"name": name}, "spec": spec}
        api.apply(f"{kueue}/clusterqueues", _kind("ClusterQueue", made))
    for name, cluster_queue in (("default", "shared"), ("closed", "stopped")):
        made = {"metadata": {"name": name}, "spec": {"clusterQueue": cluster_queue}}
        place = f"{kueue}/namespaces/{namespace}/localqueues"
        api.apply(place, _kind("LocalQueue", made))


def _kind(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, **body}
