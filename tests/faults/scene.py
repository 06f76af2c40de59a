"""A person's machine for fault campaigns: folders, the real engine, and ways to kill its parts."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, Resources
from jupyter_mlinfn.process import tree
from jupyter_mlinfn.settings import Mlinfn, load_settings
from jupyter_mlinfn.workbench import Workbench

CODE = """\
import os, pathlib, time
effects = pathlib.Path({effects!r})
with effects.open("a") as file:
    file.write("began " + os.environ["MLINFN_ATTEMPT_TOKEN"] + "\\n")
time.sleep({seconds})
print("worked")
with effects.open("a") as file:
    file.write("done " + os.environ["MLINFN_ATTEMPT_TOKEN"] + "\\n")
"""
"""The code of every job leaves a trace outside the job: how often it ran is seen there."""


class Scene:
    """One data folder, one work folder, two slots; ``settings`` as in the configuration file."""

    def __init__(self, root: Path, backend: str = "local", settings: str = "") -> None:
        self.root = root
        self.backend = backend
        self.work = root / "work"
        self.work.mkdir()
        config = root / "config"
        config.mkdir()
        (config / "jupyter_mlinfn_config.py").write_text(
            f"{settings}c.Mlinfn.job_cpus = 2\nc.Mlinfn.job_memory = '8GiB'\n"
        )
        os.environ["JUPYTER_CONFIG_DIR"] = str(config)
        os.environ["JUPYTER_DATA_DIR"] = str(root / "jupyter")
        os.environ["JUPYTER_RUNTIME_DIR"] = str(root / "runtime")
        os.environ["JUPYTER_NO_CONFIG"] = ""
        self.settings: Mlinfn = load_settings()
        self.bench = Workbench(self.settings)
        self.data = self.bench.data_dir
        self.server: Serving | None = None

    # --- jobs -----------------------------------------------------------------------------------

    def notebook(self, name: str, seconds: float) -> Path:
        """A notebook whose one cell takes so long."""
        path = self.work / f"{name}.ipynb"
        source = CODE.format(effects=str(self.effects(name)), seconds=seconds)
        cell = {
            "cell_type": "code",
            "id": "a",
            "metadata": {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        content = {
            "nbformat": 4,
            "nbformat_minor": 5,
            "metadata": {"kernelspec": kernel},
            "cells": [cell],
        }
        path.write_text(json.dumps(content))
        return path

    def script(self, name: str, seconds: float) -> Path:
        """The same as a script: it starts faster, so that other points are hit."""
        path = self.work / f"{name}.py"
        path.write_text(CODE.format(effects=str(self.effects(name)), seconds=seconds))
        return path

    def effects(self, name: str) -> Path:
        """Where the code of job ``name`` leaves its trace."""
        return self.work / f"{name}.effects"

    def request(self, source: Path) -> JobRequest:
        """A request for a small job."""
        small = Resources(cpus=1, memory=2**30, time=300)
        return JobRequest(
            source=str(source), environment="python3", resources=small, backend=self.backend
        )

    def submit_elsewhere(self, source: Path, key: str) -> subprocess.Popen[bytes]:
        """Submit by a program of its own, which can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.submitter", str(source), key],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def serve(self) -> Serving:
        """The running server; started, and started again when it was killed."""
        if self.server is None or not self.server.lives():
            if self.server is not None:
                self.server.collect()
            self.server = Serving(self.root, self.work, self.backend)
        return self.server

    def folder(self, record: JobRecord) -> AttemptFolder:
        """The folder of the job's newest attempt."""
        return AttemptFolder(self.bench.folders.attempt(record.id, max(1, record.attempts)))

    def contact(self) -> None:
        """What a server or a terminal does when somebody looks."""
        self.bench.reconciler.run_once()

    # --- processes ------------------------------------------------------------------------------

    def processes(self, *words: str) -> list[int]:
        """Living processes of this scene whose command line holds all ``words``."""
        found = []
        for pid in tree.living():
            if pid == os.getpid():
                continue
            with suppress(OSError):
                line = (
                    Path(f"/proc/{pid}/cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode("utf-8", "replace")
                )
                environ = Path(f"/proc/{pid}/environ").read_bytes()
                ours = str(self.root) in line or str(self.root).encode() in environ
                if ours and all(word in line for word in words):
                    found.append(pid)
        return found

    def target(self, name: str) -> list[int]:
        """The processes of one kind of victim now."""
        return self.processes(*VICTIMS[name])

    def end(self) -> None:
        """Kill what is left and close the index."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.server is not None:
            self.server.collect()
        self.bench.store.close()


class Serving:
    """A real Jupyter server on loopback whose root is the work folder."""

    def __init__(self, root: Path, work: Path, backend: str) -> None:
        self._backend = backend
        self._token = secrets.token_hex(16)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._url = f"http://127.0.0.1:{port}/mlinfn/api/v1/"
        with (root / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root",
                 f"--port={port}", f"--ServerApp.root_dir={work}",
                 "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}"],
                env={**os.environ, "JUPYTER_TOKEN": self._token},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until = time.monotonic() + 60
        while not self._answers():
            if time.monotonic() > until or not self.lives():
                raise RuntimeError((root / "server.log").read_text()[-2000:])
            time.sleep(0.05)

    def lives(self) -> bool:
        return self._process.poll() is None

    def collect(self) -> None:
        """Wait for the killed server."""
        self._process.kill()
        self._process.wait()

    def submit(self, source: Path, key: str) -> threading.Thread:
        """POST the job from a thread; what comes back, or that nothing does, is of no interest."""
        small = {"cpus": 1, "memory": 2**30, "time": 300}
        body: dict[str, Any] = {"source": source.name, "environment": "python3"}
        body |= {"resources": small, "backend": self._backend}

        def post() -> None:
            with suppress(OSError, http.client.HTTPException):
                self.ask("POST", "jobs", body, {"Idempotency-Key": key})

        thread = threading.Thread(target=post)
        thread.start()
        return thread

    def states(self) -> dict[str, str]:
        """The newest jobs' states as a person is shown them."""
        return {job["id"]: job["state"] for job in self.ask("GET", "jobs?limit=50")["jobs"]}

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Any:
        """One request; the decoded answer."""
        request = urllib.request.Request(
            self._url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"token {self._token}",
                "Content-Type": "application/json",
                **(headers or {}),
            },
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def _answers(self) -> bool:
        try:
            self.ask("GET", "jobs?limit=1")
        except OSError:
            return False
        return True


VICTIMS: dict[str, tuple[str, ...]] = {
    "submitter": ("tests.faults.submitter",),
    "dispatcher": ("local-dispatcher",),
    "supervisor": ("jupyter_mlinfn.jobs.supervisor",),
    "runner": ("jupyter_mlinfn.jobs.runner",),
    "server": ("-m jupyter_server",),
    "everything": (),
}
"""Words in the command line of each kind of victim."""
