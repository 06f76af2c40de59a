"""A real PostgreSQL of the tests: a cluster of its own in a temporary folder, on loopback.

No service of the machine and no other account takes part; root starts it as ``postgres``. The
password of its user has the odd characters that break carelessly made addresses.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import psutil
import psycopg
import pytest

from tests.parts import took_part
from tests.systems import debian
from tests.systems.daemons import Daemons, Missing, free_ports, started

USER: Final = "hub"
PASSWORD: Final = "hub[test/:?"
_PACKAGE = "postgresql"
_PLACES = Path("/usr/lib/postgresql")
_MADE_WITHIN = 120
_SETTINGS = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{work}'
max_connections = 200
shared_buffers = 16MB
fsync = off
max_worker_processes = 0
autovacuum = off
"""


class Postgres(Daemons):
    """One cluster. Its user may make databases, one for each test."""

    not_yet = (OSError, psycopg.OperationalError)

    def __init__(self) -> None:
        super().__init__("postgres")
        (self.port,) = free_ports(1)
        self._names = itertools.count(1)

    def start(self) -> None:
        """Bring it up. Raises :class:`Missing`."""
        prepare()
        if os.getuid() == 0:
            shutil.chown(self.work, "postgres", "postgres")
        self._make()
        self.start_server()
        ((version,),) = self.administer("postgres", "SHOW server_version")
        took_part("PostgreSQL", str(version).split()[0])

    def start_server(self) -> None:
        """Start it (again), over what it has."""
        program = (str(programs() / "postgres"), "-D", str(self.work / "data"))
        self.spawn("postgres", (*_as_postgres(), *program), _environment())
        self.until(self._answers, "PostgreSQL")

    def stop_server(self) -> None:
        """Stop it at once, as when its machine goes; what was committed stays."""
        child = self._children["postgres"]
        child.send_signal(signal.SIGQUIT)
        child.wait()

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Its processes are stopped as by a debugger: connections stay open, nobody answers."""
        postmaster = psutil.Process(self._children["postgres"].pid)
        postmaster.suspend()  # it makes no more of them
        own = postmaster.children(recursive=True)
        for one in own:
            with suppress(psutil.NoSuchProcess):
                one.suspend()
        try:
            yield
        finally:
            for one in (*own, postmaster):
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    def database(self) -> str:
        """The address of a new, empty database."""
        name = f"book{next(self._names)}"
        self.administer("postgres", f"CREATE DATABASE {name} OWNER {USER}")
        return self.url(name)

    def url(self, name: str, password: str = PASSWORD) -> str:
        """The address of a database, its password quoted."""
        return f"postgresql://{USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{name}"

    def administer(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Do what only the owner of the cluster may; the rows it gives."""
        with self._connected(database) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def stop(self, patience: float = 5.0) -> None:
        """Leave nothing behind. It is not asked politely: that waits for every client."""
        child = self._children.get("postgres")
        if child is not None and child.poll() is None:
            self.stop_server()
        super().stop(patience)

    # --- inside ---------------------------------------------------------------------------------

    def _make(self) -> None:
        argv = (
            *_as_postgres(), str(programs() / "initdb"), "-D", str(self.work / "data"),
            "--username=owner", "--auth-local=trust", "--auth-host=scram-sha-256",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        done = subprocess.run(
            argv, cwd=self.work, env=_environment(), capture_output=True, timeout=_MADE_WITHIN
        )
        if done.returncode:
            raise Missing(f"no cluster could be made: {done.stderr[-300:].decode()}")
        told = _SETTINGS.format(port=self.port, work=self.work)
        with (self.work / "data" / "postgresql.conf").open("a", encoding="utf-8") as settings:
            settings.write(told)

    def _answers(self) -> bool:
        if not self.administer("postgres", f"SELECT 1 FROM pg_roles WHERE rolname = '{USER}'"):
            self.administer("postgres", f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
        return True

    def _connected(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.work), port=self.port, user="owner", dbname=database, autocommit=True,
            connect_timeout=10,
        )  # fmt: skip


def start() -> Postgres:
    """A running cluster. Raises :class:`Missing` with the reason, which is also noted."""
    return started(Postgres(), "PostgreSQL")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One cluster for all tests of a process; each makes a database of its own."""
    try:
        cluster = start()
    except Missing as error:
        pytest.skip(f"PostgreSQL: {error}")
    yield cluster
    cluster.stop()


def programs() -> Path:
    """Where the server's programs lie, the newest version's. Raises :class:`Missing`."""
    found = [place.parent for place in _PLACES.glob("*/bin/postgres")]
    if not found:
        raise Missing("PostgreSQL is not installed")
    return max(found, key=lambda place: int(re.sub(r"\D", "", place.parent.name) or 0))


def prepare() -> None:
    """Have PostgreSQL's programs. Raises :class:`Missing` with the reason."""
    try:
        programs()
    except Missing as error:
        try:
            debian.install(_PACKAGE)
            programs()
        except Missing as why:
            raise Missing(f"{error}: {why}") from None


def _as_postgres() -> tuple[str, ...]:
    """The server refuses to be root."""
    if os.getuid():
        return ()
    return ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
