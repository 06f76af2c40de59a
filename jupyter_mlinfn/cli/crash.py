"""Errors nobody expected: a report in the data folder instead of a traceback on the screen."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from jupyter_mlinfn.model.errors import MlinfnError, Unavailable

LARGEST_REPORT = 2**20


class UnexpectedError(MlinfnError):
    """A mistake of this program, not of the person."""

    exit_code = 1
    default_code = "unexpected"


def expected(error: Exception) -> MlinfnError:
    """``error`` as one of the tree: itself, a silent disk, or a report of what nobody expected."""
    if isinstance(error, MlinfnError):
        return error
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        return Unavailable(
            f"{os.fsdecode(error.filename)}: {error.strerror}.",
            code="disk",
            hint="'mlinfn doctor' shows whether the data folder can be written.",
        )
    return UnexpectedError(
        f"Something went wrong in this program ({type(error).__name__}). Nothing else is known.",
        hint=where_the_report_lies(error),
    )


def where_the_report_lies(error: Exception) -> str:
    """Write the traceback away and say where; never raises, for it runs when all else failed."""
    text = "".join(traceback.format_exception(error))
    try:
        path = write_report(text)
    except OSError as problem:
        return f"The details could not be written either ({problem.strerror}): {text}"
    return f"The details are in {path}. Please send that file with your question."


def write_report(text: str) -> Path:
    """Append ``text`` to ``errors.log`` (mode 0600, at most 1 MiB) in the default data folder."""
    from jupyter_core.paths import jupyter_data_dir

    folder = Path(jupyter_data_dir()) / "mlinfn"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "errors.log"
    full = path.exists() and path.stat().st_size > LARGEST_REPORT
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | (os.O_TRUNC if full else os.O_APPEND)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="replace") as report:
        report.write(f"--- {now} Python {sys.version.split()[0]}\n{text}\n")
    return path
