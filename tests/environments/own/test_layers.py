"""An environment packed as what differs from another one's file: made, run, verified, kept."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlinfn.environments.image import squashfs
from jupyter_mlinfn.environments.image.files import open_image
from jupyter_mlinfn.environments.own.asking import check_request
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Pack, PackedImage, Task
from jupyter_mlinfn.model.environment_tasks import TaskRequest as Request
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.workbench import Workbench
from tests import parts
from tests.environments.image.containers import minimal_root
from tests.environments.own.conftest import notebook, run_job

pytestmark = pytest.mark.slow

Done = Callable[[Request], Task]
SAY = "import sys, greeting; print(sys.prefix, greeting.VERSION)"


def image_of(task: Task) -> PackedImage:
    assert task.result is not None
    assert task.result.image is not None
    return task.result.image


def refusal(bench: Workbench, request: Request) -> Task:
    """The task of a request that must not succeed."""
    task = bench.tasks.wait(bench.tasks.start(request).id, 120)
    assert task.state == "failed", task.result
    return task


def flip(path: Path, position: int) -> None:
    """Change one bit, in a copy in the file's place: it may be another name of a cached one."""
    copy = path.with_name(f"{path.name}.copy")
    shutil.copy(path, copy)
    copy.chmod(0o644)
    with copy.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ 1]))
    copy.replace(path)


@pytest.fixture
def base(bench: Workbench, one: Path, done: Done) -> PackedImage:
    """The environment ``one`` as one file."""
    if shutil.which("mksquashfs") is None:
        parts.missed("mksquashfs", "it is not installed")
        pytest.skip("mksquashfs is not installed")
    return image_of(done(Pack(name="one")))


@pytest.fixture
def layer(bench: Workbench, base: PackedImage, done: Done) -> PackedImage:
    """``two``, which has a newer greeting than ``one``, as a layer over it."""
    done(Clone(name="two", source="one"))
    done(Alter(name="two", add=("greeting=2.0",)))
    return image_of(done(Pack(name="two", over="one")))


def test_a_preview_tells_how_much_would_differ(
    bench: Workbench, base: PackedImage, done: Done
) -> None:
    done(Clone(name="two", source="one"))
    none = done(Pack(name="two", over="one", preview=True)).result
    assert none is not None
    assert "It would hold no package" in none.text
    done(Alter(name="two", add=("greeting=2.0",)))
    told = done(Pack(name="two", over="one", preview=True)).result
    assert told is not None
    assert Path(base.path).name in told.text
    assert "greeting." in told.text
    assert "Files of 1 package of that image are not used" in told.text
    assert "both files are needed" in told.text
    assert bench.own.record("two").images == ()


