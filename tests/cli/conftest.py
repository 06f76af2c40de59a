"""The real program in a home of its own, and the end of everything it started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from tests.cli.forks import forks


@dataclass(frozen=True)
class Ended:
    """What one run of the program left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


@dataclass
class Program:
    """``mlinfn`` as another program starts it."""

    home: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "jupyter_mlinfn.cli", *arguments],
            env={**self.env, **more.pop("env", {})},
            cwd=more.pop("cwd", self.home),
            stdin=subprocess.PIPE,
            stdout=more.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )
        self.started.append(process)
        return process

    def run(self, *arguments: str, stdin: str = "", timeout: float = 120, **more: Any) -> Ended:
        """Run the program to its end; ``fresh``: in an interpreter of its own.

        Else in one that has loaded the rooms below ``cli`` before.
        """
        environ = {**self.env, **more.get("env", {})}
        fresh = more.pop("fresh", False) or any(environ.get(n) != os.environ.get(n) for n in LOCALE)
        if not fresh and more.keys() <= {"env", "cwd"}:
            folder = more.get("cwd", self.home)
            ended = forks().run(
                arguments, stdin=stdin, environ=environ, folder=folder, timeout=timeout
            )
            return Ended(*ended)
        process = self.start(*arguments, **more)
        out, err = process.communicate(stdin, timeout=timeout)
        return Ended(process.returncode, out or "", err)


LOCALE = ("LANG", "LC_ALL", "TZ")
PASSED = ("PATH", *LOCALE, "MLINFN_ANSWER_SECONDS")


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    home = tmp_path / "desk"
    home.mkdir()
    kept = {key: os.environ[key] for key in PASSED if key in os.environ}
    env = {
        **kept,
        "HOME": str(home),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "IPYTHONDIR": str(home / "ipython"),
    }
    made = Program(home, env)
    yield made
    for process in made.started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    end_everything_below(tmp_path)


def end_everything_below(folder: Path) -> None:
    """Kill dispatchers, supervisors, runners and kernels that work in ``folder``."""
    for _ in range(3):  # what is killed may have been starting something
        found = [process for process in psutil.process_iter() if works_in(process, folder)]
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)
        if not found:
            return


def works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        words = [*process.cmdline(), process.environ().get("HOME", "")]
    except (psutil.Error, OSError):
        return False
    return process.pid != os.getpid() and any(str(folder) in word for word in words)


def write_notebook(
    path: Path, cells: Sequence[str], *, parameters: str | None = None, kernel: str = "python3"
) -> Path:
    """A notebook with these code cells, the first one tagged ``parameters`` when given."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {
        "name": kernel,
        "display_name": kernel,
        "language": "python",
    }
    if parameters is not None:
        cell = nbformat.v4.new_code_cell(parameters)
        cell.metadata["tags"] = ["parameters"]
        notebook.cells.append(cell)
    notebook.cells += [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def notebook(program: Program) -> Path:
    """A notebook with one parameter that prints and computes a little."""
    return write_notebook(
        program.home / "fit.ipynb",
        ["print('rate is', rate)", "answer = rate * 2\nanswer"],
        parameters="rate = 0.5",
    )


@pytest.fixture
def make_notebook(program: Program) -> Any:
    """``make_notebook(name, cells, parameters=…)`` in the program's home."""

    def make(name: str, cells: Sequence[str], **more: Any) -> Path:
        return write_notebook(program.home / name, cells, **more)

    return make
