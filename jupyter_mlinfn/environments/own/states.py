"""One state of an own environment: a lock that it has, or once had, with its papers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.layout import Layout, Place
from jupyter_mlinfn.environments.own.naming import split_state
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, not_yours, read_record
from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.environment_answers import EnvironmentHistory, HistoryState
from jupyter_mlinfn.model.environments import Package
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.process.locks import acquire

LOCK_FILE = "conda-lock.yml"
_LARGEST = 64 * 2**20
_LOCKS_KEPT = 64


@dataclass(frozen=True)
class State:
    """``digest`` is one of the record's history; its prefix and papers may be gone."""

    place: Place
    record: EnvironmentRecord
    digest: str

    @property
    def prefix(self) -> Path:
        """Where this lock is installed, if it is."""
        return self.place.prefix(self.digest)

    @property
    def papers(self) -> Path:
        """The folder of its papers."""
        return self.place.papers(self.digest)

    @property
    def current(self) -> bool:
        """Whether the environment is in this state now."""
        return self.digest == self.record.digest


def find_state(layout: Layout, text: str) -> State:
    """The state that ``NAME`` or ``NAME@DIGEST`` names; the first digits of a digest will do.

    Raises :class:`InputError`, :class:`NotFound`, :class:`Unavailable`.
    """
    name, wanted = split_state(text)
    place = layout.place(name)
    record = read_record(place)
    if wanted is None:
        return State(place, record, record.digest)
    digits = wanted.removeprefix("sha256:")
    known = dict.fromkeys([record.digest, *(entry.digest for entry in record.history)])
    found = [digest for digest in known if digest.removeprefix("sha256:").startswith(digits)]
    if len(found) != 1:
        raise NotFound(
            f"'{name}' was never in a state {digits[:12]}."
            if not found
            else f"{digits} fits several states of '{name}'. Give more digits.",
            code="no-such-state",
            field="name",
            hint=f"'mlinfn env history {name}' lists them.",
        )
    return State(place, record, found[0])


def all_states(layout: Layout) -> Iterator[tuple[Place, EnvironmentRecord | MlinfnError]]:
    """Every own environment by name with its record, or why that cannot be read."""
    try:
        names = sorted(entry.name for entry in os.scandir(layout.own))
    except OSError:
        return  # not made yet, or a data folder that cannot be used, which its doctor tells
    for name in names:
        if name.startswith("."):
            continue
        try:
            place = layout.place(name)
            yield place, read_record(place)
        except NotFound:
            continue  # being made for the first time
        except MlinfnError as error:
            yield Place(layout.own / name), error


def read_papers(papers: Path, name: str) -> Lock:
    """The lock in a folder of papers. Raises :class:`NotFound`, :class:`Unavailable`."""
    with _explained(papers, name):
        path = papers / LOCK_FILE
        return _lock_at(str(path), path.stat().st_mtime_ns)


def papers_text(papers: Path, name: str) -> str:
    """The text of the lock in a folder of papers. Raises what :func:`read_papers` raises."""
    with _explained(papers, name):
        return read_text_head(papers / LOCK_FILE, _LARGEST)


@contextmanager
def _explained(papers: Path, name: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise NotFound(
            f"The lock of '{name}' is not there any more.",
            code="no-papers",
            hint=f"{papers / LOCK_FILE} is missing.",
        ) from None
    except OSError as error:
        raise Unavailable(
            f"The lock of '{name}' cannot be read: {error.strerror}.", code="environment-record"
        ) from error


@lru_cache(maxsize=_LOCKS_KEPT)
def _lock_at(path: str, _mtime: int) -> Lock:
    from jupyter_mlinfn.environments.locks.files import read_lock

    return read_lock(read_text_head(Path(path), _LARGEST), where=LOCK_FILE)


def packages_in(lock: Lock, platform: str) -> tuple[Package, ...]:
    """The packages of a lock as the inventory of a prefix names them, sorted."""
    found = [
        Package(
            name=package.name,
            version=package.version,
            source="conda" if package.manager == "conda" else "pypi",
            build=package.build or None,
        )
        for package in lock.of(platform)
    ]
    return tuple(sorted(found, key=lambda package: (package.name, package.source)))


def history_of(place: Place, record: EnvironmentRecord) -> EnvironmentHistory:
    """All states, newest first."""
    last = len(record.history) - 1
    return EnvironmentHistory(
        name=record.name,
        states=tuple(
            HistoryState(
                digest=entry.digest,
                at=entry.at,
                action=entry.action,
                text=entry.text,
                current=number == last,
                installed=place.prefix(entry.digest).is_dir(),
            )
            for number, entry in reversed(list(enumerate(record.history)))
        ),
    )


@contextmanager
def held_still(place: Place) -> Iterator[None]:
    """Keep everybody else from changing the environment. Raises :class:`Conflict`."""
    try:
        descriptor = acquire(place.lock)
    except FileNotFoundError:
        raise not_yours(place) from None
    if descriptor is None:
        raise Conflict(
            f"The environment '{place.name}' is being changed right now.",
            code="environment-busy",
            field="name",
            hint="Wait until that has ended, or cancel it. Nothing was changed.",
        )
    try:
        yield
    finally:
        os.close(descriptor)
