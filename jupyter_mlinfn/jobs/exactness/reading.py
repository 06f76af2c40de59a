"""What the folders of a job tell of its exactness; damaged files tell nothing."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.exactness.files import read_regular
from jupyter_mlinfn.jobs.exactness.outputs import OUTPUTS, VERDICT, list_outputs
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.exactness import Node, OutputFile, Verdict
from jupyter_mlinfn.model.jobs import Attempt

LARGEST: Final = 16 * 2**20
"""Bytes of the largest note that is read: 20,000 files with long names."""
MOST_NOW: Final = 2**30
"""Bytes of outputs that are hashed while somebody waits for a comparison."""

_Model = TypeVar("_Model", bound=BaseModel)


class _Outputs(BaseModel):
    files: tuple[OutputFile, ...]


def with_nodes(attempts: Iterable[Attempt], job: Path) -> tuple[Attempt, ...]:
    """The attempts, each with the machine it ran on; ``job`` is the folder that holds them."""
    return tuple(
        one.model_copy(update={"node": read_node(job / "attempts" / str(one.number))})
        for one in attempts
    )


def read_node(attempt: Path) -> Node | None:
    """The machine an attempt ran on."""
    return _read(AttemptFolder(attempt).node, Node)


def read_verdict(folders: JobFolders, job: str) -> Verdict | None:
    """The verdict on an exact rerun, of the newest attempt that has one."""
    for number in reversed(folders.attempts(job)):
        if found := _read(folders.attempt(job, number) / VERDICT, Verdict):
            return found
    return None


def read_outputs(job: Path, output_folder: Path) -> tuple[OutputFile, ...] | None:
    """What was published, with its hashes as they were then; else as the files are now.

    ``job`` is the folder that holds the attempts (a job's, or a point's). ``None``: nothing is
    there.
    """
    for attempt in sorted((job / "attempts").glob("[0-9]*"), key=_number, reverse=True):
        if found := _read(attempt / OUTPUTS, _Outputs):
            return found.files
    if not output_folder.is_dir():
        return None
    try:
        files = list_outputs(output_folder, MOST_NOW)
    except OSError:
        return None
    return tuple(OutputFile.model_validate(one) for one in files)


def _number(path: Path) -> int:
    return int(path.name) if path.name.isdecimal() else 0


def _read(path: Path, kind: type[_Model]) -> _Model | None:
    try:
        return kind.model_validate_json(read_regular(path, LARGEST))
    except (OSError, ValidationError):
        return None
