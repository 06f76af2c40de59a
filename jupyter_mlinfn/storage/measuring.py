"""How full an area is: of its quota when it has one, else of its file system; of a bucket, how
much lies in it."""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Final

from jupyter_mlinfn.model.areas import Area, AreaUse
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.storage.descent import top

_FSGETXATTR: Final = 0x801C581F
"""``FS_IOC_FSGETXATTR`` of linux/fs.h."""
_FSXATTR: Final = struct.Struct("IIIII8x")
_PROJINHERIT: Final = 0x200
_AGAIN: Final = 600.0
"""Seconds after which a folder is counted again, when somebody looks."""
_AGAIN_AFTER_TROUBLE: Final = 15.0
_BREATH: Final = 500


def use_of_file_system(at: int, path: str) -> AreaUse:
    """Of the file system the folder ``at`` is open in, or of its project quota.

    Inside a folder with a project quota, XFS and ext4 answer ``statvfs`` with the quota's numbers
    (xfs: ``xfs_qm_statvfs``, ext4: ``ext4_statfs_project``); no further right is needed.
    """
    facts = os.fstatvfs(at)
    used = (facts.f_blocks - facts.f_bfree) * facts.f_frsize
    total = used + facts.f_bavail * facts.f_frsize
    if not facts.f_blocks:
        return AreaUse(used=None, total=None, of="unknown", measured_at=datetime.now(UTC))
    limited = _has_project_quota(at, path, facts.f_blocks)
    return AreaUse(
        used=used,
        total=total,
        of="quota" if limited else "file system",
        measured_at=datetime.now(UTC),
    )


def _has_project_quota(at: int, path: str, blocks: int) -> bool:
    try:
        told = fcntl.ioctl(at, _FSGETXATTR, bytes(_FSXATTR.size))
    except OSError:
        return False
    flags, _, _, project, _ = _FSXATTR.unpack(told)
    if not flags & _PROJINHERIT or not project:
        return False
    here = Path(path).resolve()
    mount = next(one for one in (here, *here.parents) if one.is_mount())
    return mount == here or os.statvfs(mount).f_blocks > blocks


@dataclass(frozen=True)
class Counted:
    """What lies in a folder and below, as the disk holds it (``du``), or in a bucket.

    ``problem``: why it could not be counted; nothing is known then.
    """

    used: int
    files: int
    at: datetime
    at_least: bool = False
    problem: MlinfnError | None = None


def count(path: str) -> Counted:
    """Count a folder without following links or leaving its file system; takes its time.

    What cannot be read counts as nothing. A file with several names counts once.
    """
    with top(path) as at:
        device = os.fstat(at).st_dev
    used = files = seen = 0
    linked: set[int] = set()
    pending = [path]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if facts.st_dev != device:
                continue
            if stat.S_ISDIR(facts.st_mode):
                pending.append(entry.path)
            elif facts.st_nlink > 1:
                if facts.st_ino in linked:
                    continue
                linked.add(facts.st_ino)
            files += not stat.S_ISDIR(facts.st_mode)
            used += facts.st_blocks * 512
            if (seen := seen + 1) % _BREATH == 0:
                time.sleep(0.001)  # others of this process get their turn
    return Counted(used, files, datetime.now(UTC))


class Counting:
    """Counts made in the background by ``count`` and kept with their age."""

    def __init__(self, count: Callable[[Area], Counted] = lambda area: count(area.path)) -> None:
        self._make = count
        self._lock = Lock()
        self._counted: dict[str, Counted] = {}
        self._running: set[str] = set()

    def use(self, area: Area) -> tuple[AreaUse | None, bool]:
        """The last count of an area and whether it is being counted now; starts a count when the
        last one is old. Raises the :class:`MlinfnError` that it ended with."""
        last = self._counted.get(area.name)
        old = last is None or (datetime.now(UTC) - last.at).total_seconds() > _rest(last)
        with self._lock:
            starts = old and area.name not in self._running
            if starts:
                self._running.add(area.name)
        if starts:
            name = f"mlinfn-count-{area.name}"
            Thread(target=self._count, args=(area,), name=name, daemon=True).start()
        # in this order: a count that ends between the two looks is told
        running = area.name in self._running
        last = self._counted.get(area.name)
        if last is None:
            return None, running
        if last.problem is not None:
            raise last.problem
        return (
            AreaUse(
                used=last.used,
                total=area.quota,
                of="quota" if area.quota else "unknown",
                files=last.files,
                at_least=last.at_least,
                measured_at=last.at,
            ),
            running,
        )

    def _count(self, area: Area) -> None:
        try:
            self._counted[area.name] = self._make(area)
        except MlinfnError as error:
            self._counted[area.name] = Counted(0, 0, datetime.now(UTC), problem=error)
        except OSError:
            # why it cannot be read the area's own state says; its size stays unknown
            return
        finally:
            with self._lock:
                self._running.discard(area.name)


def _rest(last: Counted) -> float:
    return _AGAIN if last.problem is None else _AGAIN_AFTER_TROUBLE
