"""From a process of a GPU host to the container it is in, as the host's ``/proc`` tells it.

Control groups name containers by 64 hexadecimal digits: ``/docker/<id>`` and
``docker-<id>.scope`` (Docker), ``cri-containerd-<id>.scope`` and ``/kubepods/…/<id>``
(Kubernetes), ``libpod-<id>`` (Podman). Of nested ones the outermost is the hub's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final

from jupyter_mlinfn.gpus.processes import read_words
from jupyter_mlinfn.hub.reclaim.samples import Occupant
from jupyter_mlinfn.process.identity import start_time, stat_fields

_PART: Final = re.compile(r"(?:(?:docker|cri-containerd|crio|libpod)-)?([0-9a-f]{64})(?:\.scope)?")
_BATCH: Final = frozenset({"jupyter_mlinfn.jobs.supervisor", "jupyter_mlinfn.jobs.runner"})
_MAX_PARENTS: Final = 24


def container_of(text: str) -> str | None:
    """The container's id in the text of ``/proc/<pid>/cgroup``; ``None``: in no container."""
    for line in text.splitlines():
        for part in line.split(":", 2)[-1].split("/"):
            if found := _PART.fullmatch(part):
                return found.group(1)
    return None


def inner_pid(status: str) -> int | None:
    """The process's number in its innermost PID namespace, of ``/proc/<pid>/status``."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return None


def is_batch(words: Iterable[str]) -> bool:
    """Whether a command line is that of a job's supervisor or runner.

    The command line, because everybody may read it; a person who forges one keeps what she
    could as well keep by working on it.
    """
    words = list(words)
    return any(name in _BATCH and before == "-m" for before, name in pairwise(words))


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text("utf-8", "replace")
    except OSError:
        return ""  # it ended meanwhile


@dataclass
class Place:
    """Where one process is. ``born`` is its start: a number that was given again is another."""

    born: int | None
    container: str | None
    inside: int | None
    batch: bool


@dataclass
class Containers:
    """Looks at processes and remembers them while they live.

    ``read``: the text of a file of ``/proc/<pid>/``; ``words``: its command line.
    """

    read: Callable[[int, str], str] = _read
    words: Callable[[int, str], list[str]] = read_words
    _known: dict[int, Place] = field(default_factory=dict)

    def occupants(self, pids: Iterable[int]) -> tuple[Occupant, ...]:
        """The containers that ``pids`` are in, with what is to be said of each."""
        by_id: dict[str | None, list[tuple[int, Place]]] = {}
        for pid in sorted(pids):
            place = self._place(pid)
            by_id.setdefault(place.container, []).append((pid, place))
        return tuple(
            Occupant(
                id=name,
                pids=tuple(pid for pid, _ in found),
                inside=tuple(place.inside for _, place in found if place.inside is not None),
                batch=any(place.batch for _, place in found),
            )
            for name, found in by_id.items()
        )

    def forget_all_but(self, pids: Iterable[int]) -> None:
        """Remember ``pids`` alone."""
        keep = set(pids)
        self._known = {pid: one for pid, one in self._known.items() if pid in keep}

    def with_batch(self) -> tuple[str, ...]:
        """Ids of the containers in which a batch step lives. Looks at every process."""
        found = {
            container_of(self.read(pid, "cgroup"))
            for pid in _everybody()
            if is_batch(self.words(pid, "cmdline"))
        }
        return tuple(sorted(one for one in found if one))

    def _place(self, pid: int) -> Place:
        born = start_time(pid)
        known = self._known.get(pid)
        if known is None or known.born != born:
            known = Place(
                born=born,
                container=container_of(self.read(pid, "cgroup")),
                inside=inner_pid(self.read(pid, "status")),
                batch=any(is_batch(self.words(one, "cmdline")) for one in _line(pid)),
            )
            self._known[pid] = known
        return known


def _line(pid: int) -> Iterator[int]:
    """The process and those above it."""
    for _ in range(_MAX_PARENTS):
        yield pid
        fields = stat_fields(pid)
        if not fields or int(fields[1]) <= 1:
            return
        pid = int(fields[1])


def _everybody() -> Iterator[int]:
    return (int(one.name) for one in os.scandir("/proc") if one.name.isdigit())
