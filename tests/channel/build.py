"""A whole channel: fetched, converted, indexed and put in its place in one step."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from email.message import Message
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from packaging.utils import canonicalize_name, parse_wheel_filename

from tests.channel import cpython, handmade, wheels
from tests.channel.downloads import CONSTRAINTS, fetch
from tests.channel.recipes import RECIPES, Recipe
from tests.channel.writer import NATIVE

CACHE = Path(__file__).parents[2] / ".build" / "channels"
"""Where channels of the session's own lie (``CACHE / size``), with the wheels they are made of."""

STAMP = ".made-of"
MAKERS = ("build", "cpython", "handmade", "recipes", "requirements", "wheels", "writer")
MANY = 40


def stamp_of(recipe: Recipe) -> str:
    """The digest of everything that decides what a channel holds."""
    made_of = hashlib.sha256(f"{recipe}{sys.version}{sys.base_prefix}{NATIVE}".encode())
    for name in MAKERS:
        made_of.update((Path(__file__).parent / f"{name}.py").read_bytes())
    made_of.update(CONSTRAINTS.read_bytes())
    return made_of.hexdigest()


def is_current(out: Path, size: str) -> bool:
    """Whether ``out`` is the channel that a build would make now."""
    stamp = out / STAMP
    return stamp.exists() and stamp.read_text(encoding="utf-8") == stamp_of(RECIPES[size])


def build(out: Path, size: str) -> Path:
    """The channel ``size`` at ``out``; nothing is done when it is there already.

    Two builds at once are safe: the second waits and finds the work done. Raises
    :class:`~tests.channel.downloads.DownloadFailed` when wheels are missing, and
    :class:`FileExistsError` when ``out`` is a folder that this program did not make.
    """
    out = out.absolute()
    out.parent.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        if is_current(out, size):
            return out
        if out.exists() and any(out.iterdir()) and not (out / STAMP).exists():
            raise FileExistsError(f"{out} holds something that is not a channel made by this.")
        held = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-"))
        try:
            held.chmod(0o755)
            _fill(held, RECIPES[size])
            _index(held)
            (held / STAMP).write_text(stamp_of(RECIPES[size]), encoding="utf-8")
            _replace(held, out)
        finally:
            shutil.rmtree(held, ignore_errors=True)
    return out


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    with (out.parent / f".{out.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _replace(made: Path, out: Path) -> None:
    """Put ``made`` where ``out`` is; what was there goes."""
    if out.exists():
        old = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}-old-"))
        out.rename(old / "channel")
        made.rename(out)
        shutil.rmtree(old)
    else:
        made.rename(out)


def _fill(folder: Path, recipe: Recipe) -> None:
    """Write every package of ``recipe``."""
    fetched = fetch(recipe, CACHE / "wheels")
    others: dict[str, Message] = {
        canonicalize_name(parse_wheel_filename(wheel.name)[0]): wheels.read_metadata(wheel)
        for wheel in fetched
    }
    cpython.write_python(folder)
    _convert_all(fetched, others, folder)
    if recipe.handmade:
        handmade.write_handmade(folder)
        compiled = [
            wheels.package_of(one, others, ()) for one in fetched if not wheels.is_pure(one)
        ]
        handmade.write_dummies(compiled, folder)


def _convert_all(fetched: list[Path], others: Mapping[str, Message], folder: Path) -> None:
    """Convert on every processor when there are many; the largest first."""
    one = partial(wheels.convert, others=others, folder=folder)
    if len(fetched) < MANY:
        for wheel in fetched:
            one(wheel)
        return
    largest = sorted(fetched, key=lambda wheel: wheel.stat().st_size, reverse=True)
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        list(pool.map(one, largest))


def _index(folder: Path) -> None:
    """``repodata.json`` and its compressed and sharded forms, in every platform's folder."""
    from rattler.index import index_fs

    (folder / "noarch").mkdir(exist_ok=True)
    asyncio.run(index_fs(folder))
