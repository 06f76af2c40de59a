"""A person's desk with a real workbench: notebooks, submitting as the form does, patient looks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest, Resources
from jupyter_mlinfn.settings import load_settings
from jupyter_mlinfn.workbench import Workbench
from tests.jobs.workplace import code, write_notebook

MIB = 2**20

COUNTS_STARTS = (
    "from pathlib import Path\n"
    "count = Path('count.txt')\n"
    "count.write_text(count.read_text() + 'x' if count.exists() else 'x')\n"
    "print('start', len(count.read_text()))",
    "import time\ntime.sleep(300 if len(count.read_text()) == 1 else 0)",
    "print('done')",
)
"""Cells that print ``start <attempt>``, wait in the first attempt, and print ``done``."""


class Desk:
    """One data folder and one work folder; ``settings`` is the text of the configuration file."""

    def __init__(self, root: Path, backend: str, settings: str = "") -> None:
        self.root = root
        self.work = root / "work"
        self.work.mkdir(parents=True)
        self.backend = backend
        config = root / "config"
        config.mkdir()
        (config / "jupyter_mlinfn_config.py").write_text(settings + "c.Mlinfn.job_cpus = 2\n")
        os.environ |= {
            "JUPYTER_CONFIG_DIR": str(config),
            "JUPYTER_DATA_DIR": str(root / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        }
        self.bench = Workbench(load_settings())

    def another(self) -> Workbench:
        """What a second process, or one that was started again, would build."""
        return Workbench(load_settings())

    def submit(self, *sources: str, key: str | None = None, **asked: Any) -> JobRecord:
        """Submit a notebook of these cells, or a script where ``file`` is one (``study.py``): half
        the work, where the test is not of notebooks. Keys of :class:`Resources` go there.
        """
        source = self.work / str(asked.pop("file", "study.ipynb"))
        parameters = asked.pop("cell", None)
        if source.suffix == ".py":
            source.write_text("\n".join((*filter(None, (parameters,)), *sources)) + "\n")
        else:
            tagged = () if parameters is None else (code(parameters, "parameters"),)
            write_notebook(source, *tagged, *map(code, sources))
        wanted = {"cpus": 1, "memory": 512 * MIB, "time": 300}
        wanted |= {
            key: asked.pop(key)
            for key in ("cpus", "memory", "gpus", "time", "gpu_memory", "gpu_model")
            if key in asked
        }
        request = JobRequest(
            source=str(source),
            backend=self.backend,
            resources=Resources(**wanted),
            **asked,
        )
        return self.bench.submission.submit(request, key)

    def held(self, name: str = "go") -> str:
        """A cell that is over after :meth:`go` and never before, however slow the machine is."""
        path = str(self.work / name)
        return f"import os, time\nwhile not os.path.exists({path!r}): time.sleep(0.05)"

    def go(self, name: str = "go") -> None:
        """Let everything go on that is :meth:`held` by this name."""
        (self.work / name).touch()

    def held_in_shell(self, name: str = "go") -> str:
        """As :meth:`held`, for a program that is no job of ours."""
        return f"while [ ! -e '{self.work / name}' ]; do sleep 0.1; done"

    def look(self, job: str) -> JobRecord:
        """The record after one look of the reconciler."""
        self.bench.reconciler.run_once()
        return self.bench.store.get(job)

    def until(self, job: str, *states: str, within: float = 60.0) -> JobRecord:
        """Wait until the job is in one of ``states``; an end that is none of them fails."""
        until = time.monotonic() + within
        while (record := self.look(job)).state not in states:
            assert record.state not in ENDED, (record.reason, self.story(job))
            assert time.monotonic() < until, (record, self.story(job))
            time.sleep(0.2)
        return record

    def story(self, job: str) -> str:
        """What the job's folder tells, for a failed test."""
        folder = self.bench.folders.job(job)
        told = [folder / "slurm.json", folder / "slurm.log"]
        told += sorted(folder.glob("attempts/*/*.json")) + sorted(folder.glob("attempts/*/*.log"))
        return "\n".join(
            f"--- {path.relative_to(folder)}\n{path.read_text(errors='replace')[-1500:]}"
            for path in told
            if path.is_file() and path.name != "connection.json"
        )

    def partial(self, job: str, attempt: int = 1, point: int | None = None) -> list[str]:
        """The stream texts of an attempt's own notebook, as it was last saved; a script's log."""
        folder = self.bench.folders.attempt(job, attempt, point)
        if (folder / "notebook.ipynb").exists():
            return texts(folder / "notebook.ipynb")
        script = self.bench.store.get(job).kind == "script"
        return texts(folder / "log.txt") if script and (folder / "log.txt").exists() else []

    def until_partial(self, job: str, printed: list[str], within: float = 30.0) -> None:
        """Wait until what the first attempt has told so far is what was printed."""
        until = time.monotonic() + within
        while self.partial(job) != printed:
            assert time.monotonic() < until, self.story(job)
            time.sleep(0.1)

    def until_recorded(self, job: str, least: int, within: float = 30.0) -> None:
        """Wait until the newest attempt has recorded so many values."""
        until = time.monotonic() + within
        while len(self.bench.actions.details(job).values) < least:
            assert time.monotonic() < until, self.story(job)
            time.sleep(0.05)

    def until_seen(self, job: str, seen: Callable[[], bool], within: float = 60.0) -> None:
        """Wait for something that the looks at the job bring."""
        until = time.monotonic() + within
        while not seen():
            self.look(job)
            assert time.monotonic() < until, self.story(job)
            time.sleep(0.1)

    def until_evicted_and_done(self, job: str) -> None:
        """Wait until a job gave way and its second attempt, in the system's same job, succeeded.

        What it gave way to is let go. Its cells are :data:`COUNTS_STARTS`.
        """
        number = self.bench.store.get(job).backend_id
        evicted = self.until(job, "evicted")
        assert evicted.reason is not None
        assert evicted.reason.code == "preempted"
        self.go()
        done = self.until(job, "succeeded", within=90)
        assert (done.attempts, done.evictions) == (2, 1)
        assert done.backend_id == number
        assert texts(done.output) == ["start 2\n", "done\n"]
        first, second = self.bench.store.attempts(job)
        assert (first.number, first.state, second.state) == (1, "evicted", "succeeded")
        assert self.partial(job, 1) == ["start 1\n"]

    def until_held(self, job: str) -> JobRecord:
        """Look until the system is seen to hold the job."""
        until = time.monotonic() + 60
        while (seen := self.look(job)).reason is None or seen.reason.code != "held":
            assert time.monotonic() < until, (seen, self.story(job))
            time.sleep(0.2)
        return seen

    def close(self) -> None:
        """Close the index."""
        self.bench.store.close()


def texts(path: Path | str | None) -> list[str]:
    """What each code cell of a notebook printed, of those that printed.

    Of a script's results, which are a folder, its log as one text.
    """
    assert path is not None
    path = Path(path)
    if path.is_dir():
        (path,) = path.glob("*.log")
    if path.suffix != ".ipynb":
        return [text for text in (path.read_text(),) if text]
    cells: list[Mapping[str, Any]] = json.loads(path.read_text())["cells"]
    told = [
        "".join(part for out in cell.get("outputs", ()) for part in out.get("text", ()))
        for cell in cells
    ]
    return [text for text in told if text]
