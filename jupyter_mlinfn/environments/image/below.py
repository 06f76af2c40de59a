"""The image that a layer is to lie over: what it contains, and whether it can carry one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.environments.image.contents import Contents, read_contents, read_inside
from jupyter_mlinfn.environments.image.files import ImageFile, open_image
from jupyter_mlinfn.environments.image.normalising import PAPERS
from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.environments.locks.files import LOCK_FILE, read_lock
from jupyter_mlinfn.model.errors import InputError, Refused

_RECORDS = "conda-meta/"


@dataclass(frozen=True)
class Below:
    """An image of ours with its lists."""

    image: ImageFile
    contents: Contents
    lock: Lock

    def files_of(self) -> dict[str, tuple[str, ...]]:
        """The files of each conda package, by its name, with the installer's note that says so."""
        entries = self.contents.entries
        records = [path for path in entries if path.startswith(_RECORDS) and path.endswith(".json")]
        found = {}
        for line in read_inside(self.image, *records).splitlines():
            record = json.loads(line)
            name = str(record["name"])
            note = f"{_RECORDS}{name}-{record['version']}-{record['build']}.json"
            found[name] = (note, *map(str, record["files"]))
        return found


@dataclass(frozen=True)
class Differing:
    """Packages of two locks that are not the very same, each sorted by name."""

    new: tuple[LockedPackage, ...]
    old: tuple[LockedPackage, ...]


def look_below(base: Path, lock: Lock, platform: str) -> Below:
    """The image at ``base`` as one that a layer with ``lock`` can lie over.

    Raises :class:`NotFound` when it is not there and :class:`InputError` (``image-kind``,
    ``image-contents``, ``image-layer``, ``image-platform``, ``image-python``) when it cannot,
    :class:`Refused` when it was made to do harm.
    """
    image = open_image(base, platform)
    if image.container:
        raise _cannot(
            base,
            "it is a whole container",
            "image-layer",
            "Pack that environment as squashfs too, and take that file.",
        )
    contents = read_contents(image)
    if any(_leads_out(path) for path in contents.entries):
        raise Refused(
            f"{base.name} names files outside of itself.",
            code="image-hostile",
            field="over",
            hint="It was not made by 'mlinfn env pack'. Do not run it.",
        )
    if contents.base is not None:
        # one file below, not a chain: whoever runs it needs two files, not a growing number
        raise _cannot(
            base,
            "it is a layer itself",
            "image-layer",
            "Take the image that it lies over, or pack that environment whole first.",
        )
    below = Below(image, contents, read_lock(read_inside(image, f"{PAPERS}/{LOCK_FILE}").decode()))
    if platform not in below.lock.platforms:
        raise _cannot(
            base,
            f"it was made for {', '.join(below.lock.platforms)}, not for {platform}",
            "image-platform",
            "Take an image for the same machines.",
        )
    before, now = _python(below.lock.of(platform)), _python(lock.of(platform))
    if before != now:
        raise _cannot(
            base,
            f"it has {before or 'no Python'}, the environment {now or 'none'}, and hardly a file "
            "would be the same",
            "image-python",
            "Pack the environment whole, or take an image with the same Python.",
        )
    return below


def _leads_out(path: str) -> bool:
    """Whether it is no plain path below the prefix. Line ends would be orders to mksquashfs."""
    return path.startswith("/") or "/../" in f"/{path}/" or "\n" in path or "\r" in path


def differing(before: Lock, after: Lock, platform: str) -> Differing:
    """What of ``after`` is not in ``before``, and the other way round."""
    mine, theirs = after.of(platform), before.of(platform)
    return Differing(_without(mine, theirs), _without(theirs, mine))


def _without(
    packages: Iterable[LockedPackage], others: Iterable[LockedPackage]
) -> tuple[LockedPackage, ...]:
    known = {(one.manager, one.name): one for one in others}
    return tuple(one for one in packages if known.get((one.manager, one.name)) != one)


def _python(packages: Iterable[LockedPackage]) -> str:
    """``Python 3.11``; nothing without Python."""
    for package in packages:
        if package.name == "python" and package.manager == "conda":
            return f"Python {'.'.join(package.version.split('.')[:2])}"
    return ""


def _cannot(base: Path, why: str, code: str, hint: str) -> InputError:
    return InputError(
        f"Nothing can be laid over {base.name}: {why}.", code=code, field="over", hint=hint
    )
