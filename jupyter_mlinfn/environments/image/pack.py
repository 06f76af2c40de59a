"""Pack an environment into one file: installed anew from its lock, for the prefix ``/env``.

The same lock gives the same bytes, in whatever folder, cache and account it is packed (with the
same version of mksquashfs). The prefix that people work in is never packed itself: what was
edited there is not in the lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.environments.engine.installing import install
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.image import bytecode, shelf, sif, squashfs
from jupyter_mlinfn.environments.image.contents import CONTENTS, Contents, list_contents
from jupyter_mlinfn.environments.image.files import FINAL_PREFIX, ImageFile, root_of
from jupyter_mlinfn.environments.image.modules import find_python
from jupyter_mlinfn.environments.image.normalising import normalise, write_papers
from jupyter_mlinfn.environments.image.verifying import digest_of
from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import (
    EXPLICIT_FILE,
    LOCK_FILE,
    dump_explicit,
    dump_lock,
    read_lock,
)
from jupyter_mlinfn.environments.own.layout import Layout, Place
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.environment_tasks import ImageBelow, PackedImage
from jupyter_mlinfn.model.errors import Conflict, InputError

Format = Literal["squashfs", "sif"]
_LARGEST_LOCK: Final = 64 * 2**20


def pack(
    place: Place,
    record: EnvironmentRecord,
    layout: Layout,
    format: Format,
    reporter: Reporter,
    *,
    compressor: str | None = None,
    container: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PackedImage:
    """The image of the environment's lock in use; packed only when it is not there yet.

    Raises what :func:`lock_in_use` and :func:`pack_lock` raise.
    """
    lock = lock_in_use(place, record)
    return pack_lock(
        lock,
        record.platform,
        layout,
        format,
        reporter,
        compressor=compressor,
        container=container,
        cancelled=cancelled,
    )


def lock_in_use(place: Place, record: EnvironmentRecord) -> Lock:
    """The lock of the environment's present state.

    Raises :class:`Conflict` when the one kept at ``place`` is not the record's.
    """
    path = place.papers(record.digest) / LOCK_FILE
    lock = read_lock(read_text_head(path, _LARGEST_LOCK))
    if lock.digest(record.platform) != record.digest:
        raise Conflict(
            f"The lock kept for '{place.name}' was edited: it is not the one in use.",
            code="lock-edited",
            hint=f"Change the environment with 'mlinfn env', or put {path} back.",
        )
    return lock


def pack_lock(
    lock: Lock,
    platform: str,
    layout: Layout,
    format: Format,
    reporter: Reporter,
    *,
    compressor: str | None = None,
    container: Path | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> PackedImage:
    """The image of ``lock`` for ``platform``, packed or found in ``layout.images``.

    ``compressor``: ``zstd``, ``lz4`` or ``gzip``; by default what the Apptainer installed here
    can read. ``container`` is a squashfs or SIF file with the root of a Linux system: with it the
    SIF file is a whole container, ``apptainer exec FILE.sif python`` runs; without one it holds
    the environment alone.

    Raises :class:`MlinfnError` in words for people; nothing is left half made.
    """
    squashfs.mksquashfs()
    root = _root(container, platform, format)
    recipe = shelf.Recipe(
        lock=lock.digest(platform),
        platform=platform,
        format=format,
        compressor=compressor or squashfs.compressor_for(),
        container=digest_of(container, layout.images / ".digests") if container else None,
    )
    if found := shelf.find(layout.images, recipe):
        return found
    with shelf.workplace(layout.images) as work:
        prefix = work / "env"
        contents = build(lock, platform, layout, work, reporter, cancelled)
        image = work / "image"
        _write(prefix, image, recipe, contents, reporter, cancelled)
        return finish(image, work, recipe, layout, reporter, root=root)


def build(
    lock: Lock,
    platform: str,
    layout: Layout,
    work: Path,
    reporter: Reporter,
    cancelled: Callable[[], bool],
) -> Contents:
    """Make ``work/env``: installed, compiled, without traces, with its papers."""
    prefix, scratch = work / "env", work / "scratch"
    scratch.mkdir(mode=0o700)
    seen = install(
        lock,
        prefix,
        FINAL_PREFIX,
        platform=platform,
        cache=layout.packages,
        scratch=scratch,
        reporter=reporter,
    )
    normalise(prefix)
    bytecode.apply(
        prefix,
        layout.bytecode,
        "unchecked",
        report=lambda done, total: reporter.say("compiling", done=done, total=total, unit="files"),
        cancelled=cancelled,
    )
    python = find_python(prefix)
    about = (prefix, python.identity if python else None, lock.digest(platform))
    contents = list_contents(*about, seen.files)
    if not seen.still_there():
        contents = list_contents(*about)
    write_papers(prefix, papers(lock, platform, contents))
    return contents


def papers(lock: Lock, platform: str, contents: Contents) -> tuple[tuple[str, str], ...]:
    """Names and texts of what an image says of itself."""
    one = Lock.made_of(lock.channels, (platform,), lock.of(platform))
    return (
        (LOCK_FILE, dump_lock(one)),
        (EXPLICIT_FILE, dump_explicit(one, platform)),
        (Path(CONTENTS).name, contents.model_dump_json()),
    )


def finish(
    image: Path,
    work: Path,
    recipe: shelf.Recipe,
    layout: Layout,
    reporter: Reporter,
    *,
    root: ImageFile | None = None,
    below: ImageBelow | None = None,
) -> PackedImage:
    """Give a finished squashfs file its form, its name and its paper.

    ``root``: of the container that it is to be; ``below``: what it is a layer over.
    """
    reporter.say("finishing")
    if recipe.format == "sif":
        whole = work / "image.sif"
        labels = {"org.jupyter-mlinfn.prefix": FINAL_PREFIX}
        partitions = _partitions(image, root)
        sif.write_sif(whole, partitions, platform=recipe.platform, lock=recipe.lock, labels=labels)
        image = whole
    image.chmod(0o555 if recipe.format == "sif" else 0o444)
    packed = PackedImage(
        path=str(image),
        format=recipe.format,
        digest=_digest_while_written(image),
        size=image.stat().st_size,
        compressor=recipe.compressor,
        lock=recipe.lock,
        made_at=datetime.now(UTC),
        base=below,
    )
    paper = shelf.Paper(image=packed, recipe=recipe, tools=squashfs.version())
    return shelf.put(layout.images, image, paper)


def _digest_while_written(image: Path) -> str:
    """Its digest, made while the disk takes the bytes, which is waited for before it gets its
    name. Raises OSError.
    """
    with image.open("rb") as file, ThreadPoolExecutor(max_workers=1) as pool:
        written = pool.submit(os.fsync, file.fileno())
        digest = digest_of(image)
        written.result()
    return digest


def _root(container: Path | None, platform: str, format: Format) -> ImageFile | None:
    if container is None:
        return None
    if format != "sif":
        raise InputError(
            "Only a SIF image can hold a container's root.",
            code="image-container",
            field="format",
            hint="Choose the format sif, or leave the container out.",
        )
    return root_of(container, platform)


def _partitions(image: Path, root: ImageFile | None) -> tuple[sif.Partition, ...]:
    """The environment alone, or laid over the root of a container."""
    if root is None:
        return (sif.Partition("environment", image, sif.PartitionKind.DATA),)
    return (
        sif.Partition("root", root.path, sif.PartitionKind.PRIMARY, root.offset, root.size),
        sif.Partition("environment", image, sif.PartitionKind.OVERLAY),
    )


def _write(
    prefix: Path,
    image: Path,
    recipe: shelf.Recipe,
    contents: Contents,
    reporter: Reporter,
    cancelled: Callable[[], bool],
) -> None:
    total = contents.files
    reporter.say("packing", done=0, total=total, unit="files")
    squashfs.make(
        prefix,
        image,
        recipe.compressor,
        keep_folder=recipe.container is not None,
        report=lambda files: reporter.say(
            "packing", done=min(files, total), total=total, unit="files"
        ),
        cancelled=cancelled,
    )
