"""The program at a terminal, where a person can be asked."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.cli.conftest import Program

PATIENCE = 60.0
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass
class Terminal:
    """One run; what was shown so far is in ``seen``, without colours."""

    process: subprocess.Popen[bytes]
    master: int
    seen: str = ""

    def until(self, text: str) -> None:
        """Read until ``text`` was shown."""
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, f"{text!r} never came: {self.seen}"
            assert self._read(), f"ended before {text!r}: {self.seen}"

    def type(self, text: str) -> None:
        """Type ``text`` and the return key."""
        os.write(self.master, text.encode() + b"\r")

    def end(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        code = self.process.wait(PATIENCE)
        os.close(self.master)
        return code

    def _read(self) -> bool:
        assert select.select([self.master], [], [], PATIENCE)[0], f"silent after: {self.seen}"
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the other side is closed
            return False
        self.seen += _STYLE.sub("", data.decode("utf-8", "replace"))
        return bool(data)


def at_terminal(program: Program, *arguments: str) -> Terminal:
    """Start ``mlinfn`` with a terminal as all its streams."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-I", "-m", "jupyter_mlinfn.cli", *arguments],
        env={**program.env, "TERM": "xterm", "COLUMNS": "120"},
        cwd=program.home,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    program.started.append(process)  # type: ignore[arg-type]
    return Terminal(process, master)
