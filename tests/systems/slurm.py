"""A real Slurm on this one machine: three nodes with two fake GPUs each, and preemption.

Every daemon is a child of the test process and keeps its files in one folder: munge with its own
key and socket, slurmctld, three slurmd. Nothing of the machine's own Slurm is touched, several
clusters can run side by side, and :meth:`Slurm.stop` leaves no process behind. Daemons and jobs
run as the person who runs the tests (root in a container), so no other account is needed.

As root the Debian packages are installed when they are missing; see :mod:`tests.systems.debian`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.parts import took_part
from tests.systems import debian
from tests.systems.daemons import Daemons, Missing, free_ports, started

NODES = 3
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
_PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")

_CONFIGURATION = """\
ClusterName=mlinfn
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={work}/munge.sock,cred_expire=5
CredType=cred/munge
StateSaveLocation={work}/state
SlurmdSpoolDir={work}/spool-%n
SlurmctldPidFile={work}/slurmctld.pid
SlurmdPidFile={work}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
MpiDefault=none
DefMemPerCPU=256
ReturnToService=2
MinJobAge=600
MaxJobCount=40000
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=10000,batch_sched_delay=0
{more}{nodes}
PartitionName=normal Nodes=ALL Default=YES DefaultTime=10 MaxTime=1-0 PriorityTier=10 \
PreemptMode=OFF
PartitionName=opportunistic Nodes=ALL DefaultTime=10 MaxTime=2:00:00 PriorityTier=1 \
PreemptMode=REQUEUE
PartitionName=closed Nodes=ALL DefaultTime=10 MaxTime=1:00:00 State=DOWN
"""
_NODE = (
    "NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=2 "
    "RealMemory=4000 Gres=gpu:t4:2"
)


class Slurm(Daemons):
    """One cluster; ``environment`` is what its programs need beside the process's own."""

    def __init__(self) -> None:
        super().__init__("slurm")
        self.environment = {"SLURM_CONF": str(self.work / "slurm.conf")}
        self.took = 0.0

    def start(self) -> None:
        """Bring everything up and wait until all nodes are idle. Raises :class:`Missing`."""
        prepare()
        began = time.monotonic()
        self._write_files()
        self._daemon(
            "munged", "munged", "--foreground", f"--key-file={self.work}/munge.key",
            f"--socket={self.work}/munge.sock", f"--pid-file={self.work}/munged.pid",
            f"--seed-file={self.work}/munge.seed",
        )  # fmt: skip
        self.until(lambda: (self.work / "munge.sock").exists(), "munged")
        self._before_controller()
        self.start_controller()
        for number in range(1, NODES + 1):
            self._daemon(f"slurmd{number}", "slurmd", "-D", "-N", f"n{number}")
        self.until(self._all_idle, "the nodes")
        self.took = time.monotonic() - began
        took_part("Slurm", f"{self.version()}, {NODES} nodes, up in {self.took:.1f} s")

    def start_controller(self) -> None:
        """Start slurmctld (again); it reads its saved state."""
        self._daemon("slurmctld", "slurmctld", "-D")

    def kill_controller(self) -> None:
        """``kill -9`` slurmctld."""
        self.kill("slurmctld")

    def save_state(self) -> Path:
        """A copy of what slurmctld has saved, for :meth:`crash_to`."""
        copy = self.work / "saved"
        shutil.rmtree(copy, ignore_errors=True)
        # an orderly end saves everything, and nothing is written while it is copied
        self.end("slurmctld")
        shutil.copytree(self.work / "state", copy)
        self.start_controller()
        self.until_answers()
        return copy

    def crash_to(self, saved: Path) -> None:
        """``kill -9`` slurmctld and start it with what it had saved then: all since is lost."""
        self.kill_controller()
        shutil.rmtree(self.work / "state")
        shutil.copytree(saved, self.work / "state")
        self.start_controller()
        self.until_answers()

    def until_answers(self) -> None:
        """Wait until slurmctld answers with all nodes up."""
        self.until(lambda: self.call("squeue", "-h")[0] == 0, "slurmctld")

    def call(self, *argv: str) -> tuple[int, str]:
        """Run one of Slurm's programs here; its code, and what it said on both streams."""
        done = subprocess.run(
            argv, env={**os.environ, **self.environment}, capture_output=True, timeout=30
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    def clear(self) -> None:
        """Cancel everything and wait until nothing is left."""
        self.call("scancel", "--me")
        self.until(self._empty, "the end of all jobs")
        self.until(self._all_idle, "the nodes")

    def version(self) -> str:
        """Such as ``slurm-wlm 22.05.8``."""
        return self.call("sbatch", "--version")[1].strip()

    def stop(self, patience: float = 5.0) -> None:
        """End jobs, daemons and whatever was started by them; remove the folder."""
        with suppress(subprocess.TimeoutExpired, FileNotFoundError):
            self.call("scancel", "--me")
            self.call("scancel", "--me", "-s", "KILL")
        super().stop(patience)

    # --- inside ---------------------------------------------------------------------------------

    def _more(self) -> str:
        """Further lines of the configuration."""
        return ""

    def _before_controller(self) -> None:
        """What slurmctld needs to be there."""

    def _write_files(self) -> None:
        user, host = person(), socket.gethostname().split(".")[0]
        ports = free_ports(NODES + 1)
        key = self.work / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        nodes = [
            _NODE.format(number=number, host=host, port=ports[number])
            for number in range(1, NODES + 1)
        ]
        text = _CONFIGURATION.format(
            host=host, port=ports[0], user=user, work=self.work, nodes="\n".join(nodes),
            more=self._more(),
        )  # fmt: skip
        (self.work / "slurm.conf").write_text(text)
        (self.work / "gres.conf").write_text(f"Name=gpu Type=t4 File={self._devices()}\n")
        self.work.chmod(0o755)
        for name in ("state", *(f"spool-n{number}" for number in range(1, NODES + 1))):
            (self.work / name).mkdir()

    def _devices(self) -> str:
        """Character devices that stand for GPUs: two that give zeros, else two terminals."""
        try:
            for number in range(2):
                os.mknod(self.work / f"gpu{number}", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
        except OSError:
            return "/dev/tty[1-2]"
        return f"{self.work}/gpu[0-1]"

    def _daemon(self, name: str, program: str, *options: str) -> None:
        self.spawn(name, (find(program), *options), {**os.environ, **self.environment})

    def _all_idle(self) -> bool:
        code, text = self.call("sinfo", "-h", "-N", "-p", "normal", "-t", "idle")
        return code == 0 and len(text.splitlines()) == NODES

    def _empty(self) -> bool:
        code, text = self.call("squeue", "-h", "--me")
        return code == 0 and not text.strip()


def start() -> Slurm:
    """A running cluster. Raises :class:`Missing` with the reason, which is also noted."""
    return started(Slurm(), "Slurm")


def find(program: str) -> str:
    """Where a daemon's program lies. Raises :class:`Missing`."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def prepare() -> None:
    """Have Slurm's programs; one process installs, the others find them then.

    Raises :class:`Missing` with the reason.
    """
    try:
        for program in PROGRAMS:
            find(program)
    except Missing as error:
        try:
            debian.install(*_PACKAGES)
        except Missing as why:
            raise Missing(f"{error}: {why}") from None


def person() -> str:
    """Who runs the tests."""
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name
