"""An environment without files of its own: cloned, changed, run, brought back, deleted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlinfn.environments.engine import layering
from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Pack, PackedImage, Restore, Task
from jupyter_mlinfn.model.environment_tasks import TaskRequest as Request
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.workbench import Workbench
from tests import parts
from tests.environments.own.conftest import notebook, run_job
from tests.environments.own.test_layers import SAY, flip, refusal

pytestmark = pytest.mark.slow

Done = Callable[[Request], Task]


@pytest.fixture
def published(bench: Workbench, one: Path, tmp_path: Path, done: Done) -> Path:
    """``ml``, a managed environment that is one image and the paper beside it."""
    if shutil.which("mksquashfs") is None or shutil.which("unsquashfs") is None:
        parts.missed("mksquashfs", "it is not installed")
        pytest.skip("squashfs-tools are not installed")
    result = done(Pack(name="one")).result
    assert result is not None
    assert result.image is not None
    folder = tmp_path / "published"
    folder.mkdir()
    packed = Path(result.image.path)
    shutil.copy(packed, folder / "ml.sqfs")
    shutil.copy(packed.with_suffix(".json"), folder / "ml.json")
    bench.settings.managed_environments = [str(folder)]
    return folder / "ml.sqfs"


def layer_of(bench: Workbench, name: str) -> PackedImage:
    record = bench.own.record(name)
    image = record.image_of(record.digest)
    assert image is not None
    return image


def output_of(bench: Workbench, source: Path) -> list[str]:
    record = run_job(bench, JobRequest(source=str(source)))
    assert record.state == "succeeded", record.reason
    assert record.output is not None
    (cell,) = nbformat.read(record.output, as_version=4).cells
    return list(cell.outputs[0].text.split())


def test_its_whole_life(bench: Workbench, published: Path, tmp_path: Path, done: Done) -> None:
    """Two files in place of thousands: through clone, add, kernel, job, undo, delete."""
    cloned = done(Clone(name="mine", source="ml", mode="layer"))
    assert cloned.result is not None
    assert f"over {published}" in cloned.result.text
    place = bench.layout.place("mine")
    assert not (place.folder / "prefixes").exists()
    first = layer_of(bench, "mine")
    assert first.base is not None
    assert first.base.path == str(published)
    assert first.size < published.stat().st_size / 10

    registered = bench.own.register("mine")
    source = notebook(tmp_path / "a.ipynb", SAY, kernel=registered.kernel)
    assert output_of(bench, source) == ["/env", "1.0"]

    seen = done(Alter(name="mine", add=("greeting=2.0",), preview=True)).result
    assert seen is not None
    assert seen.change is not None
    assert [package.name for package in seen.change.changed] == ["greeting"]
    assert "runs with it" in (seen.change.note or "")
    done(Alter(name="mine", add=("greeting=2.0",)))
    assert output_of(bench, source) == ["/env", "2.0"]
    spec = KernelSpecManager().get_kernel_spec(registered.kernel)
    assert spec.metadata["mlinfn"]["lock"] == bench.own.record("mine").digest
    (row,) = [r for r in bench.catalogue.list(measure=False).environments if r.name == "mine"]
    assert (row.source, row.prefix, row.problem, row.packed) == ("image", None, None, True)
    assert bench.own.details("mine").command is not None

    ref = bench.environments.resolve("mine")
    second = layer_of(bench, "mine")
    assert (ref.image, ref.image_digest, ref.prefix) == (second.path, second.digest, None)
    assert (ref.base, ref.base_digest) == (str(published), first.base.digest)
    assert ref.digest == second.lock

    earlier = bench.environments.resolve(f"mine@{first.lock}")
    assert (earlier.image, earlier.digest) == (first.path, first.lock)
    done(Restore(name="mine", digest=first.lock))
    assert layer_of(bench, "mine") == first
    assert output_of(bench, source) == ["/env", "1.0"]
    plan = bench.own.collect(dry_run=False)
    assert second.path in [item.path for item in plan.items]
    assert Path(first.path).is_file()
    done(Alter(name="mine", update=("greeting",)))
    done(Restore(name="mine", digest=first.lock))

    bench.own.delete("mine")
    bench.own.collect(dry_run=False)
    assert not Path(first.path).exists()
    assert published.is_file()


def test_it_runs_over_no_other_file(bench: Workbench, published: Path, done: Done) -> None:
    done(Clone(name="mine", source="ml", mode="layer"))
    bench.own.register("mine")
    spec = KernelSpecManager().get_kernel_spec("mlinfn-mine")
    flip(published, published.stat().st_size // 2)
    argv = [*spec.argv[: spec.argv.index("--") + 1], "true"]
    started = subprocess.run(argv, capture_output=True, text=True)
    assert started.returncode == 4, started.stderr
    changed = refusal(bench, Alter(name="mine", add=("greeting=2.0",))).result
    assert changed is not None
    assert changed.code == "environment-mismatch"
    published.unlink()
    gone = refusal(bench, Alter(name="mine", add=("greeting=2.0",))).result
    assert gone is not None
    assert gone.code == "image-not-found"
    (row,) = [r for r in bench.catalogue.list(measure=False).environments if r.name == "mine"]
    assert "A file that it runs out of is gone" in (row.problem or "")
    assert len(bench.own.record("mine").history) == 1


def test_who_runs_in_it_is_known(bench: Workbench, published: Path, done: Done) -> None:
    done(Clone(name="mine", source="ml", mode="layer"))
    bench.own.register("mine")
    spec = KernelSpecManager().get_kernel_spec("mlinfn-mine")
    start = [
        *spec.argv[: spec.argv.index("--") + 1],
        "python",
        "-c",
        "print('on', flush=True); input()",
    ]
    with subprocess.Popen(
        [*start, "kernel-0123abcd.json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"on\n"
        used = bench.own.details("mine").used_by
        with pytest.raises(Conflict, match="in use by kernel 0123abcd"):
            bench.own.delete("mine")
        running.communicate(b"\n")
    assert [use.name for use in used] == ["kernel 0123abcd"]
    assert bench.own.details("mine").used_by == ()


def test_a_clone_of_a_layer_lies_over_the_same_file(
    bench: Workbench, published: Path, done: Done
) -> None:
    done(Clone(name="mine", source="ml", mode="layer"))
    done(Clone(name="yours", source="mine", mode="layer"))
    base = bench.own.record("yours").base
    assert base is not None
    assert base.path == str(published)
    done(Clone(name="files", source="mine", mode="files"))
    assert bench.own.record("files").base is None
    assert bench.own.state("files").prefix.is_dir()


def test_what_cannot_be_a_layer(bench: Workbench, one: Path) -> None:
    for source, said in (("one", "'one' is not packed"), (str(one), "is a folder")):
        result = refusal(bench, Clone(name="mine", source=source, mode="layer")).result
        assert result is not None
        assert result.code == "base-not-packed"
        assert said in result.text
    assert not bench.layout.place("mine").folder.exists()


def test_by_itself_it_is_a_layer_only_where_files_cannot_be_shared(
    bench: Workbench, published: Path, one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def chosen(source: str) -> layering.Layering | None:
        request = Clone(name="mine", source=source)
        folder = bench.layout.tasks / "0123456789abcdef"
        return layering.layering(Assignment(folder, request, bench.policy()), None)

    assert chosen("ml") is None
    monkeypatch.setattr(layering, "way_between", lambda *_: "copies")
    made = chosen("ml")
    assert made is not None
    assert made.below.path == str(published)
    assert made.why == "This file system cannot share files."
    assert chosen(str(one)) is None
