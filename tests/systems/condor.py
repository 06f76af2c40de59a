"""A real HTCondor on this one machine: one pool with six CPUs and two fake GPUs of two models.

Debian's bookworm has no HTCondor, so the daemons come from a trixie root that debootstrap makes
once and that is kept in ``.build/roots``. They run in mount namespaces of their own on that root:
nothing is ever left mounted, and the root can be deleted whenever no daemon runs. This checkout,
its interpreter and the folder for temporary files lie there under the same paths, so jobs run with
the Python and the packages of the tests.

HTCondor refuses to run jobs as root. Daemons and jobs therefore run in a user namespace in which
the person who runs the tests is called ``person``: a pool of her own, as on a laptop. What only a
pool of root has (other users, ``MOUNT_UNDER_SCRATCH``, control groups) is not here.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.parts import took_part
from tests.systems import debian
from tests.systems.daemons import Daemons, Missing, free_ports, started

ROOT = Path(__file__).parents[2]
SYSTEM = ROOT / ".build" / "roots" / "condor"
CPUS = 6
PERSON = 1000
_SUITE = "trixie"
_PYTHON_NEEDS = (
    "libbz2-1.0", "libffi8", "liblzma5", "libncursesw6", "libreadline8t64", "libsqlite3-0",
    "libssl3t64", "zlib1g",
)  # fmt: skip
_STAMP = " ".join(("minicondor", *_PYTHON_NEEDS))

_ENTER = """set -e
root=$1 shared=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
for name in proc sys dev; do mount --rbind "/$name" "$root/$name"; done
for folder in $shared; do mkdir -p "$root$folder"; mount --rbind "$folder" "$root$folder"; done
cd "$root"
pivot_root . old
umount -l /old
cd /
exec unshare --user --map-user=1000 --map-group=1000 "$@"
"""

_CONFIGURATION = """\
RELEASE_DIR = /usr
BIN = /usr/bin
SBIN = /usr/sbin
LIB = /usr/lib/condor
LIBEXEC = /usr/libexec/condor
SHARE = /usr/share/condor
LOCAL_DIR = {work}
RUN = {work}/run
LOG = {work}/log
LOCK = {work}/run
SPOOL = {work}/spool
EXECUTE = {work}/execute
REQUIRE_LOCAL_CONFIG_FILE = false
DAEMON_LIST = MASTER SHARED_PORT COLLECTOR NEGOTIATOR SCHEDD STARTD
CONDOR_HOST = 127.0.0.1
COLLECTOR_HOST = 127.0.0.1:{port}
SHARED_PORT_PORT = {port}
NETWORK_INTERFACE = 127.0.0.1
BIND_ALL_INTERFACES = False
ENABLE_IPV6 = False
UID_DOMAIN = mlinfn.test
TRUST_DOMAIN = mlinfn.test
FILESYSTEM_DOMAIN = mlinfn.test
use SECURITY : recommended_v9_0
SEC_PASSWORD_DIRECTORY = {work}/keys
SEC_TOKEN_POOL_SIGNING_KEY_FILE = {work}/keys/POOL
SEC_TOKEN_SYSTEM_DIRECTORY = {work}/none
SEC_DEFAULT_AUTHENTICATION_METHODS = FS, IDTOKENS
ALLOW_READ = *
ALLOW_WRITE = *
ALLOW_DAEMON = *
ALLOW_NEGOTIATOR = *
ALLOW_ADMINISTRATOR = *
NUM_CPUS = {cpus}
MEMORY = 8000
use FEATURE : PartitionableSlot
MACHINE_RESOURCE_INVENTORY_GPUs = {work}/gpus
START = TRUE
SUSPEND = FALSE
PREEMPT = FALSE
KILL = FALSE
RUNBENCHMARKS = 0
MOUNT_UNDER_SCRATCH =
STARTER_ALLOW_RUNAS_OWNER = False
NEGOTIATOR_INTERVAL = 1
NEGOTIATOR_MIN_INTERVAL = 1
NEGOTIATOR_CYCLE_DELAY = 1
SCHEDD_INTERVAL = 1
SCHEDD_MIN_INTERVAL = 1
UPDATE_INTERVAL = 2
PERIODIC_EXPR_INTERVAL = 1
MAX_PERIODIC_EXPR_INTERVAL = 3
STARTER_INITIAL_UPDATE_INTERVAL = 1
STARTER_UPDATE_INTERVAL = 1
SHADOW_QUEUE_UPDATE_INTERVAL = 1
MASTER_BACKOFF_CONSTANT = 1
MASTER_BACKOFF_CEILING = 2
SHUTDOWN_GRACEFUL_TIMEOUT = 5
"""
_CLIENT = """\
COLLECTOR_HOST = 127.0.0.1:{port}
FILESYSTEM_DOMAIN = mlinfn.test
SEC_CLIENT_AUTHENTICATION_METHODS = IDTOKENS
SEC_TOKEN_DIRECTORY = {work}/tokens
"""
_GPUS = """\
#!/bin/sh
echo 'DetectedGPUs="GPU-aaaaaaaa, GPU-bbbbbbbb"'
echo 'GPU_aaaaaaaa = [ Id="GPU-aaaaaaaa"; DeviceName="Tesla T4"; GlobalMemoryMb=15360; ]'
echo 'GPU_bbbbbbbb = [ Id="GPU-bbbbbbbb"; DeviceName="NVIDIA A100"; GlobalMemoryMb=40960; ]'
"""


class Condor(Daemons):
    """One pool; ``environment`` is what its clients need beside the process's own."""

    def __init__(self, site: str = "") -> None:
        super().__init__("condor")
        self._site = site
        self.environment = {"CONDOR_CONFIG": str(self.work / "client.conf")}
        self.took = 0.0

    def start(self) -> None:
        """Bring the pool up and wait until it has its machine. Raises :class:`Missing`."""
        prepare()
        began = time.monotonic()
        self._write_files()
        self._make_token()
        self.spawn("master", self._inside("condor_master", "-f"), self._environ())
        self.until(self._has_machine, "the machine")
        self.until(self.answers, "the schedd")
        self.took = time.monotonic() - began
        took_part("HTCondor", f"{self.version()}, 1 machine, up in {self.took:.1f} s")

    def call(self, *argv: str) -> tuple[int, str]:
        """Run one of HTCondor's programs; its code, and what it said on both streams."""
        done = subprocess.run(
            self._inside(*argv), env=self._environ(), capture_output=True, timeout=60
        )
        return done.returncode, (done.stdout + done.stderr).decode()

    def known(self, job: str) -> int:
        """How many jobs HTCondor knows under this job's id, in the queue and in its history."""
        which = ("-constraint", f'MLInfnJobId == "{job}"', "-af", "ClusterId")
        numbers: set[str] = set()
        for argv in (("condor_q", "-allusers", *which), ("condor_history", *which)):
            numbers.update(self.call(*argv)[1].split())
        return len(numbers)

    def answers(self) -> bool:
        """Whether the schedd answers a question."""
        return self.call("condor_q", "-allusers")[0] == 0

    def daemon(self, name: str) -> int:
        """The PID of a daemon of this pool, such as ``condor_schedd``."""
        for pid in self.left():
            with suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if words and Path(os.fsdecode(words[0])).name == name:
                    return pid
        raise AssertionError(f"no {name} runs")

    def kill_schedd(self) -> None:
        """``kill -9`` the schedd; the master starts it again."""
        os.kill(self.daemon("condor_schedd"), signal.SIGKILL)

    def freeze_schedd(self) -> int:
        """Stop the schedd where it is; its PID, for SIGCONT."""
        pid = self.daemon("condor_schedd")
        os.kill(pid, signal.SIGSTOP)
        return pid

    def until_answers(self) -> None:
        """Wait until the schedd answers."""
        self.until(self.answers, "the schedd")

    def machine_on(self) -> None:
        """Start the machine again that was switched off, and wait until the pool has it."""
        self.call("condor_on", "-startd")
        self.until(self._has_machine, "the machine")

    def clear(self) -> None:
        """Remove all jobs and wait until nothing of them is left."""
        self.call("condor_rm", "-all")
        self.call("condor_rm", "-forcex", "-all")
        self.until(self._empty, "the end of all jobs")

    def version(self) -> str:
        """Such as ``23.9.6``."""
        found = re.search(r"Version: (\S+)", self.call("condor_version")[1])
        return found[1] if found else "?"

    def stop(self, patience: float = 10.0) -> None:
        """End jobs, daemons and whatever was started by them; remove the folder."""
        for pid in self.left():  # what a test has frozen could not end
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        super().stop(patience)

    def log(self, name: str) -> str:
        """What a daemon (``SchedLog``, ``StartLog``, ``StarterLog.slot1_1``, ``master``) said."""
        written = self.work / "log" / name
        return written.read_text(errors="replace") if written.exists() else super().log(name)

    # --- inside ---------------------------------------------------------------------------------

    def _inside(self, *argv: str) -> list[str]:
        visible = (ROOT, Path(sys.base_prefix), Path(tempfile.gettempdir()))
        shared = " ".join(str(path.resolve()) for path in visible)
        before = ("unshare", "--mount", "sh", "-c", _ENTER, "sh", str(SYSTEM), shared)
        return [*before, *argv]

    def _environ(self) -> dict[str, str]:
        return {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.work),
            "LC_ALL": "C.UTF-8",
            "CONDOR_CONFIG": str(self.work / "pool.conf"),
        }

    def _write_files(self) -> None:
        (port,) = free_ports(1)
        for name in ("run", "log", "spool", "execute", "keys", "tokens"):
            (self.work / name).mkdir(mode=0o700 if name in ("keys", "tokens") else 0o755)
        told = {"work": self.work, "port": port, "cpus": CPUS}
        (self.work / "pool.conf").write_text(_CONFIGURATION.format_map(told) + self._site)
        (self.work / "client.conf").write_text(_CLIENT.format_map(told))
        gpus = self.work / "gpus"
        gpus.write_text(_GPUS)
        gpus.chmod(0o755)
        key = self.work / "keys" / "POOL"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(64).hex().encode())

    def _make_token(self) -> None:
        code, said = self.call("condor_token_create", "-identity", "person@mlinfn.test")
        if code:
            raise Missing(f"no token: {_words(said)}")
        token = self.work / "tokens" / "person"
        token.touch(mode=0o600)
        token.write_text(said)

    def _has_machine(self) -> bool:
        code, text = self.call("condor_status", "-af", "Name")
        return code == 0 and bool(text.strip())

    def _empty(self) -> bool:
        code, text = self.call("condor_q", "-allusers", "-af", "ClusterId")
        return code == 0 and not text.strip()


