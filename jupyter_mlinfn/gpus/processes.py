"""What ``/proc`` says of the processes on the devices, and whether the driver's PIDs are ours.

NVML gives host PIDs inside some containers and translated ones in others, depending on the
kernel module; so it is found out at run time (reference: open-gpu-kernel-modules
``osFindNsPid``). Reading ``/proc`` may block behind a process that hangs in the driver, and
user names may come from a slow directory service: all this runs in the agent, with a deadline.
"""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal, TypedDict

from jupyter_mlinfn.process.identity import stat_fields

Namespace = Literal["same", "different", "unknown"]

# The inode of the first PID namespace is fixed in the kernel (PROC_PID_INIT_INO).
_FIRST_NAMESPACE: Final = "pid:[4026531836]"
_CALIBRATE_AGAIN: Final = 30.0
_REFRESH: Final = 15.0
_MAX_PARENTS: Final = 24
_MAX_READ: Final = 1 << 20
_CONNECTION_FILE: Final = re.compile(r"(?:.*/)?kernel-([0-9A-Za-z-]{1,64})\.json")


class ProcessFacts(TypedDict):
    """A process of this PID namespace; ``kernel``, ``session`` and ``job`` where it says so."""

    uid: int
    user: str | None
    name: str
    parents: list[int]
    kernel: str | None
    session: str | None
    job: str | None


class ProcessReader:
    """Facts about processes, kept while a PID stays on the device. ``devices``: device files."""

    def __init__(self, devices: str = "/dev/nvidia", *, namespace: Namespace | None = None) -> None:
        self._devices = devices
        self._forced = namespace
        self._verdict: Namespace = namespace or _first_verdict()
        self._calibrated = float("-inf")
        self._disjoint = 0
        self._known: dict[int, tuple[float, ProcessFacts | None]] = {}

    def facts(self, pids: Iterable[int]) -> dict[int, ProcessFacts]:
        """Facts about those of ``pids`` that are visible here."""
        now = time.monotonic()
        wanted = set(pids)
        self._known = {pid: one for pid, one in self._known.items() if pid in wanted}
        for pid in wanted:
            if pid not in self._known or now - self._known[pid][0] > _REFRESH:
                self._known[pid] = (now, read_facts(pid))
        return {pid: facts for pid, (_, facts) in self._known.items() if facts is not None}

    def namespace(self, pids: Iterable[int]) -> Namespace:
        """Whether the driver's ``pids`` are this PID namespace's.

        ``same`` once found stays. ``different`` needs two looks in which processes of ours hold
        the devices and none of them is named by the driver.
        """
        seen = set(pids)
        now = time.monotonic()
        if self._forced or self._verdict == "same" or not seen:
            return self._verdict
        if self._disjoint != 1 and now - self._calibrated < _CALIBRATE_AGAIN:
            return self._verdict
        self._calibrated = now
        holders = holders_of(self._devices)
        if holders.keys() & seen:
            self._verdict = "same"
        elif any(holders.values()):
            self._disjoint += 1
            self._verdict = "different" if self._disjoint > 1 else self._verdict
        return self._verdict


def _first_verdict() -> Namespace:
    return "same" if str(Path("/proc/self/ns/pid").readlink()) == _FIRST_NAMESPACE else "unknown"


def holders_of(devices: str) -> dict[int, bool]:
    """Our own processes that hold device files open; true: also the one that only CUDA opens.

    Programs that merely watch (this one too) open the devices, but not ``…-uvm``.
    """
    me, mine = os.getpid(), os.getuid()
    found = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == me:
            continue
        try:
            if entry.stat().st_uid != mine:
                continue
            held = [str(Path(one.path).readlink()) for one in os.scandir(f"{entry.path}/fd")]
        except OSError:
            continue  # it ended, or may not be looked at
        ours = [path for path in held if path.startswith(devices)]
        if ours:
            found[int(entry.name)] = any(path.startswith(f"{devices}-uvm") for path in ours)
    return found


def read_facts(pid: int) -> ProcessFacts | None:
    """Facts about one process; ``None``: there is none of this number here."""
    try:
        uid = os.stat(f"/proc/{pid}").st_uid  # noqa: PTH116 - the owner is asked for, nothing else
    except OSError:
        return None
    own = uid == os.getuid()
    parents = list(_parents(pid))
    environment = _environment(pid) if own else {}
    return {
        "uid": uid,
        "user": _user_name(uid),
        "name": (_program(read_words(pid, "cmdline")) if own else None) or _short_name(pid),
        "parents": parents,
        "kernel": kernel_of([pid, *parents]) if own else None,
        "session": environment.get("JPY_SESSION_NAME"),
        "job": environment.get("MLINFN_JOB"),
    }


def read_words(pid: int, name: str) -> list[str]:
    """A NUL-separated file of ``/proc``; empty when it may not be read."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:  # noqa: PTH123 - no Path object a sample
            return file.read(_MAX_READ).decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def _environment(pid: int) -> dict[str, str]:
    pairs = (word.partition("=") for word in read_words(pid, "environ"))
    return {name: text for name, _, text in pairs if name in ("JPY_SESSION_NAME", "MLINFN_JOB")}


def _parents(pid: int) -> Iterable[int]:
    for _ in range(_MAX_PARENTS):
        fields = stat_fields(pid)
        if not fields:
            return
        pid = int(fields[1])
        if pid <= 1:
            return
        yield pid


def kernel_of(line: list[int]) -> str | None:
    """The id of the kernel that the process or one of its parents is."""
    for pid in line:
        for word in read_words(pid, "cmdline"):
            if found := _CONNECTION_FILE.fullmatch(word):
                return found.group(1)
    return None


def _program(words: list[str]) -> str | None:
    """``python train.py`` of a command line: the program and its script, never its options.

    Options may hold secrets.
    """
    if not words or not words[0]:
        return None
    name = Path(words[0]).name
    script = next((word for word in words[1:] if word.endswith(".py")), None)
    return f"{name} {Path(script).name}" if script else name


def _short_name(pid: int) -> str:
    return (read_words(pid, "comm") or ["a program"])[0].strip() or "a program"


@lru_cache(maxsize=256)
def _user_name(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None
