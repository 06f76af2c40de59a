"""A person's machine for fault campaigns: folders, the real engine, and ways to kill its parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

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
    """One data folder, one work folder, two slots."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.work = root / "work"
        self.work.mkdir()
        config = root / "config"
        config.mkdir()
        (config / "jupyter_mlinfn_config.py").write_text(
            "c.Mlinfn.job_cpus = 2\nc.Mlinfn.job_memory = '8GiB'\n"
        )
        os.environ["JUPYTER_CONFIG_DIR"] = str(config)
        os.environ["JUPYTER_DATA_DIR"] = str(root / "jupyter")
        os.environ["JUPYTER_RUNTIME_DIR"] = str(root / "runtime")
        os.environ["JUPYTER_NO_CONFIG"] = ""
        self.settings: Mlinfn = load_settings()
        self.bench = Workbench(self.settings)
        self.data = self.bench.data_dir

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
        return JobRequest(source=str(source), environment="python3", resources=small)

    def submit_elsewhere(self, source: Path, key: str) -> subprocess.Popen[bytes]:
        """Submit by a program of its own, which can be killed."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.faults.submitter", str(source), key],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

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
        self.bench.store.close()


VICTIMS: dict[str, tuple[str, ...]] = {
    "submitter": ("tests.faults.submitter",),
    "dispatcher": ("local-dispatcher",),
    "supervisor": ("jupyter_mlinfn.jobs.supervisor",),
    "runner": ("jupyter_mlinfn.jobs.runner",),
    "everything": (),
}
"""Words in the command line of each kind of victim. ``server`` is added where there is one."""
