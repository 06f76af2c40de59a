"""Waiting for a job's end, and what is said of it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import ENDED

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import JobRecord
    from jupyter_mlinfn.workbench import Workbench

PAUSE = 0.5
"""Seconds between two looks; a look is a handful of small files and one query."""

PATIENCE = 120.0
"""Seconds that the store may be silent before the waiting, never the job, is given up."""

INTERRUPTED = 130
_MISSING = frozenset({"environment-missing"})
_REFUSED = frozenset({"environment-mismatch", "input-changed", "bundle-damaged"})


def wait_and_tell(bench: Workbench, record: JobRecord, *, as_json: bool) -> int:
    """Wait, tell the end, and return the exit code that says how it ended.

    Ctrl-C ends the waiting alone: the job goes on, exit code 130.
    """
    from jupyter_mlinfn.cli.terminal import emit, say

    try:
        record = wait(bench, record)
    except KeyboardInterrupt:
        say(f"The job goes on. Come back to it: mlinfn job show {record.id}")
        record = bench.store.get(record.id)
        if as_json:
            emit(record)
        return INTERRUPTED
    if as_json:
        emit(record)
    else:
        tell_end(record)
    return exit_code(record)


def wait(bench: Workbench, record: JobRecord) -> JobRecord:
    """The record of the ended job.

    Raises :class:`Unavailable` when the store stays silent, and KeyboardInterrupt between two
    looks after Ctrl-C.
    """
    heard = time.monotonic()
    with progress_line() as show, ctrl_c() as pressed:
        while record.state not in ENDED:
            try:
                bench.reconciler.run_once()
                record = bench.store.get(record.id)
                heard = time.monotonic()
            except Unavailable:
                if time.monotonic() - heard > PATIENCE:
                    raise
            show(record)
            if record.state not in ENDED and pressed.wait(PAUSE):
                raise KeyboardInterrupt
    return record


@contextmanager
def ctrl_c() -> Iterator[Event]:
    """An event that the first Ctrl-C sets; the second one interrupts at once, as usual.

    Python raises KeyboardInterrupt wherever it happens to be; in a destructor or a callback of
    the database driver it is printed and lost, and the person waits on. Where the signal is
    ignored (``nohup``, a shell's background), it stays so.
    """
    pressed = Event()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield pressed
        return

    def note(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            signal.default_int_handler(number, frame)
        pressed.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def progress_line() -> Iterator[Callable[[JobRecord], None]]:
    """One line on standard error that says where the job is; nothing unless people look."""
    if not sys.stderr.isatty():
        yield lambda record: None
        return
    from rich.live import Live
    from rich.text import Text

    from jupyter_mlinfn.cli.records import progress_text
    from jupyter_mlinfn.cli.terminal import console

    with Live(console=console(sys.stderr), transient=True, auto_refresh=False) as live:

        def show(record: JobRecord) -> None:
            line = Text(progress_text(record), no_wrap=True, overflow="ellipsis")
            live.update(line, refresh=True)

        yield show


def tell_end(record: JobRecord) -> None:
    """The end of a job in words, and where its output is."""
    from jupyter_mlinfn.cli.records import took
    from jupyter_mlinfn.cli.terminal import answer, inert

    after = f" after {took(record)}" if record.started_at else ""
    answer(f"{inert(record.name)} ({record.id}) {record.state}{after}.")
    if record.reason:
        answer(inert(record.reason.text))
    if record.output:
        answer(f"Output: {inert(record.output)}")
    if record.state == "failed":
        answer(f"See why: mlinfn job log {record.id}")


def exit_code(record: JobRecord) -> int:
    """0 when it succeeded; 3 and 4 when it was not run because a part was missing or differed."""
    if record.state == "succeeded":
        return 0
    code = record.reason.code if record.reason else ""
    return 3 if code in _MISSING else 4 if code in _REFUSED else 1
