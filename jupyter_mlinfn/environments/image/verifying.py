"""Whether a file is the image that was recorded: its SHA-256, read again only after a change.

What was computed is kept by device, inode, size and both times. The inode's own time (*ctime*)
cannot be set by its owner, so an edit that puts the other time back is seen all the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Final

from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.errors import NotFound, Refused
from jupyter_mlinfn.process.durable import write_atomically

_CHUNK: Final = 2**20


def digest_of(image: Path, cache: Path | None = None) -> str:
    """``sha256:…`` of the file's bytes; ``cache`` is the folder of what was computed before.

    Raises OSError when the file cannot be read.
    """
    with image.open("rb") as file:
        facts = os.fstat(file.fileno())
        stamp = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns]
        note = cache and cache / f"{facts.st_dev:x}-{facts.st_ino:x}.json"
        if note and (known := _noted(note, stamp)):
            return known
        hashed = hashlib.sha256()
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
        after = os.fstat(file.fileno())
    digest = f"sha256:{hashed.hexdigest()}"
    if note and [after.st_size, after.st_mtime_ns, after.st_ctime_ns] == stamp:
        _write(note, {"stamp": stamp, "digest": digest})
    return digest


def verify(image: Path, digest: str, cache: Path | None = None) -> None:
    """Whether ``image`` is the file named ``digest`` (``sha256:…``).

    Raises :class:`Refused` (code ``environment-mismatch``) when it is another one, and
    :class:`NotFound` when it is not there or cannot be read.
    """
    try:
        found = digest_of(image, cache)
    except OSError as error:
        raise NotFound(
            f"The image {image} cannot be read: {error.strerror or error}.",
            code="image-not-found",
            hint="Pack the environment again from its lock: the same lock gives the same image.",
        ) from error
    if found != digest:
        raise Refused(
            f"The image {image.name} is not the one that was recorded: its bytes have the digest "
            f"{found[:19]}…, recorded is {digest[:19]}….",
            code="environment-mismatch",
            hint="It was changed or damaged. Pack the environment again from its lock: the same "
            "lock gives the same image.",
        )


def verify_base(base: Path, digest: str, layer: str, cache: Path | None = None) -> None:
    """Whether ``base`` is the file named ``digest``, over which the image ``layer`` was made.

    Raises what :func:`verify` raises, in words that tell of both files.
    """
    try:
        verify(base, digest, cache)
    except NotFound as error:
        raise NotFound(
            f"{layer} is a layer over {base}, which is not there any more or cannot be read.",
            code="image-not-found",
            hint="Put that file back (the same lock gives the same image), or pack the environment "
            "whole: mlinfn env pack NAME.",
        ) from error
    except Refused as error:
        raise Refused(
            f"{layer} is a layer, and {base.name} is not the image that it was made over, or it "
            f"was changed since: {error.text}",
            code="environment-mismatch",
            hint="Put the right file back, or pack the environment whole: mlinfn env pack NAME.",
        ) from error


def _noted(note: Path, stamp: list[int]) -> str | None:
    try:
        content = json.loads(read_head(note))
    except (OSError, ValueError):
        return None  # not there, or damaged: then it is computed again
    return str(content["digest"]) if content.get("stamp") == stamp else None


def _write(note: Path, content: object) -> None:
    try:
        note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(note, json.dumps(content))
    except OSError:
        return  # a read-only or full disk: the next look computes it again
