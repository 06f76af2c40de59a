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

from jupyter_mlinfn.environments.kernels import read_kernel
from jupyter_mlinfn.environments.own.layout import KERNEL_PREFIX, Place, short
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.own.states import read_papers
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.model.environments import KernelCommand
from jupyter_mlinfn.model.errors import Conflict, InputError

_LOGOS = ("logo-32x32.png", "logo-64x64.png", "logo-svg.svg")


def kernel_name(environment: str) -> str:
    """The kernel's name; Jupyter knows kernels by small letters only."""
    return f"{KERNEL_PREFIX}{environment}".lower()


def image_kernel_name(environment: str) -> str:
    """The name of the kernel that runs out of one file."""
    return f"{kernel_name(environment)}-image"


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


def image_command(name: str, image: PackedImage, python: str | None) -> KernelCommand:
    """How a notebook is run out of one file, or of a layer and the image below it.

    Both are compared with their digests first.
    """
    from jupyter_mlinfn.environments.image.launcher import command

    argv = ("python", "-m", "ipykernel_launcher", "-f", "{connection_file}")
    minor = f"Python {'.'.join(python.split('.')[:2])}, " if python else ""
    kernel = image_kernel_name(name)
    below = Path(image.base.path) if image.base else None
    return KernelCommand(
        name=kernel,
        display_name=f"{name} ({minor}{'one file over another' if below else 'one file'})",
        language="python",
        argv=command(Path(image.path), argv, digest=image.digest, over=below),
        env={"PYTHONNOUSERSITE": "1", "PYTHONPATH": ""},
        resource_dir=str(user_kernels() / kernel),
    )


def layer_command(record: EnvironmentRecord, image: PackedImage) -> KernelCommand:
    """How a notebook is run in an environment that is a layer, and has no other kernel."""
    command = image_command(record.name, image, record.python)
    plain = kernel_command(record.name, Path(), record.python)
    named = {name: getattr(plain, name) for name in ("name", "display_name", "resource_dir")}
    return command.model_copy(update=named)


def command_of(record: EnvironmentRecord, place: Place, digest: str) -> KernelCommand | None:
    """How a notebook is run in one state; ``None`` when that is a layer which is gone."""
    if record.base is None:
        return kernel_command(record.name, place.prefix(digest), record.python)
    image = record.image_of(digest)
    return layer_command(record, image) if image and is_there(image) else None


def has_ipykernel(prefix: Path) -> bool:
    """Whether a kernel can be started in ``prefix``."""
    return any(prefix.glob("lib/python3.*/site-packages/ipykernel_launcher.py"))


def runs_notebooks(record: EnvironmentRecord, place: Place) -> bool:
    """Whether a kernel can be started in the present state; of a layer its lock tells.

    Raises :class:`NotFound` and :class:`Unavailable` when that cannot be read.
    """
    if record.base is None:
        return has_ipykernel(place.prefix(record.digest))
    lock = read_papers(place.papers(record.digest), record.name)
    return any(package.name == "ipykernel" for package in lock.of(record.platform))


def register(record: EnvironmentRecord, place: Place) -> str:
    """Write the kernel of the environment's present lock; gives the kernel's name.

    Raises :class:`InputError` (``no-ipykernel``) when it has no ipykernel, :class:`Conflict`
    (``not-packed``) when it is a layer and a file of it is gone, OSError.
    """
    prefix = place.prefix(record.digest)
    if not runs_notebooks(record, place):
        raise InputError(
            f"'{record.name}' has no ipykernel, which Jupyter needs to run notebooks in it.",
            code="no-ipykernel",
            field="name",
            hint=f"Add it: mlinfn env add {record.name} ipykernel",
        )
    command = command_of(record, place, record.digest)
    if command is None:
        raise Conflict(
            f"What '{record.name}' is made of is not there any more: {_missing(record)}.",
            code="not-packed",
            field="name",
            hint=f"Put that file back, or make the layer anew: mlinfn env undo {record.name} --to "
            f"{short(record.digest)}",
        )
    about = {"environment": record.name, "lock": record.digest}
    if record.base is not None and (image := record.image_of(record.digest)):
        about |= _noted(image)
    _replace(command, about, prefix / "share/jupyter/kernels/python3")
    return command.name


def register_image(record: EnvironmentRecord, place: Place) -> str:
    """Write the kernel that runs out of the image of the present lock; gives its name.

    It is the file packed last, and stays with that very one when the environment changes. Raises
    :class:`Conflict` (``not-packed``), and what :func:`register` raises.
    """
    packed = [one for one in record.images if one.lock == record.digest]
    image = next((one for one in reversed(packed) if is_there(one)), None)
    if image is None:
        raise Conflict(
            f"'{record.name}' is not packed in its present state."
            if not packed
            else f"What '{record.name}' is packed in is not there any more: {_lost(packed[-1])}.",
            code="not-packed",
            field="name",
            hint=f"Pack it first: mlinfn env pack {record.name}",
        )
    command = image_command(record.name, image, record.python)
    about = {"environment": record.name, "lock": record.digest}
    about |= _noted(image)
    _replace(command, about, place.prefix(record.digest) / "share/jupyter/kernels/python3")
    return command.name


def _noted(image: PackedImage) -> dict[str, str]:
    """What ``kernel.json`` says of the files that the kernel runs out of."""
    about = {"image": image.path, "image_digest": image.digest}
    if image.base is not None:
        about |= {"base": image.base.path, "base_digest": image.base.digest}
    return about


def _missing(record: EnvironmentRecord) -> str:
    image = record.image_of(record.digest)
    return _lost(image) if image else "its layer"


def is_there(image: PackedImage) -> bool:
    """Whether all files that it runs out of are there; what is in them is not looked at."""
    return not _lost(image)


def _lost(image: PackedImage) -> str:
    """The first of its files that is not there; nothing when all are."""
    paths = (image.path, image.base.path) if image.base else (image.path,)
    return next((path for path in paths if not Path(path).is_file()), "")


def unregister(name: str) -> None:
    """Take the kernel ``name`` of an own environment away. Raises OSError.

    A folder that was not written by us is left alone.
    """
    folder = user_kernels() / name
    if folder.is_dir() and read_kernel(name, folder).environment is not None:
        shutil.rmtree(folder)


def unregister_all(environment: str) -> None:
    """Take away all kernels of an own environment. Raises OSError."""
    for name in (kernel_name(environment), image_kernel_name(environment)):
        unregister(name)


def images_in_use(environment: str) -> tuple[str, ...]:
    """The images that the environment's kernels run out of, and those below."""
    names = (kernel_name(environment), image_kernel_name(environment))
    found = [read_kernel(name, user_kernels() / name) for name in names]
    return tuple(path for one in found for path in (one.image, one.base) if path)


def renew(record: EnvironmentRecord, place: Place) -> None:
    """Let the kernel follow the environment after its record was replaced.

    Where the new lock has no ipykernel any more the kernel goes. Raises OSError.
    """
    if record.kernel is None:
        return
    try:
        register(record, place)
    except (Conflict, InputError):
        unregister(record.kernel)


def _replace(command: KernelCommand, about: dict[str, str], logos: Path) -> None:
    """Put a kernel folder in the place of the present one; Jupyter never sees half of it."""
    folder = Path(command.resource_dir)
    content = {
        "argv": list(command.argv),
        "display_name": command.display_name,
        "language": command.language,
        "env": command.env,
        "interrupt_mode": command.interrupt_mode,
        "metadata": {"debugger": True, "mlinfn": about},
    }
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
