"""A workbench with real own environments, made by the real engine from the small channel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from jupyter_mlinfn.model.environment_tasks import Create, Task, TaskRequest
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench

KERNEL = ("python", "ipykernel", "pip", "greeting=1.0")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One data folder for all tests of this folder, so that packages are unpacked once."""
    return tmp_path_factory.mktemp("own-data")


@pytest.fixture
def bench(data_dir: Path, small_channel: Path, own_home: Path) -> Iterator[Workbench]:
    """Where all environments and jobs of a test are removed at its end."""
    bench = Workbench(
        Mlinfn(data_dir=str(data_dir), channels=[str(small_channel)], managed_environments=[])
    )
    yield bench
    for record in bench.store.unfinished("local"):
        bench.actions.cancel(record.id)
    until_jobs_ended(bench)
    for folder in bench.layout.own.iterdir() if bench.layout.own.is_dir() else ():
        if not folder.name.startswith("."):
            bench.own.delete(folder.name, force=True)


@pytest.fixture
def done(bench: Workbench) -> Callable[[TaskRequest], Task]:
    """Carry a request out to its good end."""

    def carry_out(request: TaskRequest) -> Task:
        task = bench.tasks.wait(bench.tasks.start(request).id, 120)
        log = (bench.layout.task(task.id) / "log").read_text()
        assert task.state == "succeeded", (task.result, log)
        return task

    return carry_out


@pytest.fixture
def one(bench: Workbench, done: Callable[[TaskRequest], Task]) -> Path:
    """The environment ``one``, which can run notebooks; its prefix."""
    done(Create(name="one", packages=KERNEL))
    return bench.own.state("one").prefix


def until_jobs_ended(bench: Workbench, limit: float = 120.0) -> None:
    until = time.monotonic() + limit
    while bench.store.unfinished("local"):
        assert time.monotonic() < until, bench.store.unfinished("local")
        bench.reconciler.run_once()
        time.sleep(0.1)


def notebook(path: Path, *sources: str, kernel: str = "python3") -> Path:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    book.metadata["kernelspec"] = {"name": kernel, "display_name": kernel}
    nbformat.write(book, path)
    return path


def run_job(bench: Workbench, request: JobRequest) -> JobRecord:
    job = bench.submission.submit(request)
    until_jobs_ended(bench)
    return bench.store.get(job.id)


def log_of(bench: Workbench, job: str) -> str:
    return (bench.folders.attempt(job, 1) / "log.txt").read_text()
