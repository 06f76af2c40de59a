"""Processes as ``/proc`` shows them: descendants, escapees found by a variable, killing them all.

A process that double-forks and calls ``setsid`` leaves every group and every parent. Two things
still hold it: its orphans are given to the nearest *subreaper* (``prctl(2)``), and its
environment, as it was at ``execve``, stays readable in ``/proc/<pid>/environ``.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.process.identity import start_time, stat_fields

_PR_SET_CHILD_SUBREAPER = 36
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Seen:
    """One living process: times in clock ticks since boot, ``cpu`` in seconds, ``rss`` in bytes."""

    pid: int
    parent: int
    started: int
    cpu: float
    rss: int


def become_subreaper(*, wanted: bool = True) -> None:
    """Be given the orphans of all descendants from now on, or not any more.

    Raises OSError when refused.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(wanted), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def living() -> dict[int, Seen]:
    """All processes of this PID namespace that are no zombies."""
    found = {}
    for pid in _pids():
        fields = stat_fields(pid)
        if fields and fields[0] not in "ZX":
            found[pid] = Seen(
                pid=pid,
                parent=int(fields[1]),
                started=int(fields[19]),
                cpu=(int(fields[11]) + int(fields[12])) / _TICKS,
                rss=int(fields[21]) * _PAGE,
            )
    return found


def descendants(root: int, table: dict[int, Seen] | None = None) -> set[int]:
    """Children of ``root``, their children and so on; ``root`` itself is not among them."""
    children: dict[int, list[int]] = {}
    for process in (living() if table is None else table).values():
        children.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    pending = list(children.get(root, ()))
    while pending:
        pid = pending.pop()
        if pid not in found:
            found.add(pid)
            pending.extend(children.get(pid, ()))
    return found


def carrying(variable: str, value: str) -> set[int]:
    """Living processes of this user that were started with ``variable=value``, except this one."""
    wanted = f"\0{variable}={value}\0".encode()
    mine = os.getuid()
    found = set()
    for pid in _pids():
        try:
            if os.stat(f"/proc/{pid}").st_uid != mine:  # noqa: PTH116 - thousands of them
                continue
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended, or is not ours to look into
        if wanted in b"\0" + environ and pid != os.getpid():
            found.add(pid)
    return found


def with_descendants(pids: Iterable[int], table: dict[int, Seen] | None = None) -> set[int]:
    """``pids`` and everything below them."""
    table = living() if table is None else table
    found = set(pids)
    for pid in tuple(found):
        found |= descendants(pid, table)
    return found


def memory_of(pids: Iterable[int]) -> int:
    """Proportional memory (PSS) of these processes together, bytes: shared pages count once.

    Where PSS cannot be read the resident size counts, which is never less.
    """
    return sum(_pss(pid) for pid in pids)


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        return 0
    except PermissionError:
        fields = stat_fields(pid)
        return int(fields[21]) * _PAGE if fields else 0
    return 0  # a zombie has no memory


def send(pid: int, signum: int, started: int | None = None) -> bool:
    """Signal exactly the process that has this PID now; ``False`` when it is gone.

    With ``started`` (see :class:`Seen`) a process that took over a freed PID is left alone.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        if started is not None and start_time(pid) != started:
            return False
        signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def kill_until_gone(
    find: Callable[[], set[int]], *, within: float, collect: Callable[[], None]
) -> set[int]:
    """SIGKILL what ``find`` finds until it finds nothing twice in a row; returns who is left.

    Twice, because a process may fork between the look and the signal. ``collect`` waits for our
    own children, so that killed ones do not stay as zombies. ``within`` is in seconds.
    """
    until = time.monotonic() + within
    quiet = 0
    while True:
        collect()
        table = living()
        found = {pid for pid in find() if pid in table}
        quiet = 0 if found else quiet + 1
        if quiet == 2 or time.monotonic() > until:
            return found
        for pid in found:
            send(pid, signal.SIGKILL, table[pid].started)
        time.sleep(0.005)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208
