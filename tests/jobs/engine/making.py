"""Makes job folders by hand, as submission would, and runs the engine's real programs on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import AttemptFolder, Slot, now, read_json
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.identity import this_machine
from jupyter_mlinfn.process.redaction import own_environment

KERNEL: dict[str, Any] = {
    "name": "python3",
    "display_name": "Python 3",
    "language": "python",
    "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "env": {},
    "resource_dir": "/nowhere",
    "interrupt_mode": "signal",
}


def notebook(*cells: str, parameters: str | None = None) -> dict[str, Any]:
    """A version 4.5 notebook of code cells; ``parameters`` becomes the tagged first one."""
    sources = [(cell, {}) for cell in cells]
    if parameters is not None:
        sources.insert(0, (parameters, {"tags": ["parameters"]}))
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": metadata,
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, (source, metadata) in enumerate(sources)
        ],
    }


def make_attempt(
    root: Path,
    *cells: str,
    job: str = "aaaaaaaaaa",
    kind: str = "notebook",
    script: str | None = None,
    command: tuple[str, ...] = (),
    kernel: dict[str, Any] | None = None,
    parameters: dict[str, Any] | None = None,
    parameters_cell: str | None = None,
    modules: dict[str, str] | None = None,
    outputs: tuple[str, ...] = (),
    memory: int = 1 << 30,
    time: int = 120,
    digest: str | None = None,
    packages: tuple[dict[str, str], ...] = (),
    evictable: bool = False,
    asked: dict[str, Any] | None = None,
    **slot: Any,
) -> AttemptFolder:
    """A committed job with its first attempt claimed; nothing is started."""
    work = root / "work"
    work.mkdir(exist_ok=True)
    job_folder = root / "data" / "jobs" / job
    bundle = job_folder / "bundle"
    (bundle / "modules").mkdir(parents=True)
    folder = AttemptFolder(job_folder / "attempts" / "1")
    folder.path.mkdir(parents=True)
    kernel = {**KERNEL, **(kernel or {})}
    ref = {"name": kernel["name"], "digest": digest, "prefix": None, "kernel": kernel}
    spec = {
        "schema_version": 1,
        "id": job,
        "name": "test",
        "token": f"token-{job}-{os.getpid()}",
        "user": "tester",
        "source": str(work / ("study.ipynb" if script is None else "study.py")),
        "workdir": str(work),
        "kind": kind if script is None else "script",
        "command": command,
        "parameters": parameters or {},
        "injection": "cell" if parameters else "none",
        "environment": ref,
        "resources": {"cpus": 1, "memory": memory, "gpus": 0, "time": time},
        "backend": "local",
        "evictable": evictable,
        "outputs": outputs,
        "output_folder": str(work / "results" / f"study-{job}"),
        "submitted_at": datetime.now(UTC).isoformat(),
    }
    (job_folder / "job.json").write_text(json.dumps({**spec, **(asked or {})}))
    (bundle / "kernel.json").write_text(json.dumps(kernel))
    (bundle / "environment.json").write_text(json.dumps({"ref": ref, "packages": packages}))
    if script is not None:
        (bundle / "script.py").write_text(script)
    else:
        content = notebook(*cells, parameters=parameters_cell)
        (bundle / "notebook.ipynb").write_text(json.dumps(content))
    for name, text in (modules or {}).items():
        (bundle / "modules" / name).write_text(text)
    claim = Slot(
        job=job,
        attempt=1,
        token=spec["token"],
        cpus=1,
        memory=memory,
        time=time,
        slots="test",
        machine=this_machine().as_dict(),
        claimed_at=now(),
        **slot,
    )
    folder.claim.write_text(claim.to_json())
    return folder


def next_attempt(folder: AttemptFolder) -> AttemptFolder:
    """The attempt after this one, claimed with the same slot; nothing is started."""
    slot = folder.read_slot()
    assert slot is not None
    again = AttemptFolder(folder.path.parent / str(slot.attempt + 1))
    again.path.mkdir()
    again.claim.write_text(replace(slot, attempt=slot.attempt + 1).to_json())
    return again


def start_supervisor(
    folder: AttemptFolder, environ: dict[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start the real supervisor on an attempt."""
    with folder.supervisor_log.open("ab") as log:
        return subprocess.Popen(
            own_program("jupyter_mlinfn.jobs.supervisor", str(folder.path)),
            env=own_environment({**os.environ, **(environ or {})}),
            cwd=folder.path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_for(seen: Any, within: float = 60.0) -> Any:
    """Wait until ``seen()`` is true and give what it gave."""
    until = time.monotonic() + within
    while time.monotonic() < until:
        if found := seen():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def run_to_end(folder: AttemptFolder, environ: dict[str, str] | None = None) -> dict[str, Any]:
    """Supervise an attempt to its end; ``end.json``."""
    process = start_supervisor(folder, environ)
    try:
        process.wait(90)
    finally:
        process.kill()
        process.wait()
    end = read_json(folder.end)
    assert end is not None, folder.supervisor_log.read_text() + (
        folder.log.read_text() if folder.log.exists() else ""
    )
    return end


def texts(path: Path | str) -> list[str]:
    """The stream text of each code cell of a notebook."""
    content = json.loads(Path(path).read_text())
    return [
        "".join("".join(o.get("text", "")) for o in cell["outputs"]) for cell in content["cells"]
    ]
