"""The list for people, and the process that measures."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_mlinfn.environments import worker
from jupyter_mlinfn.environments.catalogue import Catalogue
from jupyter_mlinfn.environments.kernels import SpecFinder
from jupyter_mlinfn.environments.measurements import Cancelled, Measurement, Measurements, measure
from jupyter_mlinfn.model.environments import Environment, EnvironmentList
from jupyter_mlinfn.process.locks import held
from tests.environments.making import add_distribution, program, site_of, write

pytestmark = pytest.mark.slow

Make = Callable[..., Path]


@pytest.fixture
def catalogue(tmp_path: Path, finder: SpecFinder) -> Iterator[Catalogue]:
    """A catalogue over ``tmp_path/root``, with no worker left behind."""
    (tmp_path / "root").mkdir()
    made = Catalogue(tmp_path / "data", [tmp_path / "shelf"], root=tmp_path / "root", finder=finder)
    yield made
    made.stop_measuring()
    until(lambda: not held(made.measurements.lock))


def until(done: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def by_name(found: EnvironmentList) -> dict[str, Environment]:
    return {environment.name: environment for environment in found.environments}


def settled(catalogue: Catalogue) -> dict[str, Environment]:
    """The list once everything is measured."""
    until(lambda: not catalogue.list().measuring)
    return by_name(catalogue.list())


def test_kernels_and_prefixes_are_one_list(
    tmp_path: Path,
    own_home: Path,
    catalogue: Catalogue,
    make_venv: Make,
    make_conda: Make,
    add_kernel: Make,
) -> None:
    behind = make_venv(tmp_path / "elsewhere" / "behind", torch="2.3", numpy="2.0", scipy="1")
    add_kernel("one", [f"{behind}/bin/python", "-m", "ipykernel_launcher"])
    add_kernel("two", [f"{behind}/bin/python3", "-m", "ipykernel_launcher"])
    add_kernel("ir", [str(program(tmp_path / "R"))], language="R")
    add_kernel("gone", ["/gone/python"])
    make_venv(tmp_path / "root" / "analysis" / ".venv")
    make_venv(tmp_path / "root" / ".venv")
    make_venv(tmp_path / "shelf" / "shelved")
    conda = make_conda(tmp_path / "deep" / "conda-env", numpy="1.26.4-py312_0")
    write(own_home / ".conda" / "environments.txt", f"{conda}\n/gone\n\n")

    found = by_name(catalogue.list(measure=False))
    assert set(found) == {"behind", "root/.venv", "shelved", "conda-env", "Ir", "Gone"}
    assert found["behind"].kernels == ("one", "two")
    assert [package.name for package in found["behind"].telling] == ["torch", "scipy", "numpy"]
    assert (found["behind"].source, found["behind"].python) == ("venv", "3.11.7")
    assert (found["conda-env"].source, found["conda-env"].python) == ("conda", "3.12.4")
    assert found["conda-env"].packages == 2
    assert (found["Ir"].source, found["Ir"].language, found["Ir"].problem) == ("kernel", "r", None)
    assert found["Gone"].problem == "Its program /gone/python is not there."


def test_without_measuring_nothing_is_started_nor_written(
    tmp_path: Path, catalogue: Catalogue, make_venv: Make
) -> None:
    make_venv(tmp_path / "root" / "v")
    found = catalogue.list(measure=False)
    assert not found.measuring
    assert found.environments[0].size is None
    assert not (tmp_path / "data").exists()


def test_sizes_arrive_and_the_worker_ends_by_itself(
    tmp_path: Path, catalogue: Catalogue, make_venv: Make
) -> None:
    prefix = make_venv(tmp_path / "root" / "v", numpy="2.0")
    write(prefix / "big", "x" * 1_000_000)
    first = catalogue.list()
    assert first.measuring
    row = settled(catalogue)["v"]
    assert row.size is not None
    assert row.size >= 1_000_000
    assert row.files == sum(1 for path in prefix.rglob("*") if path.is_symlink() or path.is_file())
    assert row.measured_at is not None
    until(lambda: not held(catalogue.measurements.lock))


def test_what_was_measured_is_kept_until_the_packages_change(
    tmp_path: Path, catalogue: Catalogue, make_venv: Make
) -> None:
    prefix = make_venv(tmp_path / "root" / "v")
    before = settled(catalogue)["v"]
    again = Catalogue(tmp_path / "data", root=tmp_path / "root", finder=catalogue._finder)
    assert by_name(again.list())["v"].measured_at == before.measured_at
    add_distribution(site_of(prefix), "scipy", "1.0")
    assert again.list().measuring
    after = settled(again)["v"]
    assert after.files == (before.files or 0) + 2
    assert after.packages == (before.packages or 0) + 1


def test_a_killed_worker_is_replaced(tmp_path: Path, catalogue: Catalogue, make_venv: Make) -> None:
    make_venv(tmp_path / "root" / "v")
    catalogue.measurements.create()
    with worker_that_never_answers(catalogue.measurements) as busy:
        assert catalogue.list().measuring
        assert busy.poll() is None
        assert by_name(catalogue.list())["v"].files is None
        busy.kill()
        busy.wait()
        assert settled(catalogue)["v"].files is not None


@contextmanager
def worker_that_never_answers(measurements: Measurements) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the worker's lock, as one that hangs on a dead file system does."""
    hang = (
        "import sys, time; from pathlib import Path; from jupyter_mlinfn.process.locks import *; "
        "assert acquire(Path(sys.argv[1])) is not None; print(flush=True); time.sleep(600)"
    )
    argv = [sys.executable, "-c", hang, str(measurements.lock)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert held(measurements.lock)
        yield process
        process.kill()


def test_a_prefix_that_ends_every_worker_is_left_alone(
    tmp_path: Path, catalogue: Catalogue, make_venv: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_venv(tmp_path / "root" / "v")
    monkeypatch.setattr("jupyter_mlinfn.environments.catalogue.ensure_worker", lambda _: None)
    assert catalogue.list().measuring
    (wanted,) = catalogue.measurements.wanted()
    catalogue.measurements.write(Measurement(**wanted.model_dump(), tries=3))
    assert not catalogue.list().measuring


def test_cancelling_ends_a_measurement(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(Cancelled):
        measure(tmp_path / "p", lambda: False)


def test_the_worker_gives_up_what_is_not_wanted_any_more(
    tmp_path: Path, make_venv: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlinfn.environments.measurements import Wanted

    measurements = Measurements(tmp_path / "data")
    measurements.create()
    wanted = Wanted(prefix=str(make_venv(tmp_path / "v")), stamp="s")
    measurements.want([wanted])

    def cancel_then_look(prefix: Path, still_wanted: Callable[[], bool]) -> tuple[int, int]:
        measurements.want([])
        return measure(prefix, still_wanted)

    monkeypatch.setattr(worker, "measure", cancel_then_look)
    worker.work(measurements)
    kept = measurements.read(wanted.prefix)
    assert kept is not None
    assert (kept.size, kept.tries) == (None, 0)


def test_a_second_worker_ends_at_once(tmp_path: Path, make_venv: Make) -> None:
    from jupyter_mlinfn.environments.measurements import Wanted
    from jupyter_mlinfn.process.locks import acquire

    measurements = Measurements(tmp_path / "data")
    measurements.create()
    wanted = Wanted(prefix=str(make_venv(tmp_path / "v")), stamp="s")
    measurements.want([wanted])
    lock = acquire(measurements.lock)
    assert lock is not None
    worker.work(measurements)
    assert measurements.read(wanted.prefix) is None
    os.close(lock)
    worker.work(measurements)
    assert measurements.read(wanted.prefix) is not None


def test_links_count_once_and_are_not_followed(tmp_path: Path) -> None:
    prefix = tmp_path / "p"
    write(prefix / "a", "x" * 100_000)
    (prefix / "b").hardlink_to(prefix / "a")
    (prefix / "c").symlink_to(write(tmp_path / "outside" / "huge", "x" * 900_000).parent)
    size, files = measure(prefix, lambda: True)
    assert files == 2
    assert 100_000 <= size < 200_000


def test_a_data_folder_that_cannot_be_used_leaves_the_list_whole(
    tmp_path: Path, finder: SpecFinder, make_venv: Make
) -> None:
    make_venv(tmp_path / "root" / "v")
    catalogue = Catalogue(write(tmp_path / "a-file"), root=tmp_path / "root", finder=finder)
    found = catalogue.list()
    assert not found.measuring
    assert by_name(found)["v"].packages == 1


def test_damaged_measurements_count_as_none(
    tmp_path: Path, catalogue: Catalogue, make_venv: Make
) -> None:
    make_venv(tmp_path / "root" / "v")
    settled(catalogue)
    for file in catalogue.measurements.folder.glob("*.json"):
        file.write_text("{")
    assert catalogue.list().measuring
    assert settled(catalogue)["v"].files
