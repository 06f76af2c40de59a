"""``%mlinfn`` in any IPython kernel, and ``record()``, ``save()`` and their like for jobs.

This file is loaded in kernels whose environment does not hold ``jupyter_mlinfn``: it needs the
standard library (Python 3.8 or newer) and, in a kernel, IPython. It passes a magic's line to the
``mlinfn`` program and shows what comes back. Outside jobs what is here for jobs does no harm.
"""

from __future__ import annotations

import codecs
import importlib.util
import json
import os
import pickle
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

__all__ = ["checkpoint_dir", "load", "on_eviction", "record", "save", "seconds_left"]

_MAX_TEXT = 1000
_MAX_DEPTH = 4
_GRACE_SECONDS = 5.0
_FOREIGN_PREFIXES = ("PYTHON", "LD_", "DYLD_", "CONDA_", "_CE_", "MAMBA_", "PIP_")
_FOREIGN_NAMES = {"VIRTUAL_ENV", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"}


class _Session:
    """What the kernel's starter told us: the kernel's id and how to start the program."""

    def __init__(self, kernel_id: str | None, program: tuple[str, ...]) -> None:
        self.kernel_id = kernel_id
        self.program = program
        self.environ = clean_environment(os.environ)


class MlinfnFailed(Exception):
    """Stops the cell; shown as its own text, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


# --- for the code of a job ---------------------------------------------------------------------


def record(*given: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Note values such as ``record(epoch=3, loss=0.1)``; the Jobs panel shows them live.

    Returns the values. Outside a job nothing is written. Numbers of NumPy and its relatives
    become plain numbers; what JSON cannot hold becomes text.
    """
    everything: dict[str, Any] = {}
    for more in given:
        everything.update(more)
    everything.update(values)
    folder = os.environ.get("MLINFN_JOB_DIR")
    if folder and everything:
        now = datetime.now(timezone.utc).isoformat()  # noqa: UP017 - Python 3.10 and older
        line = json.dumps({"at": now, "values": _plain(everything, 0)}) + "\n"
        try:
            _append(Path(folder) / "values.jsonl", line)
        except OSError as error:
            # A full disk must not end a training run for the sake of its progress bar.
            warnings.warn(f"These values could not be recorded: {error}", stacklevel=2)
    return everything


def brought_along(path: str) -> dict[str, Any]:
    """The variables that ``%%mlinfn submit --with`` kept in the file at ``path``."""
    values: dict[str, Any] = {}
    kept = Path(path)
    if not kept.exists():
        kept = Path(kept.parent.name) / kept.name  # the job works on a copy of the folder
    with kept.open("rb") as stream:
        for _ in range(pickle.load(stream)):  # noqa: S301 - written by this person's own kernel
            name, value = pickle.load(stream)  # noqa: S301
            values[name] = value
    return values


def _append(path: Path, line: str) -> None:
    """One write on a descriptor opened for appending: lines of two processes never mix."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    try:
        os.write(descriptor, line.encode("utf-8"))
    finally:
        os.close(descriptor)


def _plain(value: Any, depth: int) -> Any:
    """The value as JSON can hold it; NaN and infinities as text, because JSON has none."""
    if value is None or isinstance(value, (bool, str)):
        return value[:_MAX_TEXT] if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if value - value == 0 else str(float(value))
    if depth < _MAX_DEPTH and isinstance(value, dict):
        return {str(key)[:100]: _plain(item, depth + 1) for key, item in value.items()}
    if depth < _MAX_DEPTH and isinstance(value, (list, tuple)):
        return [_plain(item, depth + 1) for item in value[:_MAX_TEXT]]
    return _scalar(value, depth)


def _scalar(value: Any, depth: int) -> Any:
    """The one number in a NumPy or PyTorch value; text for everything else."""
    item = getattr(value, "item", None)
    if callable(item) and depth < 2 * _MAX_DEPTH:
        try:
            return _plain(item(), depth + _MAX_DEPTH)
        except (TypeError, ValueError, RuntimeError):
            return str(value)[:_MAX_TEXT]  # it holds more than one number
    return str(value)[:_MAX_TEXT]


# --- the magics --------------------------------------------------------------------------------


def start(kernel_id: str, *program: str) -> None:
    """Called at kernel start: keep who we are and register the magics."""
    global _session
    _session = _Session(kernel_id, program)
    _checkpoints.stay()
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        load_ipython_extension(shell)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext mlinfn``."""
    shell.register_magic_function(_line_magic, "line", "mlinfn")
    shell.register_magic_function(_cell_magic, "cell", "mlinfn")


def _line_magic(line: str) -> None:
    """``%mlinfn VERB …``: what the ``mlinfn`` program does with the same words.

    ``%mlinfn submit`` without a path submits the notebook it is typed in.
    """
    words = _split(line)
    if not _skipped(words):
        _run(words)


def _cell_magic(line: str, cell: str) -> None:
    """``%%mlinfn submit [options]``: the cell alone, as a job.

    ``--with a,b`` takes these variables of the notebook along.
    """
    words = _split(line)
    if words[:1] != ["submit"]:
        raise MlinfnFailed("Only submit takes a cell: write %%mlinfn submit [options].")
    if _skipped(words):
        return
    from IPython import get_ipython

    cells = _beside("cells")
    try:
        prepared = cells.prepare(words, cell, get_ipython())
    except cells.CellRefused as refused:
        raise MlinfnFailed(f"{refused}\nNothing was submitted.") from None
    try:
        _run(prepared.words, prepared.text)
    except BaseException:
        prepared.discard()
        raise


def _beside(name: str) -> Any:
    """A module that lies beside this folder, because only this file is for import."""
    known = f"_mlinfn_{name}"
    if known not in sys.modules:
        path = Path(__file__).resolve().parent.parent / f"{name}.py"
        spec = importlib.util.spec_from_file_location(known, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[known] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[known]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        raise MlinfnFailed(
            "This line cannot be read: a quote is opened and not closed, or it ends with a "
            "backslash. Nothing was done."
        ) from None


def _skipped(words: list[str]) -> bool:
    """True inside a job: a submitted notebook must not submit itself again."""
    if words[:1] == ["submit"] and "--nested" not in words and os.environ.get("MLINFN_JOB"):
        print("mlinfn submit: skipped inside a job. Add --nested to submit all the same.")  # noqa: T201
        return True
    return False


def _run(words: list[str], text: str | None = None) -> None:
    """Run the program with its output streamed into the cell; raises when it fails."""
    program = _session.program or _program_on_path()
    if words[:1] == ["submit"] and _session.kernel_id:
        words = ["submit", "--from-kernel", _session.kernel_id, *words[1:]]
    try:
        code = _stream([*program, *words], text)
    except FileNotFoundError:
        raise MlinfnFailed(
            f"The mlinfn program is not there any more ({program[0]}). Was its environment "
            "removed? Start Jupyter anew, then restart this kernel. Nothing was done."
        ) from None
    if code:
        raise MlinfnFailed(f"mlinfn {' '.join(words[:1])} ended with exit code {code}.")


def _program_on_path() -> tuple[str, ...]:
    """The program of a kernel that something else than our Jupyter has started."""
    program = shutil.which("mlinfn", path=_session.environ.get("PATH"))
    if program is None:
        raise MlinfnFailed(
            "The mlinfn program was not found: this kernel was not started by a Jupyter that "
            "has jupyter_mlinfn. Open the notebook there, or put mlinfn on the PATH."
        )
    return (program,)


def clean_environment(environ: Any) -> dict[str, str]:
    """Without what belongs to the kernel's own Python, which would break another one."""
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_FOREIGN_PREFIXES) and name not in _FOREIGN_NAMES
    }
    return {**kept, "COLUMNS": "100"}


