"""What lies in an image file, and where: a squashfs file, or the partition of a SIF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.environments.image import sif
from jupyter_mlinfn.model.errors import InputError, NotFound

FINAL_PREFIX: Final = "/env"
"""Where the environment lies for whoever runs out of an image."""

IMAGES: Final = "MLINFN_IMAGE"
"""Variable of a program that runs out of images: their paths, the upper first."""

_MAGIC: Final = b"hsqs"


@dataclass(frozen=True)
class ImageFile:
    """The squashfs at ``offset`` of ``path``, ``size`` bytes long.

    ``container`` says that the file is a whole container for Apptainer (it has a root); then the
    environment lies in the folder ``folder`` of the squashfs that is laid over that root.
    """

    path: Path
    offset: int
    size: int
    format: Literal["squashfs", "sif"]
    container: bool = False
    folder: str = ""


def open_image(path: Path, platform: str | None = None) -> ImageFile:
    """Look into the file; of a SIF file the part that is the environment.

    Raises :class:`NotFound` when it is not there, :class:`InputError` when it is no image.
    """
    path = path.absolute()
    try:
        with path.open("rb") as file:
            head = file.read(4)
        size = path.stat().st_size
        if head == _MAGIC:
            return ImageFile(path, 0, size, "squashfs")
        if sif.is_sif(path):
            return _of_sif(path, platform)
    except OSError as error:
        raise NotFound(
            f"The image {path} cannot be read: {error.strerror or error}.",
            code="image-not-found",
            hint="Look where it is, or pack the environment again.",
        ) from error
    raise InputError(
        f"{path.name} is no image of an environment: it is neither a squashfs nor a SIF file.",
        code="image-kind",
        hint="Make one with 'mlinfn env pack NAME'.",
    )


def root_of(path: Path, platform: str) -> ImageFile:
    """The root of a container: a squashfs file, or the root partition of a SIF file.

    Raises like :func:`open_image`, and when a SIF file has no root or one for another machine.
    """
    image = open_image(path, platform)
    if image.format == "squashfs":
        return image
    item = sif.read_sif(image.path, platform=platform, runnable=True).partition(
        sif.PartitionKind.PRIMARY
    )
    return ImageFile(image.path, item.offset, item.size, "sif", container=True)


def _of_sif(path: Path, platform: str | None) -> ImageFile:
    found = sif.read_sif(path, platform=platform)
    kinds = (sif.PartitionKind.DATA, sif.PartitionKind.OVERLAY, sif.PartitionKind.PRIMARY)
    item = found.partition(*kinds)
    with path.open("rb") as file:
        file.seek(item.offset)
        if file.read(4) != _MAGIC:
            raise InputError(
                f"{path.name} cannot be used: its partition is no squashfs.", code="image-kind"
            )
    container = any(one.kind == sif.PartitionKind.PRIMARY for one in found.items)
    folder = FINAL_PREFIX.lstrip("/") if item.kind != sif.PartitionKind.DATA else ""
    return ImageFile(path, item.offset, item.size, "sif", container, folder)
