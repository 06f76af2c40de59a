"""Starting the kernel exactly as it was recorded, before anything heavy is imported.

Standard library only: the kernel's own start takes half a second, during which this process
imports nbclient. It is started here and not by jupyter_client's manager, because the command is
the recorded one and must not be looked up by name again.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, Slot
from jupyter_mlinfn.jobs.runner.logfile import LogFile
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.magics import with_magics, without_history
from jupyter_mlinfn.process.child import Child, on_cpus, start_child
from jupyter_mlinfn.process.durable import write_atomically

_PORTS = ("shell_port", "iopub_port", "stdin_port", "control_port", "hb_port")
_TEMPLATE = re.compile(r"\{([A-Za-z0-9_]+)\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")
_OWN_PYTHON = {"python", "python3", f"python3.{sys.version_info[1]}"}
_MAX_VARIABLE = 100_000
_OOM_SCORE = "500"
_NICE = 5
_LONGEST_SOCKET = 100
"""Of the 107 characters that the address of a Unix socket holds; "-5" is appended."""


class StartedKernel:
    """The recorded kernel's process and how to reach it."""

    def __init__(self, process: Child, connection: dict[str, Any], interrupt_mode: str) -> None:
        self.process = process
        self.connection = connection
        self.interrupt_mode = interrupt_mode


def start_kernel(folder: AttemptFolder, spec: Mapping[str, Any], log: LogFile) -> StartedKernel:
    """Start the kernel of ``bundle/kernel.json`` in the folder the job works in.

    Raises :class:`Ended` (``environment-missing``) when its program is not there any more.
    """
    command = json.loads((folder.bundle / "kernel.json").read_bytes())
    environ = kernel_environment(command, spec)
    connection = connection_to(command["language"])
    write_atomically(folder.connection, json.dumps(connection))
    values = {
        "connection_file": str(folder.connection),
        "resource_dir": command["resource_dir"],
        "prefix": sys.prefix,
    }
    argv = [_TEMPLATE.sub(lambda m: values.get(m[1], m[0]), word) for word in command["argv"]]
    argv[0] = program(argv[0], environ, command["display_name"])
    argv = with_magics(without_history(argv), f"job-{spec['id']}")
    process = start_program(argv, folder, environ, workdir(folder, spec), log)
    return StartedKernel(process, connection, command.get("interrupt_mode", "signal"))


def start_program(
    argv: Sequence[str], folder: AttemptFolder, environ: Mapping[str, str], cwd: Path, log: LogFile
) -> Child:
    """Start a program of the job on the CPUs of its slot; what it prints goes to the log."""
    slot = folder.read_slot()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        with on_cpus(slot.cpu_set if slot else ()):
            process = start_child(
                argv, env=environ, cwd=cwd, output=writer, pass_fds=_held_locks(slot)
            )
    except OSError as error:
        os.close(reader)
        raise Ended(
            Outcome.failed("environment-missing", f"{argv[0]} cannot be started: {error.strerror}.")
        ) from error
    finally:
        os.close(writer)
    # the person's interactive work goes before jobs wherever both want the same CPU
    os.setpriority(os.PRIO_PROCESS, process.pid, max(_NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    with suppress(OSError):  # when memory ends, the job's code goes first and we can still say so
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(_OOM_SCORE)
    threading.Thread(target=log.drain, args=(reader,), daemon=True).start()
    return process


def kernel_environment(command: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, str]:
    """Our own environment, the kernel spec's ``env``, and the parameters as JSON."""
    environ = dict(os.environ)
    environ["JPY_PARENT_PID"] = str(os.getpid())
    for name, text in (command.get("env") or {}).items():
        environ[name] = _VARIABLE.sub(lambda m: os.environ.get(m[1], m[0]), text)
    for name, value in (spec.get("parameters") or {}).items():
        told = json.dumps(value)
        if len(told) < _MAX_VARIABLE:  # execve refuses longer ones; the injected cell has them
            environ[f"MLINFN_PARAM_{name}"] = told
    if spec.get("seed") is not None:
        environ["MLINFN_SEED"] = environ["PYTHONHASHSEED"] = str(spec["seed"])
    return environ


def program(word: str, environ: Mapping[str, str], title: str) -> str:
    """The program behind the first word of a kernel's command line, as jupyter_client reads it.

    Raises :class:`Ended` (``environment-missing``) when it is not there.
    """
    if word in _OWN_PYTHON:
        return sys.executable
    found = shutil.which(word, path=environ.get("PATH"))
    if found is None:
        text = (
            f"The environment '{title}' cannot start: its program {word} is not there any more. "
            "Install the environment again, or run the job again with another one."
        )
        raise Ended(Outcome.failed("environment-missing", text))
    return found


def workdir(folder: AttemptFolder, spec: Mapping[str, Any]) -> Path:
    """The notebook's folder where it exists, else what was captured of it."""
    wanted = Path(spec["workdir"])
    return wanted if wanted.is_dir() else folder.bundle


def _held_locks(slot: Slot | None) -> tuple[int, ...]:
    """Descriptors of the accelerator locks: held as long as any process of the job lives."""
    if slot is None or not slot.accelerators or not slot.accelerator_locks:
        return ()
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            if str(entry.readlink()).startswith(slot.accelerator_locks + "/"):
                found.append(int(entry.name))
    return tuple(found)


def connection_to(language: str) -> dict[str, Any]:
    """Sockets in a private folder for Python, ports on the loopback for all others.

    Not every kernel of another language knows Unix sockets. Messages are signed either way.
    """
    about: dict[str, Any] = {
        "key": secrets.token_hex(32),
        "signature_scheme": "hmac-sha256",
        "kernel_name": "",
    }
    if language == "python":
        sockets = Path(tempfile.mkdtemp(prefix="mlinfn-")) / "s"
        if len(os.fsencode(sockets)) <= _LONGEST_SOCKET:
            ports = dict(zip(_PORTS, range(1, 6), strict=True))
            return {**about, "transport": "ipc", "ip": str(sockets), **ports}
        sockets.parent.rmdir()
    return {**about, "transport": "tcp", "ip": "127.0.0.1", **_free_ports()}


def _free_ports() -> dict[str, int]:
    with ExitStack() as opened:
        found = {}
        for name in _PORTS:
            probe = opened.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found[name] = probe.getsockname()[1]
        return found
