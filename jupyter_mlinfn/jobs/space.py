"""What a draft says of the disks a job writes to, when there is little room left on them.

A quota that the file system puts on a folder (XFS projects, CephFS, container volumes) shows in
``statvfs`` as the size of the disk, so that it counts here too; one per person does not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.quantities import show_memory

LITTLE: Final = 2**30
"""Bytes; a job's outputs are seldom larger than what is left above it."""

FEW: Final = 1000
"""Files that can still be made."""


def notes(output: str | None, data: Path) -> Iterator[str]:
    """A sentence for each disk that is nearly full: of the results, and of the job folders."""
    told = set()
    for folder, what in ((output and Path(output), "the results"), (data, "its log and record")):
        place = folder and _existing(folder)
        if not place:
            continue
        try:
            device, disk = place.stat().st_dev, os.statvfs(place)
        except OSError:
            continue  # what cannot be read at all is told by the other checks
        short = _short(disk)
        if short and device not in told:
            told.add(device)
            yield (
                f"Only {short} left where {what} go ({place}). The job fails when that is used "
                "up: free some space first."
            )


def _short(disk: os.statvfs_result) -> str | None:
    """What there is too little of; file systems without a number of files say 0 of 0."""
    free = disk.f_bavail * disk.f_frsize
    if free < LITTLE:
        return f"{show_memory(free)} are"
    if disk.f_files and disk.f_favail < FEW:
        return f"{disk.f_favail} more files are"
    return None


def _existing(folder: Path) -> Path | None:
    return next((one for one in (folder, *folder.parents) if one.is_dir()), None)
