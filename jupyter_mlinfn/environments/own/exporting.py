"""Environments as files for other programs, and what two of them do not have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.reading import read_head
from jupyter_mlinfn.model.environment_answers import Difference, ExportedFile, ExportForm
from jupyter_mlinfn.model.errors import Conflict

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.store import OwnEnvironments

FILE_NAMES: dict[ExportForm, str] = {
    "environment.yml": "environment.yml",
    "conda-lock.yml": "conda-lock.yml",
    "explicit": "explicit.txt",
    "platforms": "platforms.conda-lock.yml",
}
_LARGEST = 64 * 2**20


def export_file(own: OwnEnvironments, name: str, form: ExportForm) -> ExportedFile:
    """The file of this form as it was written when the lock was installed.

    ``name`` may be ``NAME@DIGEST``. Raises :class:`NotFound` for what is not there, and
    :class:`Conflict` (``no-papers``) when the environment has no such file.
    """
    path = own.papers(name) / FILE_NAMES[form]
    try:
        content = read_head(path, _LARGEST)
    except FileNotFoundError:
        if form == "platforms":
            raise Conflict(
                f"'{name}' was not locked for several platforms in this state.",
                code="no-papers",
                field="form",
                hint="Do so first: mlinfn env lock NAME --platform linux-64 --platform …",
            ) from None
        raise Conflict(
            f"'{name}' has no {FILE_NAMES[form]}.",
            code="no-papers",
            field="form",
            hint="Only environments with a lock can be exported; clone it to get one.",
        ) from None
    file_name = "conda-lock.yml" if form == "platforms" else path.name
    return ExportedFile(
        name=name, form=form, file_name=file_name, text=content.decode("utf-8", "replace")
    )


def compare(own: OwnEnvironments, left: str, right: str) -> Difference:
    """What is other in ``right`` than in ``left``; both ``NAME`` or ``NAME@DIGEST``."""
    return compare_locks(left, own.lock(left), right, own.lock(right))


def compare_locks(left: str, before: Lock, right: str, after: Lock) -> Difference:
    """The same for locks. Raises :class:`Conflict` when they share no platform."""
    from jupyter_mlinfn.environments.locks.difference import difference

    shared = [platform for platform in after.platforms if platform in before.platforms]
    if not shared:
        raise Conflict(
            f"'{left}' is for {', '.join(before.platforms)}, '{right}' for "
            f"{', '.join(after.platforms)}: they cannot be compared.",
            code="no-shared-platform",
        )
    change = difference(before, after, shared[0])
    return Difference(left=left, right=right, platform=shared[0], change=change)
