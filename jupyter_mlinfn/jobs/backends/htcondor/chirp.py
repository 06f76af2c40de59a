"""What a running job says to its submit machine, by HTCondor's Chirp protocol.

The starter leaves ``.chirp.config`` (host, port, cookie) in the job's folder when the job asks for
it (``WantIOProxy``). Protocol: "condor_chirp" of HTCondor's manual; its words are separated by
blanks, and answered by a number, below 0 where it was not done.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import BinaryIO, Final

CONFIG: Final = ".chirp.config"
_WITHIN: Final = 20.0


class Chirp:
    """One conversation. Raises OSError where nobody listens, or what is asked is not done."""

    def __init__(self, config: Path) -> None:
        try:
            host, port, cookie = config.read_text(encoding="ascii").split()
        except ValueError as error:
            raise OSError(f"{config.name} cannot be read") from error
        self._socket = socket.create_connection((host, int(port)), timeout=_WITHIN)
        self._answers = self._socket.makefile("rb")
        self._ask(f"cookie {cookie}")

    def __enter__(self) -> Chirp:
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._socket.close()

    def set_attribute(self, name: str, value: str) -> None:
        """Set an attribute of the job's ad, at once; ``value`` is an expression."""
        self._ask(f"set_job_attr {_word(name)} {_word(value)}")

    def put(self, name: str, content: BinaryIO, size: int) -> None:
        """Replace a file in the job's folder on the submit machine, as a whole; ``size``: its
        bytes, not 0, from where ``content`` is."""
        part = f"{name}.part"
        self._ask(f"putfile {_word(part)} 384 {size}")  # 384 is 0600
        while size > 0:
            piece = content.read(min(size, 2**20))
            if not piece:
                raise OSError(f"{name} became shorter")
            self._socket.sendall(piece)
            size -= len(piece)
        self._answer("putfile")
        self._ask(f"rename {_word(part)} {_word(name)}")

    def _ask(self, line: str) -> int:
        self._socket.sendall(f"{line}\n".encode())
        return self._answer(line.split(" ", 1)[0])

    def _answer(self, what: str) -> int:
        told = self._answers.readline(200).strip()
        if not re.fullmatch(rb"-?[0-9]{1,18}", told) or int(told) < 0:
            raise OSError(f"{what} was answered by {told[:40]!r}")
        return int(told)


def _word(text: str) -> str:
    """One word of a line."""
    return re.sub(r"([\\\s])", r"\\\1", text)
