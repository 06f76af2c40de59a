"""A person's home with kernels in it, and the ``mlinfn`` program at work there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import psutil

from tests.cli.conftest import PASSED, Ended, Program, works_in

LANGUAGES = {"ir": "R", "bash": "bash"}


class Desk:
    """One home for many jobs, so that they share one dispatcher."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data = home / "data"
        self.data.mkdir(parents=True)
        kept = {key: os.environ[key] for key in PASSED if key in os.environ}
        self.environ = {
            **kept,
            "HOME": str(home),
            "JUPYTER_DATA_DIR": str(self.data),
            "JUPYTER_CONFIG_DIR": str(home / "config"),
            "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        }
        self.program = Program(home, self.environ)

    def notebook(self, name: str, kernel: str, *cells: str, parameters: str | None = None) -> Path:
        """A notebook in a folder of its own."""
        made = nbformat.v4.new_notebook()
        language = LANGUAGES[kernel]
        made.metadata["kernelspec"] = {
            "name": kernel, "display_name": language, "language": language,
        }  # fmt: skip
        if parameters is not None:
            tagged = {"tags": ["parameters"]}
            made.cells.append(nbformat.v4.new_code_cell(parameters, metadata=tagged))
        made.cells += [nbformat.v4.new_code_cell(source) for source in cells]
        path = self.home / name / f"{name}.ipynb"
        path.parent.mkdir()
        nbformat.write(made, path)
        return path

    def job(self, notebook: Path, *words: str, code: int = 0) -> Any:
        """Submit, wait, and give the record; ``code`` is the exit code it must have."""
        ended = self.program.run("submit", str(notebook), "--wait", "--json", *words)
        assert ended.code == code, ended
        return ended.json

    def words(self, *words: str) -> Ended:
        """Run the program to its end."""
        return self.program.run(*words)

    def cancel_when(self, notebook: Path, seen: Callable[[], bool]) -> Any:
        """Submit, cancel when ``seen``, and give the record of the end."""
        job = self.program.run("submit", str(notebook), "--json").json["id"]
        until(seen)
        assert self.program.run("job", "cancel", job).code == 0
        until((self.data / "mlinfn" / "jobs" / job / "attempts" / "1" / "end.json").exists)
        return self.program.run("job", "show", job, "--json").json

    def kernels(self) -> list[list[str]]:
        """The command lines of kernels that work here."""
        found = []
        for process in psutil.process_iter():
            if works_in(process, self.home):
                found.append(process.cmdline())
        return [words for words in found if any("connection.json" in word for word in words)]


def output(record: Any) -> Any:
    """The published notebook."""
    return nbformat.read(record["output"], as_version=4)


def texts(record: Any) -> list[str]:
    """What each code cell of the published notebook printed."""
    cells = [cell for cell in output(record).cells if cell.cell_type == "code"]
    return [
        "".join(out.text for out in cell.outputs if out.output_type == "stream") for cell in cells
    ]


def until(seen: Callable[[], bool], within: float = 60) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + within
    while not seen():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
