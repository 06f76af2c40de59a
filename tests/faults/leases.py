"""Kill -9 between lease, container and confirmation: ``python -m tests.faults.leases N [--on …]``.

Each of N steps is drawn by chance: a session starts or stops, a container dies or is removed behind
the hub's back, the hub or a second claimer is killed and started again, the database goes away or
is lost, a device vanishes or comes back. After each one the world is judged from outside. It passes
when no device ever had two holders and no lease without a container lasted longer than its grace.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401 - loaded once, before the hubs are forked
import psycopg

from tests.faults.lease_hub import Engine, Hub, race
from tests.systems import postgres
from tests.systems.daemons import Missing

DEVICES = tuple(f"MIG-{number}" for number in range(6))
USERS = tuple(f"user{number}" for number in range(9))
LEAKED_AFTER = 60.0
"""Seconds; what the hub allows is a grace of half a second, counted anew when it starts again."""
ENDS_WITHIN = 120.0
OPEN = "SELECT id, device, container FROM leases WHERE released IS NULL"
DOUBLE = "SELECT device FROM leases WHERE released IS NULL GROUP BY device HAVING count(*) > 1"


class Wrong(AssertionError):
    """A promise was broken."""


class FileBook:
    """The book as a file, seen from outside."""

    def __init__(self, root: Path) -> None:
        self.file = root / "leases.sqlite"
        self.where = f"sqlite:///{self.file}"

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a stranger reads."""
        if not self.file.exists():
            return []
        with closing(sqlite3.connect(self.file, timeout=60)) as connection:
            return connection.execute(query).fetchall()

    def outage(self, seconds: float) -> None:
        """Somebody else holds the lock."""
        with closing(sqlite3.connect(self.file, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)

    def lose(self) -> None:
        """The file is gone."""
        for file in self.file.parent.glob("leases.sqlite*"):
            file.unlink()

    def end(self) -> None:
        """Nothing of it runs."""


class ServedBook:
    """The book on a PostgreSQL of its own."""

    def __init__(self, _root: Path) -> None:
        self.server = postgres.start()
        self.where = self.server.database()
        self.name = self.where.rpartition("/")[2]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What a stranger reads."""
        with suppress(psycopg.errors.UndefinedTable):
            return self.server.administer(self.name, query)
        return []

    def outage(self, seconds: float) -> None:
        """The server goes, and comes again."""
        self.server.stop_server()
        time.sleep(seconds)
        self.server.start_server()

    def lose(self) -> None:
        """The tables are gone."""
        self.server.administer(self.name, f"DROP OWNED BY {postgres.USER}")

    def end(self) -> None:
        """Nothing of it runs."""
        self.server.stop()


KINDS: dict[str, Callable[[Path], Any]] = {"sqlite": FileBook, "postgresql": ServedBook}


class Campaign:
    """Steps in one world: what a step leaves, the next one lives with."""

    def __init__(self, root: Path, on: str, seed: int) -> None:
        self.chance = random.Random(seed)
        self.engine = Engine(root / "engine")
        self.engine.set_devices(list(DEVICES))
        self.log = root / "hub.log"
        self.log.touch()
        self.book = KINDS[on](root)
        self.steps: Counter[str] = Counter()
        self.missing: dict[str, float] = {}
        self.longest = 0.0
        self.children: dict[str, int] = {}
        self.orders: Any = None
        self.acts: dict[str, tuple[int, Callable[[], None]]] = {
            "start": (40, lambda: self.order("start")),
            "stop": (14, lambda: self.order("stop")),
            "container dies": (8, self.container_dies),
            "container removed": (6, self.container_removed),
            "kill hub": (12, self.kill_hub),
            "kill claimer": (6, self.kill_racer),
            "devices change": (6, self.devices_change),
            "rest": (4, lambda: time.sleep(0.3)),
            "outage": (1, lambda: self.book.outage(self.chance.uniform(0.1, 1.5))),
            "book lost": (1, self.lose_book),
        }

    def run(self, number: int, *, tell: bool = False) -> None:
        """So many steps. Raises :class:`Wrong`."""
        self.start_hub()
        self.start_racer()
        names = list(self.acts)
        weights = [weight for weight, _ in self.acts.values()]
        for step in range(number):
            (name,) = self.chance.choices(names, weights)
            self.steps[name] += 1
            try:
                self.acts[name][1]()
                time.sleep(self.chance.uniform(0, 0.08))
                self.judge()
            except Wrong as wrong:
                raise Wrong(
                    f"step {step} ({name}): {wrong}\n{self.log.read_text()[-3000:]}"
                ) from None
            if tell and step % 100 == 99:
                print(f"{step + 1}/{number}: {self.told()}", flush=True)
        self.settle()

    def told(self) -> str:
        """What the hubs did so far."""
        words = Counter(line.split()[1] for line in self.log.read_text().splitlines())
        return ", ".join(f"{count} {word}" for word, count in sorted(words.items()))

    # --- acts -----------------------------------------------------------------------------------

    def order(self, act: str) -> None:
        user = self.chance.choice(USERS)
        self.orders.write(f"{act} {user}\n")
        self.orders.flush()

    def container_dies(self) -> None:
        for one in self._one_container():
            self.engine.die(one)

    def container_removed(self) -> None:
        for one in self._one_container():
            self.engine.remove(one)

    def _one_container(self) -> list[str]:
        there = [one.container for one in self.engine.listed()]
        return [self.chance.choice(there)] if there else []

    def kill_hub(self) -> None:
        self._kill("hub")
        time.sleep(self.chance.choice((0.0, 0.0, 0.2)))
        self.start_hub()

    def kill_racer(self) -> None:
        self._kill("racer")
        self.start_racer()

    def lose_book(self) -> None:
        for name in ("hub", "racer"):
            self._kill(name)
        self.book.lose()
        self.start_hub()
        self.start_racer()

    def devices_change(self) -> None:
        there = [one.uuid for one in self.engine.devices()]
        if len(there) == len(DEVICES):
            there.remove(self.chance.choice(there))
        else:
            there = list(DEVICES)
        self.engine.set_devices(there)

    def start_hub(self) -> None:
        """Fork one, and wait until it has looked at the containers."""
        reading, writing = os.pipe()
        before = self.log.read_text().count("ready")
        seed = self.chance.randrange(10**6)
        self._fork("hub", lambda: self._be_hub(reading, writing, seed))
        os.close(reading)
        self.orders = os.fdopen(writing, "w")
        self._until(lambda: self.log.read_text().count("ready") > before, "the hub is not ready")

    def _be_hub(self, reading: int, writing: int, seed: int) -> None:
        os.close(writing)
        sys.stdin = os.fdopen(reading)
        Hub(self.engine, self.book.where, seed, self.log).run()

    def start_racer(self) -> None:
        """Fork one."""
        seed = self.chance.randrange(10**6)
        self._fork("racer", lambda: race(self.book.where, "racer", seed))

    def _fork(self, name: str, life: Callable[[], None]) -> None:
        pid = os.fork()
        if pid:
            self.children[name] = pid
            return
        try:
            life()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)

    def _kill(self, name: str) -> None:
        pid = self.children.pop(name)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if name == "hub":
            with suppress(BrokenPipeError):
                self.orders.close()
        if not os.WIFSIGNALED(status):
            raise Wrong(f"the {name} had ended by itself")

    # --- looks ----------------------------------------------------------------------------------

    def judge(self) -> None:
        """No device has two holders; no lease without a container lasts."""
        if self.engine.evidence.exists():
            raise Wrong(f"two containers on one device: {self.engine.evidence.read_text()}")
        if " crashed " in self.log.read_text():
            raise Wrong("a hub failed")
        if twice := self.book.rows(DOUBLE):
            raise Wrong(f"two open leases on {twice}")
        with self.engine.still():
            # nothing is made or removed: a container's device is leased to nobody else
            running = [one for one in self.engine.listed() if one.running]
            open_ = self.book.rows(OPEN)
        holders = {device: lease for lease, device, _ in open_}
        for one in running:
            holder = holders.get(one.devices[0])
            if holder not in (None, one.lease):
                raise Wrong(f"{one} runs on a device that is leased to {holder}")
        here = {one.lease for one in running}
        now = time.monotonic()
        gone = {lease for lease, _, _ in open_ if lease not in here}
        self.missing = {lease: self.missing.get(lease, now) for lease in gone}
        self.longest = max([self.longest, *(now - since for since in self.missing.values())])
        if self.longest > LEAKED_AFTER:
            raise Wrong(f"a lease without a container lasts for {self.longest:.0f} s")

    def settle(self) -> None:
        """All sessions stop; then all devices are free."""
        self._kill("racer")
        self.engine.set_devices(list(DEVICES))
        self._until(self._all_stopped, "leases or containers are left")
        self.judge()
        free = "SELECT count(*) FROM lease_devices WHERE state = 'ready'"
        self._until(lambda: self.book.rows(free)[0][0] == len(DEVICES), "devices are not free")

    def _all_stopped(self) -> bool:
        """Starts that were ordered earlier may still be going on: all are stopped again."""
        for user in USERS:
            self.orders.write(f"stop {user}\n")
        self.orders.flush()
        time.sleep(0.3)
        return not self.book.rows(OPEN) and not self.engine.listed()

    def _until(self, seen: Callable[[], bool], otherwise: str) -> None:
        until = time.monotonic() + ENDS_WITHIN
        while not seen():
            if time.monotonic() > until:
                raise Wrong(f"{otherwise} within {ENDS_WITHIN:g} s: {self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def end(self) -> None:
        """Leave nothing behind."""
        for name in list(self.children):
            with suppress(Wrong):
                self._kill(name)
        self.book.end()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign on each kind of database, and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("steps", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--on", choices=tuple(KINDS), action="append")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    for on in given.on or KINDS:
        with tempfile.TemporaryDirectory(prefix="mlinfn-faults-") as folder:
            try:
                campaign = Campaign(Path(folder), on, seed)
            except Missing as error:
                print(f"{on}: left out, {error}")
                continue
            began = time.monotonic()
            try:
                campaign.run(given.steps, tell=True)
            except Wrong as wrong:
                print(f"seed {seed}, {on}: {wrong}")
                return 1
            finally:
                campaign.end()
            took = time.monotonic() - began
            print(f"{on}, seed {seed}: {given.steps} steps in {took:.0f} s; 0 double, 0 leaked")
            print(f"longest without a container: {campaign.longest:.1f} s")
            print(f"steps: {dict(campaign.steps)}\nhubs: {campaign.told()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
