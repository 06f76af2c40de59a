"""Managed environments: those that admins, or a group, put where others read them.

A *place* of ``Mlinfn.managed_environments`` is one of these, or a folder of them:

* a prefix that conda packages were installed to;
* a published environment: a folder with ``environment.json`` as own ones have it, with its papers
  and, as far as they are there, the installed prefix and images (``mlinfn env share`` makes one,
  and so is each folder of another person's ``environments/own`` that others may read);
* an image file with the paper that packing wrote, under the same name (``NAME.sqfs`` and
  ``NAME.json``).

Nothing is ever written there.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from jupyter_mlinfn.environments.own.layout import Place
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_tasks import ENVIRONMENT_NAME, PackedImage
from jupyter_mlinfn.model.errors import NotFound

IMAGE_ENDINGS = (".sqfs", ".squashfs", ".sif")

_MOST_ENTRIES = 2000
"""A folder with more entries than this is a data folder, not a place for environments."""
_LARGEST = 16 * 2**20


class _Paper(BaseModel):
    """What is used of the paper beside an image (``image/shelf.py``)."""

    model_config = ConfigDict(frozen=True)

    image: PackedImage


@dataclass(frozen=True)
class ManagedEnvironment:
    """``prefix`` is ``None`` where nothing is installed, ``papers`` where there is no lock.

    ``images`` have paths that exist here. ``path`` is what the place names.
    """

    name: str
    path: Path
    prefix: Path | None = None
    papers: Path | None = None
    record: EnvironmentRecord | None = None
    images: tuple[PackedImage, ...] = ()

    @property
    def digest(self) -> str | None:
        """The digest of its lock."""
        if self.record is not None:
            return self.record.digest
        return self.images[0].lock if self.images else None

    @property
    def manifest(self) -> Path | None:
        """The manifest of the prefix, where it was published with it."""
        path = self.papers / "manifest.json" if self.papers and self.prefix else None
        return path if path and path.is_file() else None

    @property
    def made_at(self) -> datetime | None:
        """When it was made, as far as is known."""
        if self.record is not None:
            return self.record.made_at
        return self.images[0].made_at if self.images else None


def managed_environments(places: Iterable[str]) -> tuple[ManagedEnvironment, ...]:
    """All of them, sorted by name; where two have one name, that of the first place counts."""
    found: dict[str, ManagedEnvironment] = {}
    for place in places:
        for one in _at(Path(place).expanduser()):
            found.setdefault(one.name, one)
    return tuple(found[name] for name in sorted(found))


def find_managed(places: Iterable[str], name: str) -> ManagedEnvironment:
    """The managed environment ``name``. Raises :class:`NotFound`."""
    for one in managed_environments(places):
        if one.name == name:
            return one
    raise NotFound(
        f"There is no managed environment named '{name}'.",
        code="environment-not-found",
        hint="'mlinfn env list' shows the environments there are.",
    )


def _at(path: Path) -> Iterator[ManagedEnvironment]:
    """What one place holds; a place that is not there, or closed to us, holds nothing."""
    one = _one(path)
    if one is not None:
        yield one
        return
    try:
        with os.scandir(path) as entries:
            inside = [entry.path for entry in itertools.islice(entries, _MOST_ENTRIES)]
    except OSError:
        return
    for entry in sorted(inside):
        if (one := _one(Path(entry))) is not None:
            yield one


def _one(path: Path) -> ManagedEnvironment | None:
    try:
        if path.name.endswith(IMAGE_ENDINGS):
            return _image(path)
        if (path / "environment.json").is_file():
            return _published(path)
        if (path / "conda-meta").is_dir() and _may_be_called(path.name):
            return ManagedEnvironment(path.name, path, prefix=path)
    except (OSError, ValidationError):
        return None  # half copied, or not for us to read: it shows up when that is over
    return None


def _published(path: Path) -> ManagedEnvironment:
    """A folder as own environments have it."""
    place = Place(path)
    record = EnvironmentRecord.model_validate_json(read_head(place.record, _LARGEST))
    prefix, papers = place.prefix(record.digest), place.papers(record.digest)
    here = (_found_here(path, image) for image in record.images if image.lock == record.digest)
    return ManagedEnvironment(
        name=record.name,
        path=path,
        prefix=prefix if prefix.is_dir() else None,
        papers=papers if papers.is_dir() else None,
        record=record,
        images=tuple(image for image in here if image is not None),
    )


def _found_here(path: Path, image: PackedImage) -> PackedImage | None:
    """The image with the path it has here: a published folder may be mounted anywhere.

    A layer without the image below it is none.
    """
    own = _path_here(path, image.path)
    if own is None or image.base is None:
        return image.model_copy(update={"path": own}) if own else None
    below = _path_here(path, image.base.path)
    if below is None:
        return None
    base = image.base.model_copy(update={"path": below})
    return image.model_copy(update={"path": own, "base": base})


def _path_here(folder: Path, path: str) -> str | None:
    candidates = (folder / "images" / Path(path).name, Path(path))
    return next((str(candidate) for candidate in candidates if candidate.is_file()), None)


def _image(path: Path) -> ManagedEnvironment | None:
    """An image file by its description; one without stays unknown."""
    name = path.name[: -len(path.suffix)]
    if not _may_be_called(name):
        return None
    paper = _Paper.model_validate_json(read_head(path.with_suffix(".json"), _LARGEST))
    image = paper.image.model_copy(update={"path": str(path)})
    return ManagedEnvironment(name, path, images=(image,))


def _may_be_called(name: str) -> bool:
    return re.fullmatch(ENVIRONMENT_NAME, name, re.ASCII) is not None
