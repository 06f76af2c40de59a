"""Going on in a new job where an old one left off: with a copy of its checkpoints."""

from __future__ import annotations

import shutil
from pathlib import Path

from jupyter_mlinfn.jobs.checkpoints import newest
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.errors import InputError, Refused
from jupyter_mlinfn.model.jobs import JobSpec, RerunRequest


def checkpoints_to_copy(folders: JobFolders, before: JobSpec, changes: RerunRequest) -> Path | None:
    """The folder of checkpoints a rerun begins with; ``None`` when it begins anew.

    Raises :class:`InputError` (``no-checkpoint``) when there is none, and :class:`Refused` for a
    sweep, whose points have a folder each, and for an exact rerun.
    """
    if not changes.from_checkpoint:
        return None
    if before.points or changes.exact:
        what = "A sweep" if before.points else "An exact rerun"
        text = f"{what} cannot continue from a checkpoint: it begins anew. Leave that out."
        raise Refused(text, code="no-checkpoint")
    folder = folders.job(before.id) / "checkpoints"
    if newest(folder) is None:
        raise InputError(
            f"The job {before.name} left no checkpoint, so there is nothing to continue from. "
            "Run it again from its beginning.",
            code="no-checkpoint",
            field="from_checkpoint",
        )
    return folder


def copy_checkpoints(source: Path, target: Path) -> None:
    """Copy what is whole, with its times; links and what is being written stay behind.

    A copy and no link: the new job replaces its files, and the old job's must stay as they are.
    """
    target.mkdir(mode=0o700)
    for entry in source.iterdir():
        if entry.name.startswith(".") or entry.is_symlink():
            continue
        if entry.is_dir():
            copy_checkpoints(entry, target / entry.name)
        elif entry.is_file():
            shutil.copy2(entry, target / entry.name, follow_symlinks=False)
