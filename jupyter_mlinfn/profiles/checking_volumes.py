"""Which folders a file may give to sessions: under a root, never the system's, never another's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_mlinfn.profiles.document import Volume
from jupyter_mlinfn.profiles.nearness import listed
from jupyter_mlinfn.profiles.parts import Found, Parts
from jupyter_mlinfn.profiles.positions import KeyPath
from jupyter_mlinfn.profiles.sources import (
    below_a_root,
    can_hold,
    can_meet,
    path_problem,
    source_problem,
    target_problem,
    words_in,
)

_REPOSITORY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9-]{1,63})+", re.ASCII)
_SERVER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,253})", re.ASCII)
_CLAIM = re.compile(r"[a-z0-9](?:[a-z0-9.{}-]{0,150}[a-z0-9}])?|\{(?:user|group)\}", re.ASCII)
_BUCKET = re.compile(
    r"s3://[a-z0-9{](?:[a-z0-9.{}-]{1,61})(?:/(?!\.+(?:/|$))[A-Za-z0-9._{}-]+)*", re.ASCII
)
OF_THE_HOST = ("bind", "nfs")
"""Kinds whose source is a path, in which people could put links."""


def roots_are_safe(parts: Parts) -> Found:
    """A root is a plain path outside of the system's folders."""
    for at, root in enumerate(parts.ceiling.roots if parts.ceiling else ()):
        problem = path_problem(root) or source_problem(root)
        if problem is None and words_in(root):
            problem = "A root is one folder for everybody: no braces in it."
        if problem:
            yield ("ceiling", "roots", at), problem


def volumes_are_whole(parts: Parts) -> Found:
    """Each kind has the keys that it needs, and none that it would not honour."""
    for name, volume in parts.volume.items():
        at: KeyPath = ("volume", name)
        if volume.kind == "tmpfs":
            if volume.source is not None:
                yield (*at, "source"), "A tmpfs has no source: it begins empty. Leave the key out."
            if volume.quota is None:
                yield at, "'quota' is missing: a tmpfs needs a size, such as quota = \"4GiB\"."
        elif volume.source is None:
            yield at, f"'source' is missing: a volume of kind {volume.kind} needs it."
        if volume.target is None and volume.kind != "bucket":
            yield at, "'target' is missing: where the session sees it."
        if volume.kind == "cvmfs" and volume.mode == "rw":
            yield (*at, "mode"), "CVMFS is read-only. Leave the key out."
        if volume.create and volume.kind != "bind":
            yield (*at, "create"), "Only folders of the host (kind bind) can be made."
        if volume.store is not None and volume.kind != "bucket":
            yield (*at, "store"), "Only a volume of kind bucket lies in an object store."
        yield from _copied(at, volume)
        yield from _per_group(at, volume)


def _copied(at: KeyPath, volume: Volume) -> Found:
    if volume.backup is None:
        return
    if volume.kind != "bind":
        yield (*at, "backup"), "Only folders of the host (kind bind) are copied."
    personal = "user" in words_in(volume.source or "")
    if personal and "user" not in words_in(volume.backup.source):
        yield (
            (*at, "backup", "source"),
            "Everybody's copies would lie in one folder, for all to read: {user} must be in it, "
            "as in the source.",
        )


def _per_group(at: KeyPath, volume: Volume) -> Found:
    texts = {"source": volume.source, "target": volume.target}
    if volume.backup is not None:
        texts |= {"backup.source": volume.backup.source, "backup.target": volume.backup.target}
    for key, text in texts.items():
        named = "group" in words_in(text or "")
        if named and volume.each is None:
            yield (
                (*at, *key.split(".")),
                '{group} stands for each group of a person: write each = "group", and groups.',
            )
        if volume.each is not None and text is not None and not named and volume.kind != "tmpfs":
            yield (
                (*at, *key.split(".")),
                'With each = "group" every group has its own: {group} must be in it.',
            )
    if volume.each is not None and not volume.groups:
        yield (
            (*at, "each"),
            "'groups' is missing: for whose groups it is made. Write groups = [\"*\"] for all of "
            "a person's groups.",
        )


def sources_are_safe(parts: Parts) -> Found:
    """A source is written as its kind wants it; a folder of the host lies below a root."""
    roots = parts.ceiling.roots if parts.ceiling else None
    for name, volume in parts.volume.items():
        if volume.source is not None and (problem := _source_problem(volume, volume.source, roots)):
            yield ("volume", name, "source"), problem
        if volume.backup is not None and (problem := _bind_problem(volume.backup.source, roots)):
            yield ("volume", name, "backup", "source"), problem
        if volume.mode == "rw" and volume.kind != "tmpfs" and volume.is_everybodys():
            yield (
                ("volume", name, "mode"),
                "Everybody could write here, and remove what others wrote. Write {user} into the "
                'source, or {group} with each = "group", or one group into groups; or leave '
                'mode = "rw" out.',
            )


