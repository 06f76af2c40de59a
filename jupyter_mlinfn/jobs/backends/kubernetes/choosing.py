"""The way to Kubernetes that the settings name: its own API, or INFN's vkd."""

from __future__ import annotations

from jupyter_mlinfn.jobs.backends.protocol import Backend, BackendContext


def build(context: BackendContext) -> Backend:
    """The back-end ``kubernetes``. Each way loads what it needs and nothing of the other."""
    if context.kubernetes.vkd is not None:
        from jupyter_mlinfn.jobs.backends.kubernetes.vkd.backend import VkdBackend

        return VkdBackend(context)
    from jupyter_mlinfn.jobs.backends.kubernetes.backend import KubernetesBackend

    return KubernetesBackend(context)
