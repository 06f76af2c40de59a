"""The settings of jobs on Kubernetes; they are written ``c.Mlinfn.…`` as all others."""

from __future__ import annotations

import os

from traitlets import Bool, Dict, Enum, Float, Int, List, Unicode, default
from traitlets.config import Configurable


class KubernetesTraits(Configurable):
    """A part of :class:`~jupyter_mlinfn.settings.Mlinfn`."""

    kubernetes_config = Unicode(
        "",
        help="The kubeconfig for jobs on Kubernetes; empty: as kubectl finds it (KUBECONFIG, "
        "~/.kube/config), else the account of this pod.",
    ).tag(config=True)

    kubernetes_broker = Unicode(
        help="The address of the hub's broker, which makes this session's jobs on Kubernetes; "
        "empty: the cluster itself is asked. Default: the variable MLINFN_KUBERNETES_BROKER, "
        "which the hub sets.",
    ).tag(config=True)

    @default("kubernetes_broker")
    def _broker_of_the_hub(self) -> str:
        return os.environ.get("MLINFN_KUBERNETES_BROKER", "")

    kubernetes_namespace = Unicode(
        "", help="The namespace of jobs on Kubernetes; empty: that of the kubeconfig or this pod."
    ).tag(config=True)

    kubernetes_template = Unicode(
        "",
        help="A YAML file with the pod that jobs on Kubernetes run in: image, mounts and what else "
        "they need; empty: they are made like this session's own pod.",
    ).tag(config=True)

    kubernetes_options = Dict(
        key_trait=Enum(
            ["queue", "evictable_queue", "priority", "evictable_priority", "gpu_resource"]
        ),
        value_trait=Unicode(),
        help="What jobs on Kubernetes get that name none: 'queue' and 'evictable_queue' (Kueue's "
        "LocalQueue), 'priority' and 'evictable_priority' (Kueue's WorkloadPriorityClass), "
        "'gpu_resource' (default nvidia.com/gpu).",
    ).tag(config=True)

    kubernetes_offload = Dict(
        key_trait=Enum(["taint", "node_selector", "affinity", "annotations", "folders"]),
        per_key_traits={
            "taint": Unicode(),
            "node_selector": Dict(key_trait=Unicode(), value_trait=Unicode()),
            "affinity": Dict(),
            "annotations": Dict(key_trait=Unicode(), value_trait=Unicode()),
            "folders": List(Unicode()),
        },
        help="Lets people send jobs to virtual nodes (interLink): 'taint' (key of the taint that "
        "is tolerated, default virtual-node.interlink/no-schedule), 'node_selector' and 'affinity' "
        "(narrow where they go), 'annotations' (for the node's own program), 'folders' (seen there "
        "as they are here). Empty: no job goes there.",
    ).tag(config=True)

    kubernetes_staging = Dict(
        key_trait=Enum(["bucket", "endpoint", "prefix", "region", "profile", "python", "jobs"]),
        value_trait=Unicode(),
        help="The S3 bucket through which jobs travel to pods that see none of your folders: "
        "'bucket', 'endpoint' (empty: AWS), 'prefix', 'region', 'profile' (of ~/.aws/credentials; "
        "else the variables AWS_*), 'python' (with this package, in the image), 'jobs' "
        "('offloaded', or 'all'). Empty: pods see the folder of jobs.",
    ).tag(config=True)

    kubernetes_vkd = Dict(
        per_key_traits={
            "url": Unicode(),
            "plain_http": Bool(),
            "token_file": Unicode(),
            "priority": Unicode(),
            "evictable_priority": Unicode(),
            "original_pod": Unicode(),
            "container": Unicode(),
            "cvmfs": Enum(["none", "pvc-csi"]),
            "juicefs": Enum(["none", "pvc-csi", "sidecar"]),
            "offload_node": Unicode(),
            "points": Int(min=1, max=1000),
        },
        key_trait=Enum(
            ["url", "plain_http", "token_file", "priority", "evictable_priority", "original_pod",
             "container", "cvmfs", "juicefs", "offload_node", "points"]
        ),
        help="Has INFN's vkd make the jobs on Kubernetes: 'url' (of its API; empty: VKD_API_URL, "
        "else http://localhost:8000/api/v1), 'plain_http' (http also to other machines), "
        "'token_file' (sent as Authorization), 'priority' and 'evictable_priority' (lowest, lower, "
        "higher, highest), 'original_pod', 'container' (whose log is read), 'cvmfs', 'juicefs', "
        "'offload_node', 'points' (of a sweep in one vkd job). Empty: Kubernetes itself is asked.",
    ).tag(config=True)  # fmt: skip

    kubernetes_poll_seconds = Float(
        2.0, min=0.5, help="Kubernetes is asked about its jobs at most every so many seconds."
    ).tag(config=True)
