"""Makes our kernel provisioner the server's default, so that its kernels have the magics.

By code: a file in ``jupyter_server_config.d`` only enables extensions, jupyter_server reads no
other setting from there (``ServerApp.find_server_extensions``).
"""

from __future__ import annotations

import os
from typing import Any

PROVISIONER = "mlinfn-provisioner"
"""The entry point in the group ``jupyter_client.kernel_provisioners``."""


def offer_provisioner(server: Any) -> None:
    """Use our provisioner where nobody chose one; a choice, also Jupyter's own, is kept."""
    from jupyter_client.provisioning import KernelProvisionerFactory

    factory = KernelProvisionerFactory.instance(parent=server)
    chosen = (
        "default_provisioner_name" in server.config.get("KernelProvisionerFactory", {})
        or factory.default_provisioner_name_env in os.environ
    )
    if not chosen:
        factory.default_provisioner_name = PROVISIONER
