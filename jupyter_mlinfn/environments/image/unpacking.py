"""An image unpacked into a folder of this node, kept by digest and looked over at every use.

Works where nothing may be mounted, as in a plain Docker container. Where not even a namespace can
be had the folder cannot be shown as ``/env``. Python and what it imports run from anywhere; what
does not is a script of the environment started *by another program* (its first line names
``/env/bin/python``; ours are started by their interpreter), and files that hold ``/env`` as text:
activation scripts, kernel specs inside the environment, data folders compiled into a library.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from jupyter_mlinfn.environments.image.contents import CONTENTS
from jupyter_mlinfn.environments.image.files import FINAL_PREFIX, ImageFile
from jupyter_mlinfn.environments.image.normalising import PAPERS
from jupyter_mlinfn.environments.image.verifying import digest_of
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.errors import InputError, Refused, Unavailable
from jupyter_mlinfn.process.locks import acquire
from jupyter_mlinfn.process.run import run

_LARGEST: Final = 256 * 2**20
_LONGEST: Final = 1800.0
"""Seconds to unpack, or to wait for another process that does."""
_STEP: Final = 0.05


def default_scratch() -> Path:
    """A folder of this node for this person alone: below ``TMPDIR``, else ``/tmp``.

    Raises :class:`Refused` when somebody else's folder is in its place.
    """
    folder = Path(tempfile.gettempdir()) / f"mlinfn-{os.geteuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise Refused(
            f"{folder} is not a folder of yours alone; images are not unpacked there.",
            code="scratch-unsafe",
            hint="Remove it, or set TMPDIR to a folder of your own.",
        )
    return folder


def unpack(layers: Sequence[ImageFile], scratch: Path) -> Path:
    """The folder with the contents of ``layers`` (the upper first), unpacked now or before.

    What is there already is compared with the image's list of contents, and unpacked anew when a
    file was changed. Raises :class:`Unavailable` when it cannot be unpacked, and OSError.
    """
    images = scratch / "images"
    images.mkdir(mode=0o700, parents=True, exist_ok=True)
    digests = [digest_of(layer.path, images / ".digests") for layer in layers]
    inner = layers[0].folder
    if any(layer.folder for layer in layers[1:]):
        raise InputError("A container image cannot be the base of a layer.", code="image-layer")
    name = hashlib.sha256("\n".join(digests).encode()).hexdigest()[:32]
    folder = images / name
    with _alone(images / f".{name}.lock"):
        if folder.is_dir():
            if _intact(folder / inner):
                return folder / inner
            _remove(folder)
        for left in images.glob(f".{name}.*.draft"):
            shutil.rmtree(left, ignore_errors=True)
        draft = images / f".{name}.{secrets.token_hex(4)}.draft"
        try:
            for layer in reversed(layers):
                _unsquash(layer, draft)
                _take_away(draft / inner)
            draft.rename(folder)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
    return folder / inner


def relocated(argv: Sequence[str], folder: Path) -> tuple[str, ...]:
    """``argv`` with paths below ``/env`` in ``folder``; scripts by the interpreter they name."""
    words = [
        f"{folder}{word.removeprefix(FINAL_PREFIX)}"
        if word.startswith(f"{FINAL_PREFIX}/")
        else word
        for word in argv
    ]
    program = Path(words[0]) if "/" in words[0] else folder / "bin" / words[0]
    if not program.is_file():
        return tuple(words)
    with program.open("rb") as file:
        first = file.readline(4096)
    start = f"#!{FINAL_PREFIX}/".encode()
    if not first.startswith(start):
        return (str(program), *words[1:])
    interpreter = os.fsdecode(first[len(start) :]).split()
    return (str(folder / interpreter[0]), *interpreter[1:], str(program), *words[1:])


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold ``lock``; wait while another process unpacks the same image."""
    until = time.monotonic() + _LONGEST
    while (descriptor := acquire(lock)) is None:
        if time.monotonic() > until:
            raise Unavailable(
                "Another process has been unpacking this image for half an hour.",
                code="unpacking-stuck",
                hint=f"Look which process holds {lock}.",
            )
        time.sleep(_STEP)
    try:
        yield
    finally:
        os.close(descriptor)


def _unsquash(image: ImageFile, target: Path) -> None:
    argv = ["unsquashfs", "-no-progress", "-no-xattrs", "-force", "-dest", str(target)]
    if image.offset:
        argv += ["-offset", str(image.offset)]
    done = run([*argv, str(image.path)], deadline=_LONGEST)
    said = done.stderr.decode("utf-8", "replace")
    # 2: everything was unpacked that may be; devices stand for what a layer takes away
    if done.returncode == 0 or (done.returncode == 2 and "No space left" not in said):
        return
    if "No space left" in said:
        raise Unavailable(
            f"The disk is full: the image could not be unpacked into {target.parent}.",
            code="disk-full",
            hint="Free some space there, or set TMPDIR to a folder on a larger disk.",
        )
    words = said.strip().splitlines()
    raise Unavailable(
        f"unsquashfs could not unpack the image: {words[-1] if words else 'no reason given'}.",
        code="unpacking-failed",
        hint="Check the image: mlinfn env show NAME; pack it again from its lock.",
    )


def _contents(folder: Path) -> Mapping[str, object]:
    try:
        content = json.loads(read_head(folder / CONTENTS, _LARGEST))
    except (OSError, ValueError):
        return {}  # an image that was made by other means says nothing of itself
    return content if isinstance(content, dict) else {}


def _take_away(folder: Path) -> None:
    """Remove what the layer just unpacked says is gone, and the devices that stand for it."""
    gone = _contents(folder).get("gone")
    base = os.path.realpath(folder)
    for path in gone if isinstance(gone, list) else ():
        target = Path(os.path.realpath(folder / str(path)).rpartition("/")[0]) / Path(path).name
        if os.path.commonpath([base, str(target)]) != base:
            raise Refused("The image names files outside of itself.", code="image-hostile")
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)


def _intact(folder: Path) -> bool:
    """Whether all files have the size the image says, and the time 0 they were packed with."""
    entries = _contents(folder).get("entries")
    if not isinstance(entries, dict):
        return True
    left = dict(entries)
    base, todo = len(str(folder)) + 1, [str(folder)]
    while todo:
        with os.scandir(todo.pop()) as found:
            for entry in found:
                path = entry.path[base:]
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif not path.startswith(f"{PAPERS}/") and not _same(entry, left.pop(path, None)):
                    return False
    return not left


def _same(entry: os.DirEntry[str], noted: Sequence[object] | None) -> bool:
    if noted is None:
        return False
    facts = entry.stat(follow_symlinks=False)
    if stat.S_ISLNK(facts.st_mode):
        return bool(noted[2] == f"->{Path(entry.path).readlink()}")
    return noted[1] == facts.st_size and facts.st_mtime == 0


def _remove(folder: Path) -> None:
    """Out of the way at once, then away."""
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.draft")
    folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)
