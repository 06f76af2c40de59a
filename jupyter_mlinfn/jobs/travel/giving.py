"""What comes back: a job's attempts, packed on the far side.

::

    travel.json, *.log                              of the job's folder
    checkpoints/
    attempts/<n>/<the files named in TAKEN>, published/  (outputs/ where nothing was published)
    points/<k>/…                                    the same of a sweep's points
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from jupyter_mlinfn.jobs.attempt import POINTS, PUBLISHED, TRAVEL, AttemptFolder
from jupyter_mlinfn.jobs.travel.archive import Packer, packing
from jupyter_mlinfn.process import locks

END: Final = "end.json"
TAKEN: Final = frozenset(
    {
        *("claim.json", "supervisor.json", "supervisor.log", "runner.json", "begun", "hooks"),
        *("events.jsonl", "log.txt", "values.jsonl", "notebook.ipynb", "result.json"),
        *("returned.json", "live.json", "stopping.json", "node.json", "outputs.json"),
        *("verdict.json", END),
    }
)
"""Files of an attempt that come home: no lock, no key to its kernel."""

NUMBER: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
POINT: Final = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)
LOG: Final = re.compile(r"[a-z]{1,40}\.log", re.ASCII)

_SETTLES_WITHIN: Final = 3.0
_LOOKS_EVERY: Final = 0.05


def give(
    folder: Path,
    target: BinaryIO,
    *,
    checkpoints: bool = True,
    points: Collection[int] | None = None,
    most: int | None = None,
) -> None:
    """Write all attempts of the job in ``folder`` as a tar, or those of some ``points``.

    ``most``: bytes after which no further point is begun. An attempt that has just ended is waited
    for, a moment: its supervisor writes its last lines. Raises OSError.
    """
    homes: dict[Path, list[AttemptFolder]] = {folder: []} if points is None else {}
    for one in attempts(folder, points):
        homes.setdefault(one.home, []).append(one)
    _wait_for_supervisors([one for found in homes.values() for one in found])
    with packing(target) as packer:
        packer.file(TRAVEL, folder / TRAVEL)
        for path in sorted(folder.iterdir()):
            if LOG.fullmatch(path.name) and path.is_file() and not path.is_symlink():
                packer.file(path.name, path)
        for number, (home, found) in enumerate(homes.items()):
            if number and most is not None and packer.size > most:
                return
            if checkpoints and (home / "checkpoints").is_dir():
                name = (home / "checkpoints").relative_to(folder).as_posix()
                packer.tree(name, home / "checkpoints", hidden=False)
            for attempt in found:
                _give(packer, attempt, attempt.path.relative_to(folder).as_posix())


def attempts(folder: Path, points: Collection[int] | None = None) -> Iterator[AttemptFolder]:
    """All attempts of a job, those of its points too, or those of some ``points`` alone; each
    home's first one first."""
    homes = [folder] if points is None else [folder / POINTS / str(one) for one in sorted(points)]
    if points is None and (folder / POINTS).is_dir():
        homes += [one for one in sorted((folder / POINTS).iterdir()) if POINT.fullmatch(one.name)]
    for home in homes:
        try:
            names = [entry.name for entry in (home / "attempts").iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        for number in sorted(int(name) for name in names if NUMBER.fullmatch(name)):
            yield AttemptFolder(home / "attempts" / str(number))


def _give(packer: Packer, attempt: AttemptFolder, name: str) -> None:
    # whether it has ended is asked first: what is packed after it is not older than the end
    ended = attempt.end.exists()
    for taken in sorted(TAKEN - {END}):
        if not (attempt.path / taken).is_symlink():
            packer.file(f"{name}/{taken}", attempt.path / taken)
    published = attempt.path / PUBLISHED
    if ended and published.is_dir():
        packer.tree(f"{name}/{PUBLISHED}", published)
    elif ended and attempt.outputs.is_dir():
        packer.tree(f"{name}/outputs", attempt.outputs)
    if ended:
        packer.file(f"{name}/{END}", attempt.end)


def _wait_for_supervisors(found: list[AttemptFolder]) -> None:
    ending = [one for one in found if one.end.exists()]
    until = time.monotonic() + _SETTLES_WITHIN
    while any(locks.held(one.supervisor_lock) for one in ending) and time.monotonic() < until:
        time.sleep(_LOOKS_EVERY)
