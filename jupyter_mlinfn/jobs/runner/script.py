"""Running a script or a command with the interpreter of the recorded environment."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.credentials import Redactor
from jupyter_mlinfn.jobs.runner.kernel import kernel_environment, program, start_program, workdir
from jupyter_mlinfn.jobs.runner.logfile import LogFile
from jupyter_mlinfn.jobs.runner.outcome import Outcome, begin, signal_name
from jupyter_mlinfn.jobs.runner.rebuilding import bring_back_environment
from jupyter_mlinfn.jobs.runner.stopping import Notice, Stopping, notices
from jupyter_mlinfn.jobs.runner.verify import verify_environment
from jupyter_mlinfn.magics import shim_folder
from jupyter_mlinfn.process.child import Child

_TERMINATE_WITHIN = 3.0
_POLL = 0.02
_IMAGE_PROGRAM = "jupyter_mlinfn.environments.image"


def run_script(folder: AttemptFolder, spec: Mapping[str, Any], stopping: Stopping) -> Outcome:
    """Run it to its end. Raises :class:`~.outcome.Ended` when it cannot begin."""
    log = LogFile(folder.log, redact=Redactor(folder.job_folder))
    bring_back_environment(folder, log, stopping)
    command = json.loads((folder.bundle / "kernel.json").read_bytes())
    environ = kernel_environment(command, spec)
    del environ["JPY_PARENT_PID"]
    argv = _argv(folder, spec, command, environ)
    verify_environment(folder)
    stopping.check()
    begin(folder)
    process = start_program(argv, folder, environ, workdir(folder, spec), log)

    def end() -> None:
        """Called from the signal's handler: the script gets the same signal and a moment."""
        process.send_signal(signal.SIGTERM)
        threading.Thread(target=_kill_in_time, args=(process, folder)).start()

    stopping.then(end)
    code = process.wait()
    _let_the_log_catch_up(log)
    if code == 0 and stopping.asked and spec.get("evictable") and _notice(folder).starts_again:
        # it may have saved what it had and ended politely, with work left to do
        return Outcome("stopped", exit_code=0)
    return _outcome(code, stopping)


def _kill_in_time(process: Child, folder: AttemptFolder) -> None:
    """End a program that does not heed SIGTERM: a cancelled one soon, else when time is up."""
    notice = _notice(folder)
    within = notice.left() if notice.hooks else _TERMINATE_WITHIN
    until = time.monotonic() + within
    while process.poll() is None and time.monotonic() < until:
        time.sleep(_POLL)
    process.kill()


def _notice(folder: AttemptFolder) -> Notice:
    for notice in notices(folder):
        if notice is not None:
            return notice
        time.sleep(_POLL)
    raise AssertionError  # the last one always is a notice


def _argv(
    folder: AttemptFolder,
    spec: Mapping[str, Any],
    command: Mapping[str, Any],
    environ: Mapping[str, str],
) -> list[str]:
    title = command["display_name"]
    if spec["kind"] == "command":
        first, *rest = spec["command"]
        return [program(first, environ, title), *rest]
    interpreter = [program(command["argv"][0], environ, title), *_out_of_image(command["argv"])]
    starter = Path(__file__).with_name("script_start.py")
    places = (str(folder.bundle / "modules"), str(shim_folder()))
    script = str(folder.bundle / "script.py")
    return [*interpreter, "-u", str(starter), *places, script, *spec.get("command", ())]


def _out_of_image(argv: Sequence[str]) -> Sequence[str]:
    """The words up to the image's own interpreter, where the kernel runs out of one file."""
    if _IMAGE_PROGRAM not in argv or "--" not in argv:
        return ()
    return argv[1 : argv.index("--") + 2]


def _let_the_log_catch_up(log: LogFile) -> None:
    """Wait for the thread that copies the output; a daemon of the job may hold the pipe open."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and thread.daemon:
            thread.join(2.0)
    log.flush()


def _outcome(code: int, stopping: Stopping) -> Outcome:
    if code == 0:
        return Outcome("succeeded", exit_code=0)
    if stopping.asked:
        return Outcome("stopped", exit_code=code)
    if code < 0:
        text = f"It was ended by signal {signal_name(-code)}."
        # exit codes as a shell gives them
        return Outcome.failed("command-failed", text, 128 - code)
    text = f"It ended with exit code {code}. The log holds what it said."
    return Outcome.failed("command-failed", text, code)
