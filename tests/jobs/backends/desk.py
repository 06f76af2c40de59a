"""A person's desk with a real workbench: notebooks, submitting as the form does, patient looks."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest, Resources
from jupyter_mlinfn.settings import load_settings
from jupyter_mlinfn.workbench import Workbench
from tests.jobs.workplace import code, write_notebook

MIB = 2**20


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
        """Submit a notebook of these cells; keys of :class:`Resources` go there."""
        name = asked.pop("file", "study.ipynb")
        notebook = write_notebook(self.work / name, *map(code, sources))
        if (parameters := asked.pop("cell", None)) is not None:
            notebook = write_notebook(
                self.work / name, code(parameters, "parameters"), *map(code, sources)
            )
        wanted = {"cpus": 1, "memory": 512 * MIB, "time": 300}
        wanted |= {
            key: asked.pop(key) for key in ("cpus", "memory", "gpus", "time") if key in asked
        }
        request = JobRequest(
            source=str(notebook),
            backend=self.backend,
            resources=Resources(**wanted),
            **asked,
        )
        return self.bench.submission.submit(request, key)

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
            time.sleep(0.1)
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

    def partial(self, job: str, attempt: int = 1) -> list[str]:
        """The stream texts of an attempt's own notebook, as it was last saved."""
        notebook = self.bench.folders.attempt(job, attempt) / "notebook.ipynb"
        return texts(notebook) if notebook.exists() else []

    def until_partial(self, job: str, printed: list[str], within: float = 30.0) -> None:
        """Wait until the partial notebook of the first attempt holds what was printed."""
        until = time.monotonic() + within
        while self.partial(job) != printed:
            assert time.monotonic() < until, self.story(job)
            time.sleep(0.1)

    def close(self) -> None:
        """Close the index."""
        self.bench.store.close()


def texts(path: Path | str | None) -> list[str]:
    """What each code cell of a notebook printed, of those that printed."""
    assert path is not None
    cells: list[Mapping[str, Any]] = json.loads(Path(path).read_text())["cells"]
    told = [
        "".join(part for out in cell.get("outputs", ()) for part in out.get("text", ()))
        for cell in cells
    ]
    return [text for text in told if text]
