"""Checkpoints, and what to do when a job must give its place: what ``mlinfn`` offers for both.

``shim/mlinfn.py`` loads this file by its path, in kernels and scripts of any environment:
standard library only, Python 3.8 or newer. Outside jobs everything here does no harm.

A job is told to end by SIGTERM: its place is needed for another one, its machine stops, its time
is nearly over. In a notebook the runner interrupts the cell and then has :func:`told` called; a
script gets the signal itself.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import re
import secrets
import signal
import sys
import threading
import time
import traceback
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = "MLINFN_CHECKPOINTS"
ENDS_AT = "MLINFN_ENDS_AT"
ATTEMPT = "MLINFN_JOB_DIR"
OUTSIDE = ".mlinfn-checkpoints"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class _Told:
    """What this process knows: its hooks, whether it was told to end, and until when it has."""

    def __init__(self) -> None:
        self.hooks: list[Callable[[], Any]] = []
        self.home = os.getpid()
        self.handler: Any = None
        self.before: Any = None
        self.asked = False
        self.until: float | None = None
        self.said = False


_state = _Told()
_forking = threading.local()


# --- saving and loading ------------------------------------------------------------------------


def checkpoint_dir() -> Path:
    """A folder for checkpoints that all attempts of a job share.

    Outside a job it is ``.mlinfn-checkpoints`` in the current folder.
    """
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else Path.cwd() / OUTSIDE
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not named and not _state.said:
        _state.said = True
        print(f"mlinfn: this is no job, so checkpoints go to {folder}.", file=sys.stderr)  # noqa: T201
    return folder


def save(value: Any, name: str = "checkpoint") -> Path:
    """Keep ``value`` as a pickle under ``name``; the file's path.

    The file is replaced as a whole: whatever is killed and whenever, the one that was there
    before is there, or the new one. Raises what pickling raises, ValueError for a bad name, and
    OSError when the disk is full; the old file stays then.
    """
    target = _file(name)
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(str(draft), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            pickle.dump(value, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(target)
    except BaseException:
        if draft.exists():
            draft.unlink()
        raise
    _sync(target.parent)
    return target


def load(name: str = "checkpoint", default: Any = None) -> Any:
    """What :func:`save` kept last under ``name``, in this attempt or an earlier one.

    ``default`` when nothing was kept.
    """
    try:
        with _file(name).open("rb") as stream:
            return pickle.load(stream)  # noqa: S301 - written by this person's own job
    except FileNotFoundError:
        return default


def _file(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a checkpoint: use letters, digits, _ . and -")
    return checkpoint_dir() / f"{name}.pickle"


def _sync(folder: Path) -> None:
    descriptor = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- being told to end -------------------------------------------------------------------------


def on_eviction(hook: Callable[[], Any]) -> Callable[[], Any]:
    """Have ``hook()`` called before this job must end: evicted, out of time, its machine stopped.

    Several hooks are called in the order they came. In a notebook the running cell is
    interrupted first. ``seconds_left()`` tells a hook how long it has. A job that was cancelled
    calls none. Usable as a decorator; outside a job nothing ever calls the hook.
    """
    if not callable(hook):
        raise TypeError("on_eviction takes a function without arguments")
    if hook not in _state.hooks:
        _state.hooks.append(hook)
    attempt = os.environ.get(ATTEMPT)
    if attempt:
        _mark(Path(attempt))
        if _state.handler is None:
            _handle(_end_script)
    return hook


def seconds_left() -> float | None:
    """Seconds until this job must have ended; ``None`` outside a job, where nothing ends it.

    From the moment the job is told to end, what is left of the time it is given to save.
    """
    limit = os.environ.get(ENDS_AT)
    ends = [float(limit)] if limit else []
    if _state.until is not None:
        ends.append(_state.until)
    return max(0.0, min(ends) - time.time()) if ends else None


def stay() -> None:
    """Called at the start of a job's kernel: SIGTERM does not end it.

    Batch systems signal all processes of a job at once. The runner, which hears it too,
    interrupts the cell, calls the hooks and ends the kernel in time.
    """
    if os.environ.get(ATTEMPT):
        _handle(_leave_it_to_the_runner)


def told(why: str, until: float) -> int:
    """Call the hooks; how many failed. ``until``: seconds since 1970 by which all must be over."""
    _state.asked, _state.until = True, until
    failed, began = [], time.time()
    for hook in _state.hooks:
        try:
            hook()
        except Exception as error:
            # the other hooks, and the job's own end, must not suffer
            failed.append(f"{type(error).__name__}: {error}"[:500])
            traceback.print_exc()
    _note(why, len(_state.hooks), failed, time.time() - began)
    return len(failed)


def _note(why: str, called: int, failed: list[str], seconds: float) -> None:
    attempt = os.environ.get(ATTEMPT)
    if not attempt or not called:
        return
    line = {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),  # noqa: UP017
        "kind": "hooks",
        "why": why,
        "called": called,
        "failed": failed,
        "seconds": round(seconds, 3),
    }
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(str(Path(attempt) / "events.jsonl"), flags, 0o600)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())
    finally:
        os.close(descriptor)


def _mark(attempt: Path) -> None:
    """Tell the supervisor that somebody wants to be called before the time limit."""
    try:
        (attempt / "hooks").touch(mode=0o600)
    except OSError as error:
        warnings.warn(f"The job may not be told before its time limit: {error}", stacklevel=3)


def _handle(handler: Any) -> None:
    """Take SIGTERM, in this process alone: its children end by it as they always did."""
    if threading.current_thread() is not threading.main_thread():
        warnings.warn("Only the main thread can have a script told by SIGTERM.", stacklevel=3)
        return
    _state.home, _state.handler = os.getpid(), handler
    _state.before = signal.signal(signal.SIGTERM, handler)
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_forget)
    atexit.register(_end_as_said)


def _end_as_said() -> None:
    """Python puts its handlers away before it ends: a second signal must not change its code."""
    if _state.asked and _state.home == os.getpid():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)


def _hold() -> None:
    """Python forgets in a new child what came before it could look: let it come later."""
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _let_go() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _forget() -> None:
    """In a child made by fork, such as a worker that its parent ends by SIGTERM."""
    if _state.handler is not None and signal.getsignal(signal.SIGTERM) is _state.handler:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _state.handler, _state.hooks = None, []
    _let_go()


def _leave_it_to_the_runner(number: int, frame: Any) -> None:
    """SIGTERM in a kernel."""


def _end_script(number: int, frame: Any) -> None:
    """SIGTERM in a script: the hooks, then its own handler, or the end with clean-up."""
    if _state.asked:
        return  # the batch system and the runner both said it
    _state.asked = True
    why, until = _why(Path(os.environ[ATTEMPT]))
    if why != "cancel":
        told(why, until)
    if callable(_state.before):
        _state.before(number, frame)
        return
    raise SystemExit(128 + number)


def _why(attempt: Path) -> tuple[str, float]:
    """The supervisor's word, which may come a moment after the batch system's signal."""
    for _ in range(25):
        try:
            word = json.loads((attempt / "stopping.json").read_bytes())
            return str(word["why"]), float(word["until"])
        except (OSError, ValueError, KeyError, TypeError):
            time.sleep(0.02)
    return "eviction", time.time() + 5.0
