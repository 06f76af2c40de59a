"""A real Slurm with a real accounting: slurmdbd and the MariaDB it writes to, all of it our own.

The database is made anew in the cluster's folder, listens on a socket there only, and is gone with
it; no service of the machine and no other account takes part.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.parts import took_part
from tests.systems import debian, slurm
from tests.systems.daemons import Missing, free_ports, started

_PROGRAMS = ("slurmdbd", "mariadbd")
_PACKAGES = ("slurmdbd", "mariadb-server-core")
_TABLES = Path("/usr/share/mysql/mysql_system_tables.sql")
_MADE_WITHIN = 60

ACCOUNTS = ("ml", "theory")
"""What the person who runs the tests may charge, beside what root may in any case."""

_CONFIGURATION = """\
AuthType=auth/munge
AuthInfo=socket={work}/munge.sock,cred_expire=5
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageLoc=slurm
PidFile={work}/slurmdbd.pid
CommitDelay=0
"""
_MORE = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={work}/munge.sock
AccountingStorageEnforce=associations,limits,qos
"""


class AccountedSlurm(slurm.Slurm):
    """A cluster that knows accounts, and keeps account of its jobs."""

    def __init__(self) -> None:
        super().__init__()
        (self._port,) = free_ports(1)
        # the way to a database on this machine is no setting of slurmdbd
        self.environment["MYSQL_UNIX_PORT"] = str(self.work / "db.sock")

    def start(self) -> None:
        """Bring everything up. Raises :class:`Missing`."""
        prepare()
        super().start()
        took_part("slurmdbd", f"{self.version()}, MariaDB {self._database_version()}")

    def kill_accounting(self) -> None:
        """``kill -9`` slurmdbd."""
        self.kill("slurmdbd")

    def start_accounting(self) -> None:
        """Start slurmdbd (again)."""
        self._daemon("slurmdbd", "slurmdbd", "-D")
        self.until(self._accounting_answers, "slurmdbd")

    def forget_all(self) -> None:
        """``kill -9`` slurmctld and start it as it was before the first job: what was since then
        only the accounting knows, as it does of jobs that ended some time ago."""
        self.crash_to(self.work / "empty")

    def accounted(self, number: str) -> str:
        """The state of a job as the accounting has it; empty: it has none."""
        told = self.call("sacct", "-n", "-P", "-X", f"--jobs={number}", "--format=State")[1]
        return told.strip()

    # --- inside ---------------------------------------------------------------------------------

    def _more(self) -> str:
        return _MORE.format(port=self._port, work=self.work)

    def _before_controller(self) -> None:
        configuration = self.work / "slurmdbd.conf"
        configuration.touch(mode=0o600)
        told = {"work": self.work, "port": self._port, "user": slurm.person()}
        configuration.write_text(_CONFIGURATION.format(**told))
        self._make_database()
        options = ("--skip-grant-tables", "--skip-networking", f"--socket={self.work}/db.sock")
        self._daemon("mariadbd", "mariadbd", *self._database(), *options)
        self.until((self.work / "db.sock").exists, "MariaDB")
        self.start_accounting()
        self._administer("add", "cluster", "mlinfn")
        accounts = ",".join(ACCOUNTS)
        self._administer("add", "account", accounts)
        self._administer("add", "user", slurm.person(), f"account={accounts}")
        self.start_controller()
        self.until_answers()
        self.end("slurmctld")
        shutil.copytree(self.work / "state", self.work / "empty")

    def _make_database(self) -> None:
        (self.work / "data" / "mysql").mkdir(parents=True)
        done = subprocess.run(
            (slurm.find("mariadbd"), *self._database(), "--bootstrap"),
            input=b"use mysql;\n" + _TABLES.read_bytes(),
            capture_output=True, timeout=_MADE_WITHIN,
        )  # fmt: skip
        if done.returncode:
            raise Missing(f"no database could be made: {done.stderr[-500:].decode()}")

    def _database(self) -> tuple[str, ...]:
        """The options of a small database that need not outlive a power cut."""
        return (
            "--no-defaults", f"--user={slurm.person()}", f"--datadir={self.work}/data",
            f"--pid-file={self.work}/mariadbd.pid", "--skip-log-bin", "--performance-schema=OFF",
            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
            "--innodb-data-file-path=ibdata1:8M:autoextend", "--innodb-doublewrite=0",
            "--innodb-flush-log-at-trx-commit=0", "--innodb-use-native-aio=0",
        )  # fmt: skip

    def _database_version(self) -> str:
        told = subprocess.run((slurm.find("mariadbd"), "--version"), capture_output=True)
        return told.stdout.decode().split("Ver", 1)[-1].split("-")[0].strip()

    def _accounting_answers(self) -> bool:
        return self.call("sacctmgr", "-n", "show", "cluster")[0] == 0

    def _administer(self, *words: str) -> None:
        code, said = self.call("sacctmgr", "-i", *words)
        if code:
            raise Missing(f"sacctmgr {' '.join(words)}: {said[-300:]}")


def start() -> AccountedSlurm:
    """A running cluster. Raises :class:`Missing` with the reason, which is also noted."""
    return started(AccountedSlurm(), "slurmdbd")


def prepare() -> None:
    """Have Slurm's programs, slurmdbd and MariaDB. Raises :class:`Missing` with the reason."""
    slurm.prepare()
    try:
        for program in _PROGRAMS:
            slurm.find(program)
        if not _TABLES.exists():
            raise Missing(f"{os.fspath(_TABLES)} is not there")
    except Missing as error:
        try:
            debian.install(*_PACKAGES)
        except Missing as why:
            raise Missing(f"{error}: {why}") from None