def test_jobs_run_in_both_files_or_not_at_all(
    bench: Workbench, base: PackedImage, layer: PackedImage, tmp_path: Path
) -> None:
    assert layer.base is not None
    assert (layer.base.path, layer.base.digest) == (base.path, base.digest)
    assert layer.size < base.size / 4
    assert bench.own.record("two").images == (layer,)
    registered = bench.own.register("two", image=True)
    spec = KernelSpecManager().get_kernel_spec(registered.kernel)
    assert spec.display_name == "two (Python 3.11, one file over another)"
    source = notebook(tmp_path / "a.ipynb", SAY, kernel=registered.kernel)
    request = JobRequest(source=str(source))
    record = run_job(bench, request)
    assert record.state == "succeeded", record.reason
    assert record.output is not None
    (cell,) = nbformat.read(record.output, as_version=4).cells
    assert cell.outputs[0].text.split() == ["/env", "2.0"]
    ref = bench.folders.read_spec(record.id).environment
    assert (ref.image, ref.image_digest) == (layer.path, layer.digest)
    assert (ref.base, ref.base_digest) == (base.path, base.digest)

    whole = Path(base.path).read_bytes()
    flip(Path(base.path), base.size // 2)
    of_base = run_job(bench, request)
    assert of_base.reason is not None
    assert of_base.reason.code == "environment-mismatch"
    assert "is not the image that it was made over" in of_base.reason.text
    started = subprocess.run(
        [*spec.argv[: spec.argv.index("--") + 1], "true"], capture_output=True, text=True
    )
    assert started.returncode == 4, started.stderr
    assert "is not the image that it was made over" in started.stderr
    Path(base.path).unlink()
    missing = run_job(bench, request)
    assert missing.reason is not None
    assert missing.reason.code == "environment-missing"
    assert f"is a layer over {base.path}, which is not there" in missing.reason.text

    Path(base.path).write_bytes(whole)
    flip(Path(layer.path), layer.size // 2)
    of_layer = run_job(bench, request)
    assert of_layer.reason is not None
    assert of_layer.reason.code == "environment-mismatch"


def test_what_a_layer_lies_over_is_kept_and_it_is_said_for_whom(
    bench: Workbench, base: PackedImage, layer: PackedImage, done: Done
) -> None:
    done(Alter(name="one", add=("greeting=2.0",)))
    plan = bench.own.collect(dry_run=True)
    assert [item.path for item in plan.items if item.kind == "image"] == []
    kept = {one.name: one.why for one in plan.kept}
    assert kept[Path(base.path).name] == "The packed file of 'two' lies over it."

    bench.own.register("two", image=True)
    done(Alter(name="two", remove=("greeting",)))
    kept = {one.name: one.why for one in bench.own.collect(dry_run=True).kept}
    for file in (base, layer):
        assert kept[Path(file.path).name] == "A kernel of 'two' runs out of it."

    bench.own.unregister("two", image=True)
    plan = bench.own.collect(dry_run=False)
    assert {base.path, layer.path} <= {item.path for item in plan.items}
    assert not Path(base.path).exists()


def test_a_kernel_says_which_of_its_files_is_gone(
    bench: Workbench, base: PackedImage, layer: PackedImage
) -> None:
    Path(base.path).unlink()
    with pytest.raises(Exception, match=f"not there any more: {base.path}"):
        bench.own.register("two", image=True)


def test_what_nothing_can_be_laid_over(
    bench: Workbench, base: PackedImage, layer: PackedImage, done: Done, tmp_path: Path
) -> None:
    done(Clone(name="three", source="two"))
    for over, code, said in (
        ("three", "base-not-packed", "'three' is not packed"),
        ("two", "base-is-layer", "a layer only"),
        (layer.path, "image-layer", "it is a layer itself"),
        ("nobody", "environment-not-found", "no managed environment named 'nobody'"),
        (str(tmp_path / "gone.sqfs"), "image-not-found", "cannot be read"),
    ):
        result = refusal(bench, Pack(name="three", over=over)).result
        assert result is not None
        assert result.code == code
        assert said in result.text
    assert bench.own.record("three").images == ()


def test_a_managed_image_can_carry_a_layer(
    bench: Workbench, base: PackedImage, tmp_path: Path, done: Done
) -> None:
    """Published as the two files that packing wrote, elsewhere and under another name."""
    folder = tmp_path / "published"
    folder.mkdir()
    shutil.copy(base.path, folder / "ml.sqfs")
    shutil.copy(Path(base.path).with_suffix(".json"), folder / "ml.json")
    bench.settings.managed_environments = [str(folder)]
    done(Clone(name="two", source="one"))
    done(Alter(name="two", add=("greeting=2.0",)))
    image = image_of(done(Pack(name="two", over="ml")))
    assert image.base is not None
    assert image.base.path == str(folder / "ml.sqfs")
    assert json.loads(Path(image.path).with_suffix(".json").read_text())["image"]["base"]


@pytest.mark.skipif(shutil.which("mksquashfs") is None, reason="mksquashfs is not installed")
def test_a_sif_file_runs_by_itself_only_where_a_root_is_set(
    bench: Workbench, one: Path, tmp_path: Path, done: Done
) -> None:
    wish = Pack(name="one", format="sif", container=True)
    refused = refusal(bench, wish).result
    assert refused is not None
    assert refused.code == "no-container-root"
    assert "container_root" in (refused.problems[0].hint or "")
    root = tmp_path / "root.sqfs"
    squashfs.make(minimal_root(tmp_path / "root"), root, "zstd")
    bench.settings.container_root = str(root)
    assert open_image(Path(image_of(done(wish)).path)).container
    assert bench.catalogue.list(measure=False).container_root


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"over": "one", "format": "sif"}, "format"),
        ({"container": True}, "container"),
        ({"over": "../one@x"}, None),
        ({"over": "one two"}, "over"),
    ],
)
def test_ways_to_pack_that_contradict_themselves(
    bench: Workbench, wish: dict[str, str], field: str | None
) -> None:
    request = Pack.model_validate({"name": "one", **wish})
    if field is None:
        check_request(request, bench.policy())  # a path: the task looks whether it is one
        return
    with pytest.raises(InputError) as refused:
        check_request(request, bench.policy())
    assert refused.value.problems[0].field == field
