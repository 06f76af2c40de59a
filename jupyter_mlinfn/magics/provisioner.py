"""Starts kernels as Jupyter does, and gives those of IPython the ``%mlinfn`` magics."""

from __future__ import annotations

from typing import Any

from jupyter_client.provisioning import LocalProvisioner

from jupyter_mlinfn.magics import with_magics


class MlinfnProvisioner(LocalProvisioner):  # type: ignore[misc]
    """jupyter_client's local provisioner with one more word on the line of an IPython kernel.

    Kernels of other languages, and the environment of all kernels, stay as they are: what is
    put into the environment would be inherited by everything a kernel starts.
    """

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        """The launch arguments, with the magics added to ``cmd``."""
        launch: dict[str, Any] = await super().pre_launch(**kwargs)
        command = launch.get("cmd")
        if command:
            launch["cmd"] = with_magics(command, self.kernel_id)
        return launch