def _stream(argv: list[str], text: str | None) -> int:
    """Exit code of the program; an interrupt of the cell ends it, and then goes on up."""
    with tempfile.TemporaryFile() as source:
        if text is not None:
            source.write(text.encode("utf-8", "replace"))
            source.seek(0)
        process = subprocess.Popen(
            argv,
            stdin=source if text is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_session.environ,
            start_new_session=True,  # an interrupt reaches it from us alone, and once
        )
    with process:
        try:
            _copy(process, sys.stderr if "--json" in argv else sys.stdout)
            return process.wait()
        except BaseException:
            _end(process)
            raise


def _copy(process: Any, words: Any) -> None:
    """Both streams into the cell as they come, until both are closed.

    What the program says to people goes to ``words``: notebooks paint standard error red, and
    "Submitted" is no error. A failure ends the cell with :class:`MlinfnFailed` anyway.
    """
    with selectors.DefaultSelector() as selector:
        for stream, target in ((process.stdout, sys.stdout), (process.stderr, words)):
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            selector.register(stream, selectors.EVENT_READ, (decoder, target))
        while selector.get_map():
            for key, _ in selector.select():
                decoder, target = key.data
                data = os.read(key.fd, 65536)
                if not data:
                    selector.unregister(key.fileobj)
                shown = decoder.decode(data, final=not data)
                if shown:
                    target.write(shown)
                    target.flush()


def _end(process: Any) -> None:
    """End the program and what it started: first politely, last with SIGKILL."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_SECONDS)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
        break


# A reload (%reload_ext) runs this file again in the same namespace and must not forget.
_session = globals().get("_session") or _Session(None, ())

_checkpoints = _beside("checkpoints")
checkpoint_dir = _checkpoints.checkpoint_dir
load = _checkpoints.load
on_eviction = _checkpoints.on_eviction
save = _checkpoints.save
seconds_left = _checkpoints.seconds_left
