"""The kernels of this server: every ``kernel.json`` on Jupyter's path.

``KernelSpecManager.find_kernel_specs`` finds the folders; the files are read here one by one,
because ``get_all_specs`` makes the kernel provisioner factory (a singleton) before the server
has configured it, and drops broken kernels that a person should be told about.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.environments import KernelCommand

_NATIVE = "python3"
_NOTED = ("environment", "lock", "image", "image_digest", "base", "base_digest")


class SpecFinder(Protocol):
    """The one method used of jupyter_client's ``KernelSpecManager`` (or a site's own)."""

    def find_kernel_specs(self) -> dict[str, str]:
        """Kernel names to resource folders."""
        ...


@dataclass(frozen=True)
class FoundKernel:
    """One kernel folder: its command, or the reason why it cannot be used.

    ``environment`` and ``lock`` are noted in kernels of own environments (``own/kernels.py``),
    ``image`` and ``image_digest`` in those that run out of one file, ``base`` and ``base_digest``
    where that is a layer over another one.
    """

    name: str
    command: KernelCommand | None
    problem: str | None = None
    environment: str | None = None
    lock: str | None = None
    image: str | None = None
    image_digest: str | None = None
    base: str | None = None
    base_digest: str | None = None


def find_kernels(finder: SpecFinder | None = None) -> dict[str, FoundKernel]:
    """All kernels by name, sorted; broken ones with their problem in words."""
    found = (finder or default_finder()).find_kernel_specs()
    return {name: read_kernel(name, Path(found[name])) for name in sorted(found)}


def default_finder() -> SpecFinder:
    """Jupyter's own finder with its usual folders.

    The folders are given, because finding out the last of them imports IPython (0.2 s).
    """
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_core.paths import jupyter_path

    ipython = os.environ.get("IPYTHONDIR") or str(Path.home() / ".ipython")
    finder: SpecFinder = KernelSpecManager(
        kernel_dirs=[*jupyter_path("kernels"), str(Path(ipython) / "kernels")]
    )
    return finder


def read_kernel(name: str, folder: Path) -> FoundKernel:
    """One ``kernel.json`` as a command."""
    try:
        content = _content(name, folder)
        command = KernelCommand(
            name=name,
            display_name=content.get("display_name") or name,
            language=str(content.get("language") or "").lower(),
            argv=content.get("argv") or (),
            env=content.get("env") or {},
            resource_dir=str(folder),
            interrupt_mode=content.get("interrupt_mode") or "signal",
        )
    except (OSError, ValueError, TypeError) as error:
        return FoundKernel(name, None, f"{folder}/kernel.json cannot be used: {_short(error)}")
    return FoundKernel(name, command, None, **_noted(content))


def _noted(content: dict[str, Any]) -> dict[str, str]:
    """What we noted in the kernel of an own environment; nothing in all others."""
    metadata = content.get("metadata")
    about = metadata.get("mlinfn") if isinstance(metadata, dict) else None
    if not isinstance(about, dict):
        return {}
    return {name: about[name] for name in _NOTED if isinstance(about.get(name), str)}


def _content(name: str, folder: Path) -> dict[str, Any]:
    file = folder / "kernel.json"
    if name == _NATIVE and not file.exists():
        from ipykernel.kernelspec import get_kernel_dict

        native: dict[str, Any] = get_kernel_dict()
        return native
    content = json.loads(read_text_head(file))
    if not isinstance(content, dict):
        raise TypeError("it is not a JSON object")
    return content


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    return str(error)
