"""Slurm's programs on another machine, through the person's own ssh and its configuration.

Nothing of ours is stored for it: who may log in, with which key or certificate, and whether one
connection is kept for many calls, is said in the ssh configuration. Where that keeps none, we keep
one for a minute, because a login can take seconds.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

from jupyter_mlinfn.jobs.backends.slurm.calls import LARGEST_ANSWER, TOLD
from jupyter_mlinfn.model.errors import PartMissing, Unavailable
from jupyter_mlinfn.process.piping import pipe
from jupyter_mlinfn.process.redaction import redact
from jupyter_mlinfn.process.run import Completed, run

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}@)?[A-Za-z0-9][A-Za-z0-9_.:-]{0,252}"
)
"""A name of the ssh configuration, or ``user@host``: never an option, never two words."""

_ALWAYS: Final = (
    "-T",
    "-oBatchMode=yes",
    "-oConnectTimeout=10",
    "-oClearAllForwardings=yes",
    "-oForwardAgent=no",
    "-oForwardX11=no",
    "-oPermitLocalCommand=no",
    "-oRemoteCommand=none",
    "-oRequestTTY=no",
)
_NOT_THERE: Final = 127
_NO_CONNECTION: Final = 255
_KNOWS_WITHIN: Final = 5.0
_PASSED: Final = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "SSH_AUTH_SOCK", "KRB5CCNAME")


class Ssh:
    """Implements :class:`~jupyter_mlinfn.jobs.backends.slurm.calls.Transport`.

    ``host`` is a name of the ssh configuration or ``user@host``; ``folder``: where Slurm's programs
    lie there, empty: on the path of a login; ``configuration``: the file, empty: the person's own.
    """

    def __init__(self, host: str, folder: str = "", configuration: str = "") -> None:
        self._host = host
        self._folder = folder
        self._file = ("-F", configuration) if configuration else ()
        self._configured: Mapping[str, str] | None = None
        self._asking = threading.Lock()

    def missing(self) -> str:
        """Why there can be no login; nobody is asked."""
        if not _HOST.fullmatch(self._host):
            return f"{self._host!r} is no name of a machine that ssh could log in to."
        if shutil.which("ssh") is None:
            return "The program ssh is not on this machine."
        return ""

    def run(self, program: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        """Run one of Slurm's programs there. Raises :class:`PartMissing`, :class:`Unavailable`."""
        path = f"{self._folder}/{program}" if self._folder else program
        return self.call(path, *arguments, deadline=deadline, stdin=stdin)

    def call(self, path: str, *arguments: str, deadline: float, stdin: bytes = b"") -> Completed:
        """Run a program there, whatever it is. Raises as :meth:`run`."""
        argv = self._argv(path, *arguments)
        done = run(
            argv, deadline=deadline, env=_environment(), stdin=stdin, max_output=LARGEST_ANSWER
        )
        return self._reached(path, done)

    def send(
        self,
        path: str,
        *arguments: str,
        deadline: float,
        source: IO[bytes] | None = None,
        target: IO[bytes] | None = None,
    ) -> Completed:
        """As :meth:`call`, between two open files of here. Raises as :meth:`run`."""
        argv = self._argv(path, *arguments)
        done = pipe(argv, deadline=deadline, env=_environment(), source=source, target=target)
        return self._reached(path, done)

    def _argv(self, path: str, *arguments: str) -> tuple[str, ...]:
        if missing := self.missing():
            raise PartMissing(missing, code="program-missing")
        # one text for the login shell there: every word is quoted
        command = shlex.join(
            ("env", *(f"{name}={value}" for name, value in TOLD), path, *arguments)
        )
        return ("ssh", *self._file, *_ALWAYS, *self._kept(), "--", self._host, command)

    def _reached(self, path: str, done: Completed) -> Completed:
        if done.returncode == _NOT_THERE:
            program = path.rpartition("/")[2]
            raise PartMissing(f"{program} is not on {self._host}.", code="program-missing")
        if done.returncode == _NO_CONNECTION:
            raise Unavailable(
                f"There is no way to {self._host} by ssh now: {_last_line(done.stderr)}",
                code="ssh-silent",
                hint=f"Try 'ssh {self._host}' in a terminal: it must work without a question.",
            )
        return done

    def person(self) -> str | None:
        """The name of the login, as the ssh configuration says it."""
        return self._told().get("user")

    def _kept(self) -> tuple[str, ...]:
        """Options that keep a connection, where the person's configuration keeps none."""
        return () if "controlpath" in self._told() else _keeping_ours()

    def _told(self) -> Mapping[str, str]:
        """The ssh configuration for this machine, as ssh itself understands it."""
        with self._asking:
            if self._configured is None:
                argv = ("ssh", *self._file, "-G", "--", self._host)
                lines = run(argv, deadline=_KNOWS_WITHIN, env=_environment()).text.splitlines()
                pairs = (line.partition(" ") for line in lines)
                self._configured = {name: value for name, _, value in pairs}
            return self._configured


def _keeping_ours() -> tuple[str, ...]:
    # a socket's whole path has 104 characters at most, so it lies in a short folder
    folder = Path(tempfile.gettempdir()) / f"mlinfn-ssh-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    facts = folder.lstat()
    safe = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.getuid()
    if not safe or stat.S_IMODE(facts.st_mode) & 0o077:
        return ()  # somebody else's: every call logs in for itself
    return ("-oControlMaster=auto", f"-oControlPath={folder}/%C", "-oControlPersist=60")


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED if name in os.environ}


def _last_line(words: bytes) -> str:
    lines = words.decode("utf-8", "replace").strip().splitlines()
    return redact(lines[-1][:300]) if lines else "ssh gave no reason."
