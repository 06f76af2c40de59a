"""Making the folders of a session before it starts, on the hub's side, with right owner and mode.

Below the roots that the admin names no link is followed: each folder is opened, or made, in the
one before it. A folder that is there already keeps what lies in it; one that belongs to somebody
else is never handed over.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.plans import Mount
from jupyter_mlinfn.storage.descent import FOLDER, is_other_kind, names_in, open_top

PRIVATE: Final = 0o700
SHARED: Final = 0o755
COLLABSPACE: Final = 0o2770
LOOKED_AT: Final = 0o750

_ACL: Final = "system.posix_acl_default"
_ENTRY: Final = struct.Struct("<HHI")
_GROUP_WRITES: Final = struct.pack("<I", 2) + b"".join(
    _ENTRY.pack(tag, bits, 0xFFFFFFFF) for tag, bits in ((0x01, 7), (0x04, 7), (0x20, 0))
)
"""A default ACL (acl(5)): owner and group do everything, others nothing, whatever the umask."""


@dataclass(frozen=True)
class Made:
    """A folder that is ready. ``made``: it was not there before. ``open_to_group``: what people
    make in it is writable for the group whatever their umask."""

    path: str
    made: bool
    open_to_group: bool = True


def make(
    mounts: Iterable[Mount],
    owner: tuple[int, int],
    *,
    areas: Sequence[Area] = (),
    groups: Mapping[str, int] | None = None,
    roots: Sequence[str] = ("/",),
) -> tuple[Made, ...]:
    """Make the sources of all bind mounts that ask for it, in order; made ones stay as they are.

    ``owner`` is user and group id of the session. A mount that is ``shared_with`` a group becomes
    a collabspace: mode 2770, the group's id out of ``groups``. Where the hub knows none, the
    session's own group stands in: all sessions have the same there, and who may enter is decided by
    who gets the mount. A mount of an area of kind ``shared`` gets mode 0755, all others 0700. A
    folder that is mounted read-only, such as that of the backups, is made as the hub's own, mode
    0750 for the group to look at; one that is there stays as its admin wants it.

    Raises :class:`InputError` (``outside-roots``), :class:`Refused` (``in-the-way``,
    ``belongs-to-another``) and :class:`Unavailable` (``folder-failed``).
    """
    kinds = {area.path: area.kind for area in areas}
    made = []
    for mount in mounts:
        if mount.kind != "bind" or not mount.create:
            continue
        group = owner[1]
        if mount.shared_with is not None:
            group = (groups or {}).get(mount.shared_with, owner[1])
        if mount.read_only:
            made.append(_ready(mount.source, roots, None, group, LOOKED_AT))
        elif mount.shared_with is not None:
            made.append(_ready(mount.source, roots, None, group, COLLABSPACE))
        else:
            mode = SHARED if kinds.get(mount.target) == "shared" else PRIVATE
            made.append(_ready(mount.source, roots, owner[0], owner[1], mode))
    return tuple(made)


def _ready(source: str, roots: Sequence[str], user: int | None, group: int, mode: int) -> Made:
    root, parts = _below(source, roots)
    try:
        with ExitStack() as opened:
            at, made = open_top(root), False
            opened.callback(os.close, at)
            for part in parts:
                at, made = _next(at, part)
                opened.callback(os.close, at)
            if mode == LOOKED_AT and not made:
                return Made(source, made=False)
            open_to_group = _give(at, source, user, group, mode, made=made)
    except OSError as error:
        raise _explained(source, error) from error
    return Made(source, made, open_to_group)


def _below(source: str, roots: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The root a source lies below, and the names on the way; the longest root wins."""
    path = PurePosixPath(source)
    plain = path.is_absolute() and ".." not in path.parts and "\0" not in source
    for root in sorted(map(PurePosixPath, roots), key=lambda one: -len(one.parts)):
        if plain and path != root and path.is_relative_to(root):
            return str(root), path.relative_to(root).parts
    raise InputError(
        f"{source[:200]!r} lies outside of the folders that sessions may use.",
        code="outside-roots",
        field="source",
    )


def _next(at: int, name: str) -> tuple[int, bool]:
    """The folder of this name in ``at``, and whether it was made now.

    Folders on the way are the hub's own: everybody may pass, nobody else may write.
    """
    made = False
    with suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
        made = True
    below = os.open(name, FOLDER, dir_fd=at)
    if made:
        os.fchmod(below, 0o755)
    return below, made


def _give(at: int, source: str, user: int | None, group: int, mode: int, *, made: bool) -> bool:
    """Owner, group and mode; whether what is made in it is open to its group."""
    facts = os.fstat(at)
    maker = os.geteuid()
    wanted = maker if user is None else user
    if facts.st_uid not in (wanted, maker):
        raise _another(source)
    if not made and facts.st_uid != wanted and names_in(at):
        # a run that was killed leaves an empty folder of the maker's, never a full one
        raise _another(source)
    if (facts.st_uid, facts.st_gid) != (wanted, group):
        os.fchown(at, wanted, group)
    if stat.S_IMODE(os.fstat(at).st_mode) != mode:
        os.fchmod(at, mode)
    return mode != COLLABSPACE or _open_to_group(at)


def _open_to_group(at: int) -> bool:
    try:
        if _has_acl(at):
            return True
        os.setxattr(at, _ACL, _GROUP_WRITES)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENOSYS):
            return False
        raise
    return True


def _has_acl(at: int) -> bool:
    try:
        return bool(os.getxattr(at, _ACL))
    except OSError as error:
        if error.errno == errno.ENODATA:
            return False
        raise


def _another(source: str) -> Refused:
    return Refused(
        f"{source} is there and belongs to somebody else, so it is not given to this session. "
        "An admin must look at it; nothing was changed.",
        code="belongs-to-another",
    )


def _explained(source: str, error: OSError) -> MlinfnError:
    if is_other_kind(error):
        return Refused(
            f"On the way to {source} lies a link or a file where a folder should be. "
            "An admin must look at it; nothing was changed.",
            code="in-the-way",
        )
    return Unavailable(
        f"The folder {source} cannot be made: {error.strerror or error}.", code="folder-failed"
    )
