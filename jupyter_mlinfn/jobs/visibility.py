"""Whether a place sees what a job needs: its folder, its inputs, its environment.

A site's word counts (setting ``shared_folders``). Without it nobody knows: then only what surely
lies on one machine alone is told, as a note.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.backends.protocol import Backend, Elsewhere, elsewhere, travels
from jupyter_mlinfn.jobs.choosing import LOCAL
from jupyter_mlinfn.model.environments import EnvironmentRef
from jupyter_mlinfn.model.errors import Problem

PRIVATE: Final = ("/tmp", "/var/tmp", "/dev/shm", "/run")  # noqa: S108
"""Folders that every machine has of its own."""


@dataclass(frozen=True)
class Need:
    """A path that the job needs: ``what`` it is for people, ``field`` of the request."""

    path: str
    what: str
    field: str


def needs(
    folder: Path, inputs: Sequence[str], environment: EnvironmentRef | None, data: Path
) -> tuple[Need, ...]:
    """All that a job reads and writes: its folder, inputs, environment, this program."""
    return tuple(_needs(folder, inputs, environment, data))


class Sight:
    """What the places see. ``shared``: by back-end the folders that all its machines see."""

    def __init__(self, shared: Mapping[str, Sequence[str]]) -> None:
        self._shared = {name: tuple(folders) for name, folders in shared.items()}

    def problems(
        self, backend: Backend, needed: Sequence[Need], environment: EnvironmentRef | None
    ) -> list[Problem]:
        """What the job needs and this back-end does not see."""
        if backend.name == LOCAL:
            return []
        found = []
        if travels(backend):
            return _left_behind(backend, needed, environment, self._shared.get(backend.name, ()))
        if (folders := self._shared.get(backend.name)) is not None:
            found = [_unseen(backend, need, folders) for need in _outside(needed, folders)]
        if not backend.shares_folder and environment is not None:
            found += _not_packed(backend, environment, folders or ())
        return found

    def problems_elsewhere(
        self, backend: Backend, needed: Sequence[Need], environment: EnvironmentRef | None
    ) -> list[Problem]:
        """What the job needs and machines do not see to which this back-end may hand it on."""
        there = elsewhere(backend)
        if there is None:
            return []
        if there.staged:
            needed = [need for need in needed if not _is_sent(need, needed, environment)]
        return [_not_there(backend, need, there) for need in needed if not _is_there(need, there)]

    def notes(self, backend: Backend, needed: Sequence[Need]) -> list[str]:
        """What it may well not see, where nobody told which folders it does."""
        if backend.name == LOCAL or backend.name in self._shared or not backend.shares_folder:
            return []
        lone = [need for need in needed if _inside(need.path, PRIVATE)]
        if not lone:
            return []
        what = ", ".join(dict.fromkeys(need.what for need in lone))
        return [
            f"Usually only this machine sees {lone[0].path} ({what}). If the machines of "
            f"{backend.title} do not see it, the job cannot start: copy it to a shared folder."
        ]


def _needs(
    folder: Path, inputs: Sequence[str], environment: EnvironmentRef | None, data: Path
) -> Iterator[Need]:
    yield Need(str(folder), "the notebook's folder", "source")
    for number, path in enumerate(inputs):
        yield Need(os.path.normpath(folder / path), f"the input {path}", f"inputs.{number}")
    if environment is not None:
        place = environment.image or environment.prefix or environment.kernel.argv[0]
        if Path(place).is_absolute():
            yield Need(place, f"the environment {environment.name}", "environment")
    yield Need(str(data), "the folder of jobs (data_dir)", "data_dir")
    yield Need(sys.prefix, "the Python of this program", "program")


def _outside(needed: Sequence[Need], folders: Sequence[str]) -> list[Need]:
    return [need for need in needed if not _inside(need.path, folders)]


def _unseen(backend: Backend, need: Need, folders: Sequence[str]) -> Problem:
    seen = ", ".join(folders) or "no folder of this machine"
    return Problem(
        code="not-visible",
        field=need.field,
        text=f"The machines of {backend.title} do not see {need.path}: {need.what}.",
        hint=f"They see {seen}. Copy or move it there, or run on this machine.",
    )


def _left_behind(
    backend: Backend,
    needed: Sequence[Need],
    environment: EnvironmentRef | None,
    folders: Sequence[str],
) -> list[Problem]:
    """What cannot travel with the job's folder and is not among the ``folders`` of the site."""
    home = next((need.path for need in needed if need.field == "source"), "")
    found = [
        Problem(
            code="not-visible",
            field=need.field,
            text=f"{backend.title} sees none of your folders. What lies below the notebook's "
            f"folder is sent along; {need.path} lies elsewhere: {need.what}.",
            hint="Copy it below the notebook's folder, or run on this machine.",
        )
        for need in needed
        if need.field.startswith("inputs.") and not _inside(need.path, (home, *folders))
    ]
    prefix = environment.prefix if environment is not None else None
    if environment is None or prefix is None or environment.image is not None:
        return found
    if prefix != sys.prefix and not _inside(prefix, folders):
        found.append(_pack_it(backend, environment.name))
    return found


def _is_sent(need: Need, needed: Sequence[Need], environment: EnvironmentRef | None) -> bool:
    """Whether it travels with the job's folder; programs are those of the image."""
    if need.field == "environment" and environment is not None:
        return environment.image is not None or environment.prefix == sys.prefix
    home = [one.path for one in needed if one.field == "source"]
    return not need.field.startswith("inputs.") or _inside(need.path, home)


def _is_there(need: Need, there: Elsewhere) -> bool:
    if _inside(need.path, there.folders):
        return True
    # programs may be a part of the image; what a person has written is none
    return need.field in ("environment", "program") and not _inside(need.path, there.volumes)


def _not_there(backend: Backend, need: Need, there: Elsewhere) -> Problem:
    seen = ", ".join(there.folders) or "no folder of here"
    return Problem(
        code="needs-shared-folder",
        field=need.field,
        text=f"Machines elsewhere, to which {backend.title} may hand this job on, do not see "
        f"{need.path}: {need.what}.",
        hint=f"They see {seen}. Do not let it run elsewhere (--offload), or move it there.",
    )


def _not_packed(
    backend: Backend, environment: EnvironmentRef, folders: Sequence[str]
) -> list[Problem]:
    """One's own environment on a system that shares no folder travels as one file, or not."""
    prefix = environment.prefix
    if prefix is None or environment.image is not None or _inside(prefix, folders):
        return []
    if not _inside(prefix, (str(Path.home()),)):
        return []  # what the machine itself has, the system's image has too
    return [_pack_it(backend, environment.name)]


def _pack_it(backend: Backend, name: str) -> Problem:
    return Problem(
        code="environment-not-packed",
        field="environment",
        text=f"{backend.title} sees none of your folders, and the environment {name} is one.",
        hint=f"Pack it as one file (mlinfn env pack {name}) and choose that as the kernel.",
    )


def _inside(path: str, folders: Sequence[str]) -> bool:
    """Whether ``path``, as it is written or as it really lies, is in one of ``folders``."""
    for folder in filter(os.path.isabs, map(os.path.expanduser, folders)):
        for one, root in ((path, folder), (os.path.realpath(path), os.path.realpath(folder))):
            here = os.path.normpath(one)
            if os.path.commonpath((here, os.path.normpath(root))) == os.path.normpath(root):
                return True
    return False
