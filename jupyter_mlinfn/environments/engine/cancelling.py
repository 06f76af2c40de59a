"""Stopping the engine from outside, at any moment but the one of change.

A thread looks for the file ``cancel`` in the task's folder and for SIGTERM. The installer's
threads cannot be interrupted and would write on into a folder that is being removed. Therefore
the process replaces itself (``execve(2)`` ends all other threads at once) by a few lines that
remove the staging folder and put the result in its place. The locks stay held until they end.
Packing looks for :attr:`Cancelling.wished` itself and clears up what only it knows of.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from jupyter_mlinfn.model.environment_tasks import TaskResult
from jupyter_mlinfn.process.durable import write_durably

CANCELLED = 130
"""Exit code: as a shell shows a program ended by Ctrl-C."""

_LOOK_EVERY = 0.1
_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})
_LAST_WORDS = """
import os, shutil, sys
staging, draft, result, code = sys.argv[1:]
shutil.rmtree(staging, ignore_errors=True)
os.replace(draft, result)
os._exit(int(code))
"""


class Cancelling:
    """Watches for the wish to stop; :meth:`too_late` ends that."""

    def __init__(self, folder: Path, kept: str) -> None:
        """``folder`` is the task's; ``kept`` the sentence that says what is as before."""
        self._folder = folder
        self._kept = kept
        self._gate = threading.Lock()
        self._staging: Path | None = None
        self._gently = False
        self.wished = threading.Event()
        self._held: list[int] = []

    def watch(self) -> None:
        """Begin to look. To be called from the main thread, before others are started."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        threading.Thread(target=self._look, daemon=True, name="cancelling").start()

    def build_in(self, staging: Path) -> None:
        """From now on ``staging`` is removed on the way out."""
        self._staging = staging

    def be_gentle(self) -> None:
        """From now on only note the wish: who works looks for it."""
        self._gently = True

    def hold(self, descriptor: int) -> None:
        """Keep the lock of ``descriptor`` until the last thing is removed."""
        self._held.append(descriptor)

    def too_late(self) -> None:
        """The change is being made: it is no longer stopped. Waits for a stop under way."""
        self._gate.acquire()

    def result(self) -> TaskResult:
        """The result of a task that was stopped."""
        return TaskResult(
            state="cancelled",
            ended_at=datetime.now(UTC),
            text=f"Cancelled. {self._kept}",
            exit_code=CANCELLED,
            code="cancelled",
        )

    def _look(self) -> None:
        wish = self._folder / "cancel"
        sent = None
        while sent is None and not wish.exists():
            sent = signal.sigtimedwait(_SIGNALS, _LOOK_EVERY)
            if sent is not None and sent.si_signo not in _SIGNALS:
                sent = None  # seen once on a loaded machine: an answer that nothing had filled in
        if sent is not None:
            sys.stderr.write(f"Signal {sent.si_signo} of process {sent.si_pid}.\n")
        self.wished.set()
        if not self._gently:
            with self._gate:
                self._stop()

    def _stop(self) -> NoReturn:
        draft = self._folder / "result.cancelled"
        write_durably(draft, self.result().model_dump_json(indent=1))
        end_children()
        for descriptor in self._held:
            os.set_inheritable(descriptor, True)
        staging = self._staging or self._folder / "staging"
        target = self._folder / "result.json"
        words = [str(staging), str(draft), str(target), str(CANCELLED)]
        argv = [sys.executable, "-I", "-S", "-c", _LAST_WORDS, *words]
        os.execve(sys.executable, argv, dict(os.environ))  # noqa: S606 - no shell is wanted


def end_children() -> None:
    """Kill the programs that this process started, with their groups."""
    for task in os.listdir("/proc/self/task"):  # noqa: PTH208 - threads come and go meanwhile
        try:
            children = Path(f"/proc/self/task/{task}/children").read_text().split()
        except OSError:
            continue  # that thread has ended
        for pid in children:
            with suppress(ProcessLookupError):  # it has ended, or leads no group
                os.killpg(int(pid), signal.SIGKILL)
