"""Kernels of own environments, in the person's kernel folder, where every Jupyter finds them.

``kernel.json`` says under ``metadata.mlinfn`` which environment and lock it belongs to, so that a
notebook's kernel name leads back to exactly that lock.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlinfn.environments.kernels import read_kernel
from jupyter_mlinfn.environments.own.layout import KERNEL_PREFIX, Place
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.model.environments import KernelCommand
from jupyter_mlinfn.model.errors import InputError

_LOGOS = ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg")


def kernel_name(environment: str) -> str:
    """The kernel's name; Jupyter knows kernels by small letters only."""
    return f"{KERNEL_PREFIX}{environment}".lower()


def user_kernels() -> Path:
    """The person's kernel folder (``jupyter_client``'s ``user_kernel_dir``)."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "kernels"


def kernel_command(name: str, prefix: Path, python: str | None) -> KernelCommand:
    """How a notebook is run in ``prefix``.

    Packages of the user's site folder and of ``PYTHONPATH`` stay outside: the kernel has what the
    lock names. Programs of the environment come first on ``PATH`` for ``!pip`` and the like.
    """
    minor = ".".join(python.split(".")[:2]) if python else ""
    return KernelCommand(
        name=kernel_name(name),
        display_name=f"{name} (Python {minor})" if minor else name,
        language="python",
        argv=(
            str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"
        ),
        env={
            "PATH": f"{prefix / 'bin'}{os.pathsep}${{PATH}}",
            "CONDA_PREFIX": str(prefix),
            "PYTHONNOUSERSITE": "1",
            "PYTHONPATH": "",
        },
        resource_dir=str(user_kernels() / kernel_name(name)),
    )  # fmt: skip


def has_ipykernel(prefix: Path) -> bool:
    """Whether a kernel can be started in ``prefix``."""
    return any(prefix.glob("lib/python3.*/site-packages/ipykernel_launcher.py"))


def register(record: EnvironmentRecord, place: Place) -> str:
    """Write the kernel of the environment's present lock; gives the kernel's name.

    Raises :class:`InputError` (``no-ipykernel``) when it has no ipykernel, OSError.
    """
    prefix = place.prefix(record.digest)
    if not has_ipykernel(prefix):
        raise InputError(
            f"'{record.name}' has no ipykernel, which Jupyter needs to run notebooks in it.",
            code="no-ipykernel",
            field="name",
            hint=f"Add it: mlinfn env add {record.name} ipykernel",
        )
    command = kernel_command(record.name, prefix, record.python)
    content: dict[str, Any] = {
        "argv": list(command.argv),
        "display_name": command.display_name,
        "language": command.language,
        "env": command.env,
        "interrupt_mode": command.interrupt_mode,
        "metadata": {
            "debugger": True,
            "mlinfn": {"environment": record.name, "lock": record.digest},
        },
    }
    _replace(Path(command.resource_dir), content, prefix / "share/jupyter/kernels/python3")
    return command.name


def unregister(name: str) -> None:
    """Take the kernel ``name`` of an own environment away. Raises OSError.

    A folder that was not written by us is left alone.
    """
    folder = user_kernels() / name
    if folder.is_dir() and read_kernel(name, folder).environment is not None:
        shutil.rmtree(folder)


def renew(record: EnvironmentRecord, place: Place) -> None:
    """Let the kernel follow the environment after its record was replaced.

    Where the new lock has no ipykernel any more the kernel goes. Raises OSError.
    """
    if record.kernel is None:
        return
    try:
        register(record, place)
    except InputError:
        unregister(record.kernel)


def _replace(folder: Path, content: dict[str, Any], logos: Path) -> None:
    """Put a kernel folder in the place of the present one; Jupyter never sees half of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    draft.mkdir()
    try:
        (draft / "kernel.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        for logo in _LOGOS:
            with suppress(FileNotFoundError):
                shutil.copyfile(logos / logo, draft / logo)
        if folder.exists():
            (draft / "kernel.json").replace(folder / "kernel.json")
        else:
            draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
