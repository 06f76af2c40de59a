"""What Linux offers for a view of the file system of one's own; by libc, as ``unshare(1)`` does.

For single-threaded programs that then become another program by exec. Every call raises OSError.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
from pathlib import Path
from typing import Final

NEW_MOUNTS: Final = 0x00020000
NEW_USER: Final = 0x10000000

READ_ONLY: Final = 1
NO_SPECIAL: Final = 2 | 4
"""No set-user-id programs, no devices."""
_REMOUNT: Final = 32
_BIND: Final = 4096
_RECURSIVE: Final = 16384
_PRIVATE: Final = 1 << 18
_DETACH: Final = 2

_SYS_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "s390x": 217, "riscv64": 41}
_PR_SET_PDEATHSIG: Final = 1
_PR_CAP_AMBIENT: Final = 47
_AMBIENT_RAISE: Final = 2
_CAPABILITY_VERSION: Final = 0x20080522
_ALL_WORDS: Final = 64

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p,
)  # fmt: skip


def own_mounts() -> None:
    """From now on what is mounted is seen by this process and its children alone."""
    _unshare(NEW_MOUNTS, "you may not mount here")
    _no_spreading()


def own_user_and_mounts() -> None:
    """The same without privilege: in a user namespace where we are who we were.

    Other people's files seem to belong to nobody there; what we may do with them stays.
    """
    user, group = os.geteuid(), os.getegid()
    _unshare(NEW_USER | NEW_MOUNTS, "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    _no_spreading()


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    """``mount(2)``."""
    words = (source.encode(), os.fsencode(target), kind.encode())
    _check(_libc.mount(*words, flags, options.encode() or None), f"mount {target}")


def bind(source: str, target: str) -> None:
    """Show ``source``, with all that is mounted in it, at ``target`` too."""
    done = _libc.mount(os.fsencode(source), os.fsencode(target), None, _BIND | _RECURSIVE, None)
    _check(done, f"bind {target}")


def make_read_only(target: str) -> None:
    """Let nobody here write to the mount ``target`` (not to those below it)."""
    flags = _REMOUNT | _BIND | READ_ONLY
    _check(_libc.mount(None, os.fsencode(target), None, flags, None), f"remount {target}")


def pivot_root(new: str, old: str) -> None:
    """Make ``new`` the root; the present one is found at ``old``, a folder below ``new``."""
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"pivot_root is not known for {os.uname().machine}")
    _check(_libc.syscall(number, os.fsencode(new), os.fsencode(old)), "pivot_root")
    os.chdir("/")


def detach(target: str) -> None:
    """Take a mount away; it ends when nobody uses it any more."""
    _check(_libc.umount2(os.fsencode(target), _DETACH), f"umount {target}")


def end_with_parent() -> None:
    """Be killed when the parent ends, however it ends."""
    parent = os.getppid()
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked


def keep_rights_over_exec() -> None:
    """Let the next program have the rights we have in our user namespace, also if not root."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    data = ctypes.create_string_buffer(24)
    _check(_libc.capget(header, data), "capget")
    words = list(struct.unpack("6I", data.raw))
    words[2], words[5] = words[1], words[4]  # inheritable: all that is permitted
    _check(_libc.capset(header, struct.pack("6I", *words)), "capset")
    permitted = words[1] | words[4] << 32
    for number in range(_ALL_WORDS):
        if permitted >> number & 1:
            _check(_libc.prctl(_PR_CAP_AMBIENT, _AMBIENT_RAISE, number, 0, 0), "prctl")


def _unshare(flags: int, refused: str) -> None:
    if _libc.unshare(flags) != 0:
        number = ctypes.get_errno()
        # ENOSPC: the limit of namespaces is used up, often because it is 0
        known = number in (errno.EPERM, errno.ENOSPC, errno.EACCES, errno.EUSERS)
        raise OSError(number, refused if known else f"unshare: {os.strerror(number)}")


def _no_spreading() -> None:
    _check(_libc.mount(b"none", b"/", None, _RECURSIVE | _PRIVATE, None), "mount /")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