def _source_problem(volume: Volume, source: str, roots: tuple[str, ...] | None) -> str | None:
    if volume.kind == "bind":
        return _bind_problem(source, roots)
    if volume.kind == "nfs":
        server, colon, path = source.partition(":")
        if not colon or not _SERVER.fullmatch(server):
            return f"'{source}' is no place on a server. Write server:/path."
        return path_problem(path) or ("The path is a server's whole disk." if path == "/" else None)
    shape = {"pvc": _CLAIM, "cvmfs": _REPOSITORY, "bucket": _BUCKET}.get(volume.kind)
    if shape is None:
        return None  # a tmpfs: it has no source, which is told elsewhere
    if unknown := [word for word in words_in(source) if word not in ("user", "group")]:
        return f"'{{{unknown[0]}}}' stands for nothing. There are: {{user}}, {{group}}."
    if shape.fullmatch(source) and ".." not in source:
        return None
    like = {"pvc": "claim-{user}", "cvmfs": "cms.cern.ch", "bucket": "s3://bucket-{user}"}
    return f"'{source}' is not what kind {volume.kind} needs. Write it like '{like[volume.kind]}'."


def _bind_problem(source: str, roots: tuple[str, ...] | None) -> str | None:
    if problem := path_problem(source) or source_problem(source):
        return problem
    if roots is None or below_a_root(source, roots):
        return None  # without a ceiling nothing can be said; that it is missing is told
    if not roots:
        return "[ceiling] roots is missing: the folders below which sources lie."
    return f"'{source}' is not below a root. Roots ([ceiling] roots): {listed(roots)}."


def targets_are_safe(parts: Parts) -> Found:
    """A target is a plain path of the session that hides nothing of its system."""
    for path, target in _targets(parts):
        if problem := path_problem(target) or target_problem(target):
            yield path, problem


def _targets(parts: Parts) -> Iterator[tuple[KeyPath, str]]:
    for name, volume in parts.volume.items():
        if volume.target is not None:
            yield ("volume", name, "target"), volume.target
        if volume.backup is not None:
            yield ("volume", name, "backup", "target"), volume.backup.target


@dataclass(frozen=True)
class _Folder:
    """A source of a volume, or of its copies: where it is written, and what it is like."""

    name: str
    path: KeyPath
    kind: str
    place: str
    written: bool
    closed: bool
    copies: bool = False


def nobody_reaches_anothers(parts: Parts) -> Found:
    """No folder becomes, holds or lies in what is another person's or another group's."""
    folders = [folder for name, volume in parts.volume.items() for folder in _folders(name, volume)]
    for number, folder in enumerate(folders):
        for earlier, other in enumerate(folders):
            if folder.kind != other.kind or earlier == number:
                continue
            if earlier < number and _is_one_place(folder, other):
                yield (
                    folder.path,
                    f"This and the source of {other.name} are one place for some names of people "
                    "or groups. Give them folders of their own.",
                )
            if folder.kind == "bucket" and can_hold(folder.place, other.place):
                yield folder.path, f"Who has keys to this has keys to all of {other.name}."
            if folder.kind not in OF_THE_HOST:
                continue
            if other.written and can_hold(other.place, folder.place):
                yield (
                    folder.path,
                    f"This lies in {other.name}, where people write: they could put a link to "
                    "any folder of the host in its place. Move it out of there.",
                )
            if not folder.written and other.closed and can_hold(folder.place, other.place):
                yield folder.path, f"Who sees this sees all of {other.name}, everybody's."


def _folders(name: str, volume: Volume) -> Iterator[_Folder]:
    closed = volume.told_as() in ("private", "collabspace")
    if volume.source is not None:
        # a server's name is the first folder of its paths
        nfs = volume.kind == "nfs"
        yield _Folder(
            name=f"'{name}'",
            path=("volume", name, "source"),
            kind=volume.kind,
            place=volume.source.replace(":/", "/", 1) if nfs else volume.source,
            written=volume.mode == "rw",
            closed=closed,
        )
    if volume.backup is not None:
        yield _Folder(
            name=f"the copies of '{name}'",
            path=("volume", name, "backup", "source"),
            kind="bind",
            place=volume.backup.source,
            written=False,
            closed=closed,
            copies=True,
        )


def _is_one_place(folder: _Folder, other: _Folder) -> bool:
    """Two volumes may show one folder; copies have one of their own."""
    if folder.place == other.place:
        return folder.copies or other.copies
    return can_meet(folder.place, other.place)


def targets_are_apart(parts: Parts) -> Found:
    """Two volumes of one profile are never mounted at one place."""
    for number, profile in parts.profile.items():
        paths: dict[str, KeyPath] = {}
        for key in ("volumes", "optional_volumes"):
            for at, name in enumerate(getattr(profile, key)):
                paths.setdefault(name, ("profile", number, key, at))
        seen: list[tuple[str, str]] = []
        for name, path in paths.items():
            for target in _targets_of(parts.volume.get(name)):
                for other, taken in seen:
                    if target == taken or can_meet(target, taken):
                        yield path, f"'{name}' and '{other}' are mounted at one place: {target}."
                seen.append((name, target))


def _targets_of(volume: Volume | None) -> list[str]:
    backup = volume.backup if volume else None
    targets = (volume.target if volume else None, backup.target if backup else None)
    return [target for target in targets if target is not None]
