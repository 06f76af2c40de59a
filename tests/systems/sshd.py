"""A real sshd on this machine, with keys and a configuration of its own, for one test run."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tests.parts import missed, took_part
from tests.systems import debian
from tests.systems.daemons import Missing


class Account:
    """Another person of this machine, for one test run; ``home`` is theirs alone.

    ``python`` is a Python of theirs, with this very package and all others of this one. Raises
    :class:`Missing` where none can be made, or it could not run this package.
    """

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise Missing("only root can make an account")
        self.name = f"mlinfn{os.getpid()}"
        self.home = Path(tempfile.mkdtemp(prefix="mlinfn-person-"))
        # "*": no password opens it, and it is not locked, which sshd would refuse
        made = ("useradd", "-M", "-d", str(self.home), "-s", "/bin/sh", "-p", "*", self.name)
        subprocess.run(made, check=True, capture_output=True)
        shutil.chown(self.home, self.name, self.name)
        minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        # where the interpreter lies in somebody's home, one of the system stands for it
        for program in (os.path.realpath(sys.executable), f"/usr/bin/{minor}"):
            self.python = self._make_python(program, minor)
            if self._works():
                return
        self.remove()
        raise Missing("another person cannot read this package, or no Python, where it lies")

    def _make_python(self, program: str, minor: str) -> str:
        """A virtual environment as ``venv`` makes one, with the packages of the one of now."""
        folder = self.home / "python"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "bin").mkdir(parents=True)
        (folder / "lib" / minor).mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(program)
        packages = Path(sys.prefix) / "lib" / minor / "site-packages"
        (folder / "lib" / minor / "site-packages").symlink_to(packages)
        told = f"home = {os.path.dirname(program)}\nversion = {platform.python_version()}\n"
        (folder / "pyvenv.cfg").write_text(told)
        return str(folder / "bin" / "python")

    def _works(self) -> bool:
        code = "import jupyter_mlinfn.jobs.travel.home"
        tried = ("runuser", "-u", self.name, "--", self.python, "-I", "-c", code)
        return subprocess.run(tried, capture_output=True, check=False, cwd="/").returncode == 0

    def remove(self) -> None:
        """Remove it and what is its own."""
        subprocess.run(("userdel", self.name), check=False, capture_output=True)
        shutil.rmtree(self.home, ignore_errors=True)


class Sshd:
    """A running sshd that lets one key in. ``environment`` is what every login there gets.

    ``config`` is an ssh configuration that names it ``site``; ``person``: as whom one logs in.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str], person: str = "") -> None:
        program = prepare()
        self.folder = folder
        self.person = person
        self.port = _free_port()
        self.config = folder / "config"
        for name in ("host", "person"):
            command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
            subprocess.run(command, check=True)
        (folder / "authorized").write_bytes((folder / "person.pub").read_bytes())
        self._write_files(environment)
        log = str(folder / "log")
        argv = (program, "-D", "-f", str(folder / "sshd_config"), "-E", log)
        self._process = subprocess.Popen(argv)
        self._until_it_answers()
        took_part("sshd", _version())

    def _write_files(self, environment: Mapping[str, str]) -> None:
        told = " ".join(f'"{name}={value}"' for name, value in environment.items())
        (self.folder / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\n"
            f"PidFile {self.folder}/pid\nAuthorizedKeysFile {self.folder}/authorized\n"
            "StrictModes no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PermitRootLogin prohibit-password\nUsePAM no\n{f'SetEnv {told}' if told else ''}\n"
        )
        known = (self.folder / "host.pub").read_text()
        (self.folder / "known").write_text(f"[127.0.0.1]:{self.port} {known}")
        self.config.write_text(
            f"Host site\n  HostName 127.0.0.1\n  Port {self.port}\n"
            f"  IdentityFile {self.folder}/person\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known\n"
            f"{f'  User {self.person}' if self.person else ''}\n"
        )

    def _until_it_answers(self) -> None:
        until = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                assert self._process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it, its logins first: connections that were kept end with them."""
        subprocess.run(("pkill", "-P", str(self._process.pid)), check=False)
        self._process.terminate()
        self._process.wait()


def prepare() -> str:
    """Have sshd; its path. Raises :class:`Missing` with the reason."""
    try:
        if _found() is None:
            debian.install("openssh-server", "openssh-client")
        if (found := _found()) is None:
            raise Missing("openssh-server brought no sshd")
    except Missing as error:
        missed("sshd", str(error))
        raise
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    return found


def _found() -> str | None:
    if shutil.which("ssh") is None:
        return None
    return shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))


def _version() -> str:
    told = subprocess.run(("ssh", "-V"), capture_output=True, text=True, check=False).stderr
    return told.strip().split(",")[0]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
