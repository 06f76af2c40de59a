"""Managed environments: what is found in the places that admins name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.describing import describe
from jupyter_mlinfn.environments.inventory import digest, inventory
from jupyter_mlinfn.environments.own.managed import find_managed, managed_environments
from jupyter_mlinfn.environments.own.store import OwnEnvironments
from jupyter_mlinfn.model.environment_tasks import Clone, Create, Task, TaskRequest
from jupyter_mlinfn.model.environments import Environment
from jupyter_mlinfn.model.errors import NotFound
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]

IMAGE = {
    "path": "/elsewhere/abc.sqfs",
    "format": "squashfs",
    "digest": "sha256:" + "c" * 64,
    "size": 4096,
    "compressor": "zstd",
    "lock": "sha256:" + "d" * 64,
    "made_at": "2026-11-01T00:00:00Z",
}


def a_prefix(path: Path) -> Path:
    (path / "conda-meta").mkdir(parents=True)
    (path / "conda-meta/python-3.12.1-0.json").write_text("{}")
    (path / "conda-meta/cuda-version-12.6-0.json").write_text("{}")
    (path / "lib/python3.12/site-packages").mkdir(parents=True)
    (path / "lib/python3.12/os.py").write_text("")
    return path


def an_image(path: Path, **given: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"hsqs" + bytes(4092))
    paper = {"image": {**IMAGE, **given}, "recipe": {"version": 1}, "tools": "4.6.1"}
    path.with_suffix(".json").write_text(json.dumps(paper))
    return path


def names(*places: Path) -> list[str]:
    return [one.name for one in managed_environments([str(place) for place in places])]


def test_prefixes_alone_and_in_folders_and_images(tmp_path: Path) -> None:
    a_prefix(tmp_path / "shelf/ml-gpu")
    a_prefix(tmp_path / "shelf/base-2026.1")
    alone = a_prefix(tmp_path / "alone")
    an_image(tmp_path / "images/root.sqfs")
    assert names(tmp_path / "shelf") == ["base-2026.1", "ml-gpu"]
    assert names(alone) == ["alone"]
    assert names(tmp_path / "images", tmp_path / "shelf") == ["base-2026.1", "ml-gpu", "root"]
    assert names(tmp_path / "images/root.sqfs") == ["root"]


def test_what_is_no_environment_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "data").mkdir()
    a_prefix(tmp_path / ".hidden")
    a_prefix(tmp_path / "two words")
    (tmp_path / "nopaper.sqfs").write_bytes(b"hsqs")
    (tmp_path / "half").mkdir()
    (tmp_path / "half/environment.json").write_text('{"name": ')
    an_image(tmp_path / "bad.sif", digest=7)
    assert names(tmp_path, tmp_path / "absent", tmp_path / "notes.txt") == []


def test_the_first_place_wins(tmp_path: Path) -> None:
    first, second = a_prefix(tmp_path / "a/ml"), a_prefix(tmp_path / "b/ml")
    places = [str(tmp_path / "b"), str(tmp_path / "a")]
    assert find_managed(places, "ml").prefix == second
    assert find_managed(places[::-1], "ml").prefix == first
    with pytest.raises(NotFound):
        find_managed(places, "other")


def test_the_row_of_a_bare_prefix_tells_what_is_installed(tmp_path: Path) -> None:
    class Driver:
        asked = 0

        def cuda(self) -> str | None:
            self.asked += 1
            return "11.4"

    driver = Driver()
    a_prefix(tmp_path / "shelf/ml-gpu")
    a_prefix(tmp_path / "shelf/more")
    own = OwnEnvironments(
        Workbench(Mlinfn(data_dir=str(tmp_path / "data"))).layout,
        managed=[str(tmp_path / "shelf")],
        driver=driver,
    )
    row, _ = own.rows({})
    assert (row.kind, row.source, row.name, row.python) == ("managed", "conda", "ml-gpu", "3.12.1")
    assert (row.digest, row.packages) == (None, 2)
    assert row.cuda is not None
    assert row.cuda.state == "not-compatible"
    assert driver.asked == 1
    with pytest.raises(NotFound) as refused:
        own.lock("ml-gpu")
    assert refused.value.hint == "Clone it: the clone has a lock."


def test_a_bare_prefix_is_inventoried_and_measured_once(tmp_path: Path) -> None:
    """In the background, kept until its packages change; shown as what it is, not as a lock."""
    prefix = a_prefix(tmp_path / "shelf/ml-gpu")
    bench = Workbench(
        Mlinfn(data_dir=str(tmp_path / "data"), managed_environments=[str(tmp_path / "shelf")])
    )
    assert managed_row(bench, measure=False).size is None
    first = measured_row(bench)
    assert first.digest is None
    assert first.inventoried == digest(inventory(prefix, "3.12"))
    assert first.files == 3
    assert first.size
    assert first.measured_at is not None
    assert measured_row(bench).measured_at == first.measured_at
    details = describe(bench.own, bench.catalogue, bench.environments, "ml-gpu")
    assert details.environment.files == 3
    assert (details.digest, details.locked) == (first.inventoried, False)
    (prefix / "conda-meta/numpy-2.0-0.json").write_text("{}")
    second = measured_row(bench)
    assert second.files == 4
    assert second.inventoried != first.inventoried


def managed_row(bench: Workbench, *, measure: bool) -> Environment:
    rows = bench.catalogue.list(measure=measure).environments
    return next(row for row in rows if row.kind == "managed")


def measured_row(bench: Workbench) -> Environment:
    until = time.monotonic() + 60
    while bench.catalogue.list().measuring:
        assert time.monotonic() < until
        time.sleep(0.05)
    return managed_row(bench, measure=False)


def test_the_row_of_an_image(tmp_path: Path) -> None:
    path = an_image(tmp_path / "root.sqfs")
    bench = Workbench(Mlinfn(data_dir=str(tmp_path / "d"), managed_environments=[str(path)]))
    (row,) = [r for r in bench.catalogue.list(measure=False).environments if r.kind == "managed"]
    assert (row.name, row.source, row.packed, row.digest) == ("root", "image", True, IMAGE["lock"])
    assert (row.size, row.files, row.images[0].path) == (4096, 1, str(path))
    ref = bench.environments.resolve("root")
    assert (ref.image, ref.image_digest, ref.digest) == (str(path), IMAGE["digest"], row.digest)
    assert ref.locked
    assert str(path) in ref.kernel.argv
    assert bench.environments.lock(ref) is None
    assert bench.environments.packages(ref) == ()


def test_another_persons_environments_are_managed_ones(
    bench: Workbench, done: Done, tmp_path: Path
) -> None:
    done(Create(name="base", packages=("python", "ipykernel", "greeting=1.0")))
    prefix = bench.own.state("base").prefix
    mine = Workbench(
        Mlinfn(
            data_dir=str(tmp_path / "mine"),
            channels=bench.settings.channels,
            managed_environments=[str(bench.layout.own)],
        )
    )
    (row,) = mine.own.rows({})
    record = bench.own.record("base")
    assert (row.kind, row.prefix, row.digest) == ("managed", str(prefix), record.digest)
    ref = mine.environments.resolve("base")
    assert (ref.locked, ref.digest, ref.prefix) == (True, record.digest, str(prefix))
    assert mine.environments.changed(ref) is None
    task = mine.tasks.wait(mine.tasks.start(Clone(name="copy", source="base")).id, 120)
    assert task.state == "succeeded", task.result
    clone = mine.own.record("copy")
    assert clone.digest == record.digest
    assert clone.origin == f"base@{record.digest}"
    (prefix / "bin/python").unlink()
    found = mine.environments.changed(ref)
    assert found is not None
    assert "bin/python" in found.text
    assert found.remedy is None  # it is not mine to mend
    assert mine.environments.changed(mine.environments.resolve("copy")) is None
