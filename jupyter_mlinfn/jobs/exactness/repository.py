"""The git repository around a notebook, read as files: nothing of it is ever executed.

A repository's configuration can name programs (fsmonitor, hooks, filters, textconv, external
diff), and one that was unpacked from an archive or lies in a group's folder is anybody's. So git
never reads it: it is given an empty configuration of ours, the repository's objects and a copy of
its index, and runs once, for the changes alone. Commit and branch are read from the files that
gitrepository-layout(5) and gitworktree(1) describe.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.bundle import open_regular

MOST_PARENTS: Final = 60
LARGEST_INDEX: Final = 64 * 2**20
LARGEST_PACKED_REFS: Final = 16 * 2**20

_LONGEST_LINE: Final = 4096
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_BRANCH: Final = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]{1,200}")


class UnreadableError(Exception):
    """The repository is there and cannot be read; the message is a sentence for the record."""


@dataclass(frozen=True)
class Repository:
    """Where a repository lies: ``git_dir`` holds HEAD and index, ``common`` what is shared."""

    top: Path
    git_dir: Path
    common: Path


@dataclass(frozen=True)
class Head:
    """What is checked out: ``commit`` is ``None`` before the first, ``branch`` when detached."""

    commit: str | None
    branch: str | None


def find(folder: Path) -> Repository | None:
    """The repository that ``folder`` is in, if any. Raises :class:`UnreadableError`."""
    here = Path(os.path.realpath(folder))
    for place in (here, *here.parents)[:MOST_PARENTS]:
        marker = place / ".git"
        try:
            if marker.is_dir():
                return _at(place, marker)
            if marker.is_file():
                return _at(place, _pointed(marker, place))
        except OSError as error:
            raise UnreadableError(
                f"The repository in {place} cannot be read: {error.strerror}."
            ) from error
    return None


def head(repository: Repository) -> Head:
    """What is checked out. Raises :class:`UnreadableError` for what is no HEAD of git."""
    text = _line(repository.git_dir / "HEAD")
    if _COMMIT.fullmatch(text):
        return Head(commit=text, branch=None)
    name = text.removeprefix("ref:").strip()
    if name == text or not _BRANCH.fullmatch(name) or ".." in name.split("/"):
        raise UnreadableError("What is checked out in the repository cannot be read.")
    return Head(commit=_resolve(repository, name), branch=name.removeprefix("refs/heads/"))


def _at(top: Path, git_dir: Path) -> Repository:
    try:
        common = git_dir / _line(git_dir / "commondir")
    except FileNotFoundError:
        common = git_dir
    return Repository(top, git_dir, Path(os.path.normpath(common)))


def _pointed(marker: Path, place: Path) -> Path:
    """Where a worktree's or a submodule's ``.git`` file points."""
    text = _line(marker)
    target = text.removeprefix("gitdir:").strip()
    if target == text or not target:
        raise UnreadableError(f"The file {marker} names no repository.")
    return Path(os.path.normpath(place / target))


def _resolve(repository: Repository, name: str) -> str | None:
    """The commit a branch is at; ``None`` when there is none yet."""
    for folder in (repository.git_dir, repository.common):
        try:
            text = _line(folder / name)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        if _COMMIT.fullmatch(text):
            return text
        raise UnreadableError(f"The branch {name} of the repository cannot be read.")
    if (repository.common / "reftable").is_dir():
        raise UnreadableError("The repository keeps its branches in a form that is not read here.")
    return _packed(repository, name)


def _packed(repository: Repository, name: str) -> str | None:
    wanted = f" {name}"
    try:
        with open_regular(repository.common / "packed-refs") as stream:
            text = stream.read(LARGEST_PACKED_REFS).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    for line in text.splitlines():
        if line.endswith(wanted) and _COMMIT.fullmatch(line.removesuffix(wanted)):
            return line.removesuffix(wanted)
    return None


def _line(path: Path) -> str:
    """The one line of a small file of git. Raises OSError."""
    with open_regular(path) as stream:
        return stream.read(_LONGEST_LINE).decode("utf-8", "replace").strip()
