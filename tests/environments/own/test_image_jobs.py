"""A kernel out of one file, and jobs in it: that very file, or nothing runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager

from jupyter_mlinfn.environments.own import kernels
from jupyter_mlinfn.model.environment_tasks import Alter, Pack, PackedImage, Task, TaskRequest
from jupyter_mlinfn.model.errors import Conflict
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.workbench import Workbench
from tests import parts
from tests.environments.own.conftest import notebook, run_job

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]
SAY = "import sys, greeting; print(sys.prefix, greeting.VERSION)"


@pytest.fixture
def image(bench: Workbench, one: Path, done: Done) -> PackedImage:
    """The environment ``one`` as one file."""
    if shutil.which("mksquashfs") is None:
        parts.missed("mksquashfs", "it is not installed")
        pytest.skip("mksquashfs is not installed")
    packed = done(Pack(name="one")).result
    assert packed is not None
    assert packed.image is not None
    return packed.image


def test_a_packed_environment_says_so(bench: Workbench, image: PackedImage, done: Done) -> None:
    def packed() -> bool:
        rows = bench.catalogue.list(measure=False).environments
        return next(row.packed for row in rows if row.name == "one")

    assert packed()
    assert bench.own.details("one").images == (image,)
    done(Alter(name="one", add=("greeting=2.0",)))
    assert not packed()


def test_a_kernel_out_of_one_file_needs_the_file(bench: Workbench, one: Path) -> None:
    with pytest.raises(Conflict) as refused:
        bench.own.register("one", image=True)
    assert refused.value.code == "not-packed"


def test_jobs_run_in_the_very_file_or_not_at_all(
    bench: Workbench, image: PackedImage, tmp_path: Path, done: Done
) -> None:
    registered = bench.own.register("one", image=True)
    assert registered.kernel == "mlinfn-one-image"
    found = KernelSpecManager().get_kernel_spec("mlinfn-one-image")
    assert found.display_name == "one (Python 3.11, one file)"
    source = notebook(tmp_path / "a.ipynb", SAY, kernel="mlinfn-one-image")
    request = JobRequest(source=str(source))
    record = run_job(bench, request)
    assert record.state == "succeeded", record.reason
    assert record.output is not None
    (cell,) = nbformat.read(record.output, as_version=4).cells
    assert cell.outputs[0].text.split() == ["/env", "1.0"]
    ref = bench.folders.read_spec(record.id).environment
    assert (ref.image, ref.image_digest) == (image.path, image.digest)
    assert ref.digest == image.lock
    assert (bench.folders.bundle(record.id) / "conda-lock.yml").is_file()

    done(Alter(name="one", add=("greeting=2.0",)))
    plan = bench.own.collect(dry_run=True)
    assert image.path not in [item.path for item in plan.items]

    path = Path(image.path)
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(image.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    refused = run_job(bench, request)
    assert refused.state == "failed"
    assert refused.reason is not None
    assert refused.reason.code == "environment-mismatch"
    path.unlink()
    missing = run_job(bench, request)
    assert missing.reason is not None
    assert missing.reason.code == "environment-missing"
    assert "Pack the environment again" in missing.reason.text


def test_a_script_runs_out_of_the_file(
    bench: Workbench, image: PackedImage, tmp_path: Path
) -> None:
    bench.own.register("one", image=True)
    script = tmp_path / "a.py"
    script.write_text(f"{SAY.replace('; ', chr(10))}\n")
    record = run_job(bench, JobRequest(source=str(script), environment="mlinfn-one-image"))
    assert record.state == "succeeded", record.reason
    log = (bench.folders.attempt(record.id, 1) / "log.txt").read_text()
    assert log.split()[-2:] == ["/env", "1.0"]


def test_deleting_keeps_the_file_and_collecting_removes_it(
    bench: Workbench, image: PackedImage
) -> None:
    bench.own.register("one", image=True)
    gone = bench.own.delete("one")
    assert "packed files stay" in gone.text
    assert not (kernels.user_kernels() / "mlinfn-one-image").exists()
    assert Path(image.path).is_file()
    plan = bench.own.collect(dry_run=False)
    assert image.path in [item.path for item in plan.items]
    assert list(bench.layout.images.glob("*.sqfs")) == []
    assert list(bench.layout.images.glob("*.json")) == []
