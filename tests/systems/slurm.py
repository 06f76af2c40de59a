"""A real Slurm on this one machine: three nodes with two fake GPUs each, and preemption.

Every daemon is a child of the test process and keeps its files in one folder: munge with its own
key and socket, slurmctld, three slurmd. Nothing of the machine's own Slurm is touched, several
clusters can run side by side, and :meth:`Slurm.stop` leaves no process behind. Daemons and jobs
run as the person who runs the tests (root in a container), so no other account is needed.

As root the Debian packages are installed when they are missing; see ``policy-rc.d`` below.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from jupyter_mlinfn.process import tree
from tests.parts import missed, took_part

NODES = 3
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "squeue", "munged")
_PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
_LOCK = Path(tempfile.gettempdir()) / f"mlinfn-slurm-install-{os.getuid()}.lock"

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
KillWait=10
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SchedulerParameters=bf_interval=1,sched_interval=1,sched_min_interval=10000,batch_sched_delay=0
{nodes}
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


class Missing(Exception):
    """Slurm cannot be had here, and why."""


class Slurm:
    """One cluster; ``environment`` is what its programs need beside the process's own."""

    def __init__(self) -> None:
        self.work = Path(tempfile.mkdtemp(prefix="mlinfn-slurm-"))
        self.environment = {"SLURM_CONF": str(self.work / "slurm.conf")}
        self.took = 0.0
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = ExitStack()

    def start(self) -> None:
        """Bring everything up and wait until all nodes are idle. Raises :class:`Missing`."""
        _install()
        began = time.monotonic()
        self._write_files()
        self._daemon(
            "munged", "munged", "--foreground", f"--key-file={self.work}/munge.key",
            f"--socket={self.work}/munge.sock", f"--pid-file={self.work}/munged.pid",
            f"--seed-file={self.work}/munge.seed",
        )  # fmt: skip
        self._until(lambda: (self.work / "munge.sock").exists(), "munged")
        self.start_controller()
        for number in range(1, NODES + 1):
            self._daemon(f"slurmd{number}", "slurmd", "-D", "-N", f"n{number}")
        self._until(self._all_idle, "the nodes")
        self.took = time.monotonic() - began
        took_part("Slurm", f"{self.version()}, {NODES} nodes, up in {self.took:.1f} s")

    def start_controller(self) -> None:
        """Start slurmctld (again); it reads its saved state."""
        self._daemon("slurmctld", "slurmctld", "-D")

    def kill_controller(self) -> None:
        """``kill -9`` slurmctld."""
        self._children["slurmctld"].kill()
        self._children["slurmctld"].wait()

    def save_state(self) -> Path:
        """A copy of what slurmctld has saved, for :meth:`crash_to`."""
        copy = self.work / "saved"
        shutil.rmtree(copy, ignore_errors=True)
        # an orderly end saves everything, and nothing is written while it is copied
        self._children["slurmctld"].terminate()
        self._children["slurmctld"].wait()
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
        self._until(lambda: self.call("squeue", "-h")[0] == 0, "slurmctld")

    def call(self, *argv: str) -> tuple[int, str]:
        """Run one of Slurm's programs here; its code, and what it said on both streams."""
        done = subprocess.run(
            argv, env={**os.environ, **self.environment}, capture_output=True, timeout=30
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    def clear(self) -> None:
        """Cancel everything and wait until nothing is left."""
        self.call("scancel", "--me")
        self._until(self._empty, "the end of all jobs")
        self._until(self._all_idle, "the nodes")

    def version(self) -> str:
        """Such as ``slurm-wlm 22.05.8``."""
        return self.call("sbatch", "--version")[1].strip()

    def stop(self) -> None:
        """End jobs, daemons and whatever was started by them; remove the folder."""
        with suppress(subprocess.TimeoutExpired):
            self.call("scancel", "--me")
            self.call("scancel", "--me", "-s", "KILL")
        for child in reversed(self._children.values()):
            child.terminate()
        for child in self._children.values():
            with suppress(subprocess.TimeoutExpired):
                child.wait(5)
            child.kill()
            child.wait()
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._logs.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def log(self, name: str) -> str:
        """What a daemon (``slurmctld``, ``slurmd1``) said."""
        return (self.work / f"{name}.log").read_text(errors="replace")

    # --- inside ---------------------------------------------------------------------------------

    def _write_files(self) -> None:
        user, host = _user(), socket.gethostname().split(".")[0]
        ports = _free_ports(NODES + 1)
        key = self.work / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(128))
        nodes = [
            _NODE.format(number=number, host=host, port=ports[number])
            for number in range(1, NODES + 1)
        ]
        text = _CONFIGURATION.format(
            host=host, port=ports[0], user=user, work=self.work, nodes="\n".join(nodes)
        )
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
        log = self._logs.enter_context((self.work / f"{name}.log").open("ab"))
        self._children[name] = subprocess.Popen(
            [_find(program), *options],
            env={**os.environ, **self.environment},
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def _all_idle(self) -> bool:
        code, text = self.call("sinfo", "-h", "-N", "-p", "normal", "-t", "idle")
        return code == 0 and len(text.splitlines()) == NODES

    def _empty(self) -> bool:
        code, text = self.call("squeue", "-h", "--me")
        return code == 0 and not text.strip()

    def _until(self, seen: object, what: str, within: float = 60.0) -> None:
        assert callable(seen)
        until = time.monotonic() + within
        while not seen():
            for name, child in self._children.items():
                if child.poll() not in (None, -signal.SIGKILL):
                    raise Missing(f"{name} ended with {child.returncode}: {self.log(name)[-2000:]}")
            if time.monotonic() > until:
                raise Missing(f"{what} did not come within {within:g} s")
            time.sleep(0.05)

    def _left(self) -> list[int]:
        """Processes that carry this cluster in their environment or command line."""
        found, mark = [], os.fsencode(self.work)
        for pid in tree.living().keys() - {os.getpid()}:
            with suppress(OSError):
                told = Path(f"/proc/{pid}/environ").read_bytes()
                if mark in told + Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.append(pid)
        return found


def start() -> Slurm:
    """A running cluster. Raises :class:`Missing` with the reason, which is also noted."""
    cluster = Slurm()
    try:
        cluster.start()
    except Missing as error:
        cluster.stop()
        missed("Slurm", str(error).splitlines()[0])
        raise
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _find(program: str) -> str:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    found = shutil.which(program, path=path)
    if found is None:
        raise Missing(f"{program} is not installed")
    return found


def _install() -> None:
    """Have Slurm's programs; one process installs, the others wait for it."""
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for program in PROGRAMS:
                _find(program)
        except Missing as error:
            if os.getuid() or not shutil.which("apt-get"):
                raise Missing(f"{error}, and only root can install it") from None
            _apt()


def _apt() -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:  # the packages must not start daemons of their own
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES)
    try:
        for argv in (("apt-get", "update", "-qq"), install):
            done = subprocess.run(argv, env=environ, capture_output=True, timeout=170)
            if done.returncode:
                words = re.sub(r"\s+", " ", done.stderr.decode(errors="replace")).strip()
                raise Missing(f"apt-get {argv[1]} failed: {words[:200]}")
    except subprocess.TimeoutExpired:
        raise Missing("apt-get did not end within 170 s") from None
    finally:
        if ours:
            policy.unlink()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        probes = [opened.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
