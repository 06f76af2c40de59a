"""What goes to standard output and what goes to standard error.

Standard output is the answer: one JSON document with ``--json``, else tables and text.
Standard error is talk: what was noticed, what went wrong, what is going on. Text of people
(names, log lines, reasons) is shown inert: control characters that could move the cursor or
hide text never reach a terminal.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import BaseModel

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from jupyter_mlinfn.model.errors import MlinfnError

WIDE = 1000
"""Columns of a table that goes into a file or a pipe: nothing is cut off there."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_COMMANDS = re.compile(
    r"""
      \x1b\[[0-9;]*m                                # colours: the one kind that is kept
    | ( \x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?   # titles, links
      | \x1b\[[0-?]*[\ -/]*[@-~]?                    # cursor, screen, modes
      | \x1b.?
      | [\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]
      )
    """,
    re.VERBOSE,
)


def emit(document: BaseModel | Mapping[str, Any]) -> None:
    """Write one JSON document to standard output: ASCII only, NaN and infinities as null."""
    data = document.model_dump(mode="json") if isinstance(document, BaseModel) else document
    sys.stdout.write(json.dumps(finite(data), indent=2, allow_nan=False) + "\n")
    sys.stdout.flush()


def finite(value: Any) -> Any:
    """The same JSON value with every number that JSON cannot write replaced by ``None``."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return None
    return value


def inert(text: str) -> str:
    """One line of text without anything a terminal would obey."""
    return _CONTROLS.sub(" ", text)


def calm(text: str) -> str:
    """Text of a log for a terminal: lines and colours stay, all other commands go."""
    return _COMMANDS.sub(lambda found: found.group(0) if found.group(1) is None else "", text)


def say(text: str) -> None:
    """A sentence for people, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def answer(text: str) -> None:
    """A line of the answer, on standard output."""
    sys.stdout.write(text + "\n")


class Murmur(logging.Handler):
    """What the rooms below log as worth a warning: one line on standard error, no traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Say the message, and the error behind it in a few words."""
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" ({type(record.exc_info[1]).__name__}: {record.exc_info[1]})"
        say(f"mlinfn: {inert(text)}")


def say_error(error: MlinfnError) -> None:
    """What went wrong, each problem on its own line with what to do about it."""
    if len(error.problems) > 1:
        say(f"mlinfn: {len(error.problems)} things are in the way:")
    for problem in error.problems:
        mark = "  -" if len(error.problems) > 1 else "mlinfn:"
        say(f"{mark} {inert(problem.text)}")
        if problem.hint:
            say(f"    {inert(problem.hint)}")


def console(stream: TextIO | None = None) -> Console:
    """A rich console on ``stream`` (default: standard output).

    As wide as the terminal, or as ``COLUMNS`` says (the magics do); else :data:`WIDE`.
    """
    from rich.console import Console

    target = stream or sys.stdout
    told = target.isatty() or os.environ.get("COLUMNS", "").isdecimal()
    width = None if told else WIDE
    return Console(file=target, width=width, highlight=False, markup=False, emoji=False)


def show(renderable: RenderableType) -> None:
    """Print a table to standard output, without blanks at the ends of lines in a file or pipe."""
    target = console()
    if target.is_terminal:
        target.print(renderable)
        return
    with target.capture() as captured:
        target.print(renderable)
    for line in captured.get().splitlines():
        answer(line.rstrip())


def table(columns: Sequence[str], *, right: Sequence[str] = ()) -> Table:
    """An empty table with these columns, those of ``right`` aligned to the right.

    Where there is too little room the last column is cut off, with an ellipsis.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=True,
            overflow="ellipsis",
        )
    made.expand = console().width < WIDE
    made.columns[-1].ratio = 1
    return made
