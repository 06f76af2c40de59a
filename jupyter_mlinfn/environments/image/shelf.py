"""The folder of packed environments: each a file named by its digest, with a paper beside it.

::

    <images>/<digest>.sqfs | .sif    the image, mode 0444
    <images>/<digest>.json           what it is and how it was made
    <images>/.packing-<token>/       work of one packer, held by its lock; removed when it is dead
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from jupyter_mlinfn.environments.image.verifying import digest_of
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import PackedImage
from jupyter_mlinfn.process.detach import start_detached
from jupyter_mlinfn.process.durable import write_durably
from jupyter_mlinfn.process.locks import acquire, held

SUFFIXES: Final = {"squashfs": ".sqfs", "sif": ".sif"}
_LARGEST: Final = 64 * 2**20


class Recipe(BaseModel):
    """All that decides the bytes of an image, besides the tools' versions.

    ``base`` is the digest of the image that this one is a layer over; ``container`` of the file
    whose root a SIF image carries.
    """

    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    lock: str
    platform: str
    format: Literal["squashfs", "sif"]
    compressor: str
    base: str | None = None
    container: str | None = None


class Paper(BaseModel):
    """``<digest>.json``: ``tools`` is the version of mksquashfs that wrote the image."""

    model_config = ConfigDict(frozen=True)

    image: PackedImage
    recipe: Recipe
    tools: str


def find(images: Path, recipe: Recipe) -> PackedImage | None:
    """The image made by ``recipe``, if it is still there with the very bytes it was made with."""
    for paper in papers(images):
        if paper.recipe != recipe:
            continue
        path = images / (paper.image.digest.removeprefix("sha256:") + SUFFIXES[recipe.format])
        try:
            intact = digest_of(path, images / ".digests") == paper.image.digest
        except OSError:
            intact = False  # deleted; it is packed again
        if intact:
            return paper.image.model_copy(update={"path": str(path)})
    return None


def papers(images: Path) -> Iterator[Paper]:
    """What the images of a folder say of themselves, sorted by digest; unreadable ones not."""
    for path in sorted(images.glob("*.json")):
        try:
            yield Paper.model_validate_json(read_head(path, _LARGEST))
        except (OSError, ValidationError):
            continue  # another program's file, or a damaged one: then the image is packed again


def put(images: Path, file: Path, paper: Paper) -> PackedImage:
    """Move a finished file to its name, then write its paper. Raises OSError."""
    name = paper.image.digest.removeprefix("sha256:")
    path = images / (name + SUFFIXES[paper.image.format])
    with file.open("rb") as written:
        os.fsync(written.fileno())
    file.replace(path)
    image = paper.image.model_copy(update={"path": str(path)})
    write_durably(
        images / f"{name}.json", paper.model_copy(update={"image": image}).model_dump_json()
    )
    return image


@contextmanager
def workplace(images: Path) -> Iterator[Path]:
    """A folder to pack in, on the images' file system; gone soon afterwards.

    What packers that were killed left behind is removed first. Raises OSError.
    """
    images.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in images.glob(".packing-*.lock"):
        if not held(left):
            shutil.rmtree(left.with_suffix(""), ignore_errors=True)
            left.unlink(missing_ok=True)
    folder = images / f".packing-{secrets.token_hex(8)}"
    lock = folder.with_name(folder.name + ".lock")
    descriptor = acquire(lock)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        if descriptor is not None:
            os.close(descriptor)
        _remove_beside(folder, lock)


def _remove_beside(folder: Path, lock: Path) -> None:
    """Let another process remove the folder: tens of thousands of files take seconds.

    If it is killed, the next packer removes what is left, because nobody holds ``lock`` then.
    """
    argv = ("rm", "-rf", "--", str(folder), str(lock))
    try:
        start_detached(argv, env={"PATH": os.defpath}, cwd=folder.parent, nice=5)
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        lock.unlink(missing_ok=True)
