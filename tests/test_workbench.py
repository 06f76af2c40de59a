"""The capabilities introduced to each other: one job through the whole house, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest
from jupyter_mlinfn.settings import Mlinfn, load_settings
from jupyter_mlinfn.workbench import Workbench

pytestmark = pytest.mark.slow


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    bench = Workbench(Mlinfn(data_dir=str(tmp_path / "data")))
    yield bench
    for record in bench.store.unfinished("local"):
        bench.actions.cancel(record.id)
    until_ended(bench)


def until_ended(bench: Workbench, limit: float = 60.0) -> None:
    until = time.monotonic() + limit
    while bench.store.unfinished("local"):
        assert time.monotonic() < until, bench.store.unfinished("local")
        bench.reconciler.run_once()
        time.sleep(0.1)


def notebook(path: Path, *sources: str) -> Path:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(book, path)
    return path


def submit_and_wait(bench: Workbench, source: Path) -> JobRecord:
    job = bench.submission.submit(JobRequest(source=str(source)))
    until_ended(bench)
    return bench.store.get(job.id)


def test_one_job_through_the_whole_house(bench: Workbench, tmp_path: Path) -> None:
    source = notebook(tmp_path / "four.ipynb", *(f"print('cell {n}')" for n in range(1, 5)))
    record = submit_and_wait(bench, source)
    assert record.state == "succeeded", record.reason
    assert record.state in ENDED
    assert record.progress is not None
    assert (record.progress.cells_done, record.progress.cells_total) == (4, 4)
    assert record.progress.last_line == "cell 4"
    assert record.output is not None
    assert Path(record.output).is_file()


def test_settings_are_read_from_jupyters_configuration_path(own_folders: Path) -> None:
    (own_folders / "config" / "jupyter_mlinfn_config.py").write_text(
        "c.Mlinfn.job_cpus = 3\nc.Mlinfn.job_memory = '5GiB'\n"
    )
    settings = load_settings()
    assert settings.job_cpus == 3
    assert settings.job_memory_bytes == 5 * 2**30


@pytest.mark.parametrize(
    ("told", "offered"),
    [(None, []), ("", ["local"]), ("slurm,kubernetes", ["slurm", "kubernetes"])],
)
def test_a_session_offers_the_back_ends_that_its_hub_tells(
    told: str | None, offered: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if told is not None:
        monkeypatch.setenv("MLINFN_BACKENDS", told)
    assert load_settings().backends == offered


def test_a_broken_configuration_is_not_replaced_by_defaults(own_folders: Path) -> None:
    (own_folders / "config" / "jupyter_mlinfn_config.py").write_text("c.Mlinfn.job_cpus = = 3\n")
    with pytest.raises(SyntaxError):
        load_settings()


def test_everything_is_built_once_whoever_asks_first(bench: Workbench) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        stores = {id(store) for store in threads.map(lambda _: bench.store, range(32))}
    assert len(stores) == 1


def test_the_retention_rule_removes_old_records_and_keeps_their_output(
    bench: Workbench, tmp_path: Path
) -> None:
    source = notebook(tmp_path / "old.ipynb", "print('kept')")
    record = submit_and_wait(bench, source)
    assert bench.retain() == 0
    bench.settings.retention_days = 1e-9
    time.sleep(0.01)
    assert bench.retain() == 1
    with pytest.raises(NotFound):
        bench.store.get(record.id)
    assert not bench.folders.job(record.id).exists()
    assert Path(str(record.output)).is_file()
