"""Where a database may lie: never on a network file system.

SQLite's write-ahead log needs shared memory and locks that network file systems do not give
(sqlite.org/wal.html, "All processes using a database must be on the same host computer").
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from jupyter_mlinfn.model.errors import Unavailable

NETWORK: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "ceph", "lustre"}
    | {"gpfs", "beegfs", "glusterfs", "orangefs", "pvfs2", "9p", "panfs", "ocfs2", "gfs2"}
)
"""File system types of ``/proc/mounts`` that are shared between machines. Every FUSE file system
(``fuse.*``: sshfs, glusterfs, juicefs, s3fs) counts too, but for those known to be local."""

LOCAL_FUSE: Final = frozenset({"fuse.fuse-overlayfs", "fuse.ntfs", "fuse.exfat", "fuseblk"})


def is_network(path: Path, mounts: str | None = None) -> bool:
    """Whether ``path`` (it need not exist) lies on a file system shared between machines.

    ``mounts`` is the text of ``/proc/mounts``; without it, it is read. Unknown types are local.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text("utf-8", "surrogateescape")
        except OSError:
            return False
    where = os.path.realpath(path)
    best, kind = "", ""
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        point = _unescape(parts[1])
        # a later line for the same point is mounted over the earlier one
        if os.path.commonpath((where, point)) == point and len(point) >= len(best):
            best, kind = point, parts[2]
    return kind in NETWORK or (kind.startswith("fuse.") and kind not in LOCAL_FUSE)


def _unescape(field: str) -> str:
    for code, char in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(code, char)
    return field


def database_path(data_dir: Path, name: str, *, local_root: Path = Path("/var/tmp")) -> Path:  # noqa: S108 - checked below
    """The path for database ``name``: in ``data_dir``, or on a local disk when that is shared.

    The folder on the local disk is named after the person and the data folder, belongs to the
    person alone, and outlives a restart of the machine. Raises :class:`Unavailable` when someone
    else has put something in its place.
    """
    if not is_network(data_dir):
        return data_dir / name
    tag = hashlib.sha256(os.fsencode(os.path.realpath(data_dir))).hexdigest()[:16]
    own = local_root / f"mlinfn-{os.getuid()}"
    for folder in (own, own / tag):
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            raise Unavailable(
                f"{folder} is not a folder for you alone, so it is not used. Ask for its removal.",
                code="data-folder",
            )
    return own / tag / name