def start(site: str = "") -> Condor:
    """A running pool, ``site`` being further lines of its configuration.

    Raises :class:`Missing` with the reason, which is also noted.
    """
    return started(Condor(site), "HTCondor")


def prepare() -> None:
    """Have the root with HTCondor in it; one process makes it, the others wait.

    Raises :class:`Missing` with the reason.
    """
    if os.geteuid() != 0:
        raise Missing("debootstrap and mount namespaces need root")
    if shutil.which("debootstrap", path="/usr/sbin:/usr/bin") is None:
        with suppress(Missing):  # that it is not there is told below
            debian.install("debootstrap")
    for program in ("debootstrap", "unshare", "pivot_root"):
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            raise Missing(f"{program} is not installed")
    SYSTEM.parent.mkdir(parents=True, exist_ok=True)
    with (SYSTEM.parent / ".condor.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = SYSTEM / "complete"
        if not stamp.is_file() or stamp.read_text() != _STAMP:
            _make()


def _make() -> None:
    shutil.rmtree(SYSTEM, ignore_errors=True)
    packages = f"--include={','.join((*_PYTHON_NEEDS, 'ca-certificates'))}"
    try:
        _do("debootstrap", "--variant=minbase", packages, _SUITE, str(SYSTEM))
        policy = SYSTEM / "usr" / "sbin" / "policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # no daemon may start by itself
        policy.chmod(0o755)
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "minicondor")
        _do("chroot", str(SYSTEM), "env", "DEBIAN_FRONTEND=noninteractive", *install)
    except Missing:
        shutil.rmtree(SYSTEM, ignore_errors=True)
        raise
    shutil.rmtree(SYSTEM / "var" / "cache" / "apt", ignore_errors=True)
    (SYSTEM / "old").mkdir()
    (SYSTEM / "root").chmod(0o755)
    host = socket.gethostname()
    (SYSTEM / "etc" / "hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {host}\n")
    with (SYSTEM / "etc" / "passwd").open("a") as file:
        file.write(f"person:x:{PERSON}:{PERSON}::/tmp:/bin/sh\n")
    with (SYSTEM / "etc" / "group").open("a") as file:
        file.write(f"person:x:{PERSON}:\n")
    (SYSTEM / "complete").write_text(_STAMP)


def _do(*argv: str) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, timeout=340)
    except subprocess.TimeoutExpired:
        raise Missing(f"{argv[0]} did not end within 340 s") from None
    if done.returncode:
        said = (done.stdout[-400:] + done.stderr[-400:]).decode(errors="replace")
        raise Missing(f"{argv[0]} failed: {_words(said)}")


def _words(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()[-300:]
