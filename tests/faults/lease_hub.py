"""What the campaign of the leases kills: a hub, and a program that claims beside it.

The engine is a folder: a file is a labelled container, which outlives whoever made it. The hub does
what a real one does, in the same order: lease, container with the label, confirmation; container
gone, lease released; a look at the labels at its start and ever after.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.model.leases import Device, Labelled

HOST = "h1"
POOL = "slice"
GRACE = 0.5
LOOK_EVERY = 0.1
PATIENCE = 1.0
STARTED, REFUSED, AWAY, FAILED = "started", "refused", "away", "failed"


class Engine:
    """Containers as files. What must never be is written down as evidence when it happens."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.evidence = root / "evidence"
        self.devices_file = root / "devices.json"
        (root / "containers").mkdir(parents=True, exist_ok=True)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is made or removed meanwhile."""
        with (self.root / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def create(self, lease: str, user: str, device: str) -> str:
        """Make the one container of ``user``."""
        made = Labelled(
            container=f"c-{lease}", lease=lease, user=user, devices=(device,), running=True
        )
        with self.still():
            for other in self.listed():
                if other.running and device in other.devices:
                    with self.evidence.open("a") as evidence:
                        evidence.write(f"{device}: {other.container} and {made.container}\n")
            self._write(made)
        return made.container

    def remove(self, container: str) -> None:
        """As ``docker rm -f``."""
        with self.still():
            self._file(container).unlink(missing_ok=True)

    def die(self, container: str) -> None:
        """Its process ends; it stays listed."""
        with self.still(), suppress(FileNotFoundError):
            told = Labelled.model_validate_json(self._file(container).read_text())
            self._write(told.model_copy(update={"running": False}))

    def listed(self) -> tuple[Labelled, ...]:
        """All, one after the other: no snapshot."""
        found = []
        for file in sorted((self.root / "containers").glob("*.json")):
            with suppress(FileNotFoundError):
                found.append(Labelled.model_validate_json(file.read_text()))
        return tuple(found)

    def of(self, user: str) -> Labelled | None:
        """The container of ``user``."""
        return next((one for one in self.listed() if one.user == user), None)

    def devices(self) -> tuple[Device, ...]:
        """What the host has now."""
        return tuple(Device(**one) for one in json.loads(self.devices_file.read_text()))

    def set_devices(self, uuids: list[str]) -> None:
        """The host has these from now on."""
        told = [{"uuid": one, "pool": POOL, "host": HOST, "model": "A100"} for one in uuids]
        self._replace(self.devices_file, json.dumps(told))

    def _file(self, container: str) -> Path:
        return self.root / "containers" / f"{container}.json"

    def _write(self, told: Labelled) -> None:
        self._replace(self._file(told.container), told.model_dump_json())

    def _replace(self, file: Path, text: str) -> None:
        whole = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}")
        whole.write_text(text)
        whole.rename(file)


class Hub:
    """One life of a hub: commands come as lines, each is done in a thread of its own."""

    def __init__(self, engine: Engine, where: str, seed: int, log: Path) -> None:
        self.engine = engine
        self.book = open_book(where, grace=GRACE, patience=PATIENCE)
        self.chance = random.Random(seed)
        self.log = log
        self._turn: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._pending: set[tuple[str, str]] = set()

    def run(self) -> None:
        """Until killed."""
        threading.excepthook = self._crashed
        while not self.look():
            time.sleep(LOOK_EVERY)
        self.tell("ready")
        threading.Thread(target=self._keep_looking, daemon=True).start()
        for line in sys.stdin:
            act, user = line.split()
            work = {"start": self.start, "stop": self.stop}[act]
            threading.Thread(target=self._do, args=(work, user), daemon=True).start()

    def look(self) -> bool:
        """Set the book right; whether the database could be used."""
        try:
            self.book.set_devices(self.engine.devices(), HOST)
            mark = self.book.mark()
            listed = self.engine.listed()
            found = self.book.reconcile(
                HOST, listed, datetime.now(UTC), mark, frozenset(self._pending)
            )
        except Unavailable:
            return False
        for one in found.quarantined:
            self.tell(f"quarantined {one.containers}")
        for lease in found.adopted:
            self.tell(f"adopted {lease.id}")
        for lease in found.released:
            self.tell(f"released-{lease.ended} {lease.id}")
        return True

    def start(self, user: str) -> str:
        """A session, as the hub's spawner starts it."""
        there = self.engine.of(user)
        if there is not None and there.running:
            return STARTED
        if there is not None:
            self.engine.remove(there.container)
        self._pending.add((user, ""))
        try:
            return self._start(user)
        finally:
            self._pending.discard((user, ""))

    def _start(self, user: str) -> str:
        try:
            lease = self.book.claim(POOL, user, "", None)
        except NoneFree:
            return self._wait(user)
        self._pause()
        if self.chance.random() < 0.1:
            self.book.release(lease.id, "failed")
            return FAILED
        container = self.engine.create(lease.id, user, lease.device.uuid)
        self._pause()
        try:
            self.book.confirm(lease.id, container)
        except (Conflict, NotFound, Unavailable):
            # without a lease it must not run
            self.engine.remove(container)
            self.book.release(lease.id, "failed")
            return FAILED
        return STARTED

    def _wait(self, user: str) -> str:
        """Some wait in line for a while, some go."""
        if self.chance.random() < 0.5:
            return REFUSED
        ticket = self.book.wait(POOL, user, "").ticket
        try:
            for _ in range(5):
                time.sleep(LOOK_EVERY)
                with suppress(NoneFree, NotFound):
                    lease = self.book.claim(POOL, user, "", None)
                    self.book.release(lease.id, "failed")
                    return FAILED
            return REFUSED
        finally:
            self.book.leave(ticket)

    def stop(self, user: str) -> str:
        """The container goes first, then the lease."""
        there = self.engine.of(user)
        if there is not None:
            self.engine.remove(there.container)
        self._pause()
        for lease in self.book.held_by(user, ""):
            self.book.release(lease.id, "stopped")
        return "stopped"

    def tell(self, what: str) -> None:
        """One line, for whoever judges."""
        with self.log.open("a") as log:
            log.write(f"{os.getpid()} {what}\n")

    def _crashed(self, failure: threading.ExceptHookArgs) -> None:
        self.tell(f"crashed {failure.exc_type.__name__}: {failure.exc_value}")
        threading.__excepthook__(failure)

    def _do(self, work: Callable[[str], str], user: str) -> None:
        with self._turn[user]:
            try:
                self.tell(work(user))
            except Unavailable:
                self.tell(AWAY)
            except MlinfnError as error:
                self.tell(f"error {error.text}")

    def _keep_looking(self) -> None:
        while True:
            time.sleep(LOOK_EVERY)
            self.look()

    def _pause(self) -> None:
        """Now and then longer than the grace, as when an image is pulled."""
        longest = 2.5 * GRACE if self.chance.random() < 0.05 else 0.05
        time.sleep(self.chance.uniform(0, longest))


def race(where: str, name: str, seed: int) -> None:
    """Claims and gives back, again and again, beside the hub, until killed."""
    book: LeaseBook = open_book(where, grace=GRACE, patience=PATIENCE)
    chance, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:
        with suppress(NoneFree, Unavailable):
            lease = book.claim(POOL, name, "", None)
            time.sleep(chance.uniform(0, 0.02))
            book.release(lease.id, "stopped")
        time.sleep(chance.uniform(0, 0.1))
