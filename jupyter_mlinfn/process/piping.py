"""Run a program between two files: what is too large to hold in memory goes through as it comes."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from typing import IO, Final

from jupyter_mlinfn.model.errors import PartMissing, Unavailable
from jupyter_mlinfn.process.redaction import redact
from jupyter_mlinfn.process.run import Completed, end_group

_LOOK_EVERY: Final = 0.25
_SAID: Final = 2**16


def pipe(
    argv: Sequence[str],
    *,
    deadline: float,
    env: Mapping[str, str],
    source: IO[bytes] | None = None,
    target: IO[bytes] | None = None,
    most: int = 2**40,
) -> Completed:
    """Run ``argv`` with these open files as its standard input and output.

    At the ``deadline`` (seconds), or when ``target`` has more than ``most`` bytes, its whole group
    is killed. A code other than 0 is no error here. Raises :class:`PartMissing`
    (``program-missing``) and :class:`Unavailable` (``program-silent``, ``answer-too-large``).
    """
    started = time.monotonic()
    with TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=source or subprocess.DEVNULL,
                stdout=target or subprocess.DEVNULL,
                stderr=said,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            raise PartMissing(
                f"{argv[0]} cannot be started: {error.strerror or error}.", code="program-missing"
            ) from error
        try:
            _wait(process, redact(" ".join(argv[:3])), target, started + deadline, most)
        finally:
            end_group(process)
        said.seek(0)
        return Completed(
            argv=tuple(argv),
            returncode=process.returncode,
            stdout=b"",
            stderr=said.read(_SAID),
            seconds=time.monotonic() - started,
        )


def _wait(
    process: subprocess.Popen[bytes], what: str, target: IO[bytes] | None, until: float, most: int
) -> None:
    while True:
        try:
            process.wait(_LOOK_EVERY)
        except subprocess.TimeoutExpired:
            if time.monotonic() > until:
                raise Unavailable(f"{what} did not end in time.", code="program-silent") from None
            if target is not None and os.fstat(target.fileno()).st_size > most:
                raise Unavailable(f"{what} sent too much.", code="answer-too-large") from None
        else:
            return
