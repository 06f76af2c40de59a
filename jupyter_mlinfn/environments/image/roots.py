"""A root folder like the present one, with ``/env`` in it: seen by one process and its children.

The root is a small file system in memory that shows every entry of the present root, so that no
folder ``/env`` has to exist on the machine, and none is left behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from jupyter_mlinfn.environments.image import namespaces
from jupyter_mlinfn.environments.image.files import FINAL_PREFIX, ImageFile

_OLD: Final = ".host"
_LAYERS: Final = "/.layers"
_NAME: Final = FINAL_PREFIX.lstrip("/")
_PLACES: Final = ("/tmp", "/var/tmp", "/run", "/mnt")  # noqa: S108 - covered, nothing is written

Mounter = Callable[[ImageFile, str], None]
"""Mounts an image at a folder. Raises OSError, or an error in words for people."""


def show(layers: Sequence[ImageFile], mounter: Mounter) -> None:
    """Put ``layers`` (the upper first) at ``/env``. Call it in mount namespaces of one's own.

    Raises OSError where the machine does not allow it.
    """
    here = Path.cwd()
    _own_root()
    if len(layers) == 1 and not layers[0].folder:
        mounter(layers[0], FINAL_PREFIX)
    else:
        folders = [f"{_LAYERS}/{number}" for number in range(len(layers))]
        for layer, folder in zip(layers, folders, strict=True):
            Path(folder).mkdir(parents=True)
            mounter(layer, folder)
        inner = [f"{top}/{one.folder}" for top, one in zip(folders, layers, strict=True)]
        _lay(inner)
    namespaces.make_read_only("/")
    os.chdir(here)


def _lay(folders: Sequence[str]) -> None:
    """Show one folder, or several laid over one another (the upper first), at ``/env``."""
    if len(folders) == 1:
        namespaces.bind(folders[0], FINAL_PREFIX)
        return
    options = f"lowerdir={':'.join(folders)}"
    namespaces.mount("overlay", FINAL_PREFIX, "overlay", namespaces.READ_ONLY, options)


def show_folder(folder: Path) -> None:
    """Put the folder of an unpacked image at ``/env``, read-only. Raises OSError."""
    here = Path.cwd()
    _own_root()
    namespaces.bind(str(folder), FINAL_PREFIX)
    namespaces.make_read_only(FINAL_PREFIX)
    namespaces.make_read_only("/")
    os.chdir(here)


def attempt() -> None:
    """Make such a root, with nothing at ``/env``. Raises OSError where it is not allowed."""
    _own_root()


def _own_root() -> None:
    place = next(place for place in _PLACES if Path(place).is_dir())
    namespaces.mount("mlinfn", place, "tmpfs", namespaces.NO_SPECIAL, "mode=0755,size=1m")
    Path(place, _OLD).mkdir()
    namespaces.pivot_root(place, f"{place}/{_OLD}")
    with os.scandir(f"/{_OLD}") as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name != _NAME:
                _show_entry(entry)
    Path(FINAL_PREFIX).mkdir()
    namespaces.detach(f"/{_OLD}")
    Path(f"/{_OLD}").rmdir()


def _show_entry(entry: os.DirEntry[str]) -> None:
    target = Path("/", entry.name)
    if entry.is_symlink():
        target.symlink_to(Path(entry.path).readlink())
        return
    if entry.is_dir():
        target.mkdir()
    else:
        target.touch()
    namespaces.bind(entry.path, str(target))
