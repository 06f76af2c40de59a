"""What follows an environment: its kernel and its images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own import kernels
from jupyter_mlinfn.environments.own.record import write_record
from jupyter_mlinfn.model.environment_tasks import Alter, Pack
from tests import parts
from tests.environments.engine.house import House, wait_for

pytestmark = pytest.mark.slow


def spec(house: House, name: str) -> dict[str, object]:
    path = kernels.user_kernels() / kernels.kernel_name(name) / "kernel.json"
    content: dict[str, object] = json.loads(path.read_text())
    return content


def test_the_kernel_follows_a_change(house: House) -> None:
    house.create("mine", "python", "ipykernel")
    record, place = house.record("mine"), house.place("mine")
    name = kernels.register(record, place)
    write_record(place, record.model_copy(update={"kernel": name}))
    house.done(Alter(name="mine", add=("greeting",)))
    after = spec(house, "mine")
    argv = after["argv"]
    assert isinstance(argv, list)
    assert Path(argv[0]) == house.prefix("mine") / "bin" / "python"
    assert after["metadata"] == {
        "debugger": True,
        "mlinfn": {"environment": "mine", "lock": house.record("mine").digest},
    }
    house.done(Alter(name="mine", remove=("ipykernel",)))
    assert not (kernels.user_kernels() / name).exists()


@pytest.fixture
def mksquashfs() -> None:
    if shutil.which("mksquashfs") is None:
        parts.missed("mksquashfs", "not installed")
        pytest.skip("mksquashfs is not installed")


@pytest.mark.usefixtures("mksquashfs")
def test_an_image_is_noted_in_the_record(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    result = house.done(Pack(name="mine"))
    assert result.image is not None
    assert Path(result.image.path).stat().st_size == result.image.size
    wait_for(lambda: house.leftovers() == [])  # removed beside the result
    assert house.record("mine").images == (result.image,)
    assert result.image.lock == house.record("mine").digest
    again = house.done(Pack(name="mine"))
    assert again.image == result.image
    assert house.record("mine").images == (result.image,)


@pytest.mark.usefixtures("mksquashfs")
def test_packing_is_cancelled_without_a_trace(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    task = house.tasks.start(Pack(name="mine"))
    wait_for(lambda: any(house.layout.images.glob(".packing-*/env/conda-meta")))
    house.tasks.cancel(task.id)
    assert house.finished(task).state == "cancelled"
    assert not any(house.layout.images.glob("*.sqfs"))
    assert house.record("mine").images == ()
    wait_for(lambda: house.leftovers() == [])  # removed beside the result
