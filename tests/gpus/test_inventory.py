"""What jobs may claim: nothing that is cut, lost, silent or held."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.gpus import inventory
from jupyter_mlinfn.gpus.inventory import GpuInventory
from jupyter_mlinfn.model.accelerators import AcceleratorInventory
from jupyter_mlinfn.model.errors import Unavailable
from tests.gpus.conftest import FakeDriver, a100, t4

pytestmark = pytest.mark.slow

GIB = 2**30


def test_slices_and_whole_cards_may_be_asked_for_and_held_ones_are_not_free(
    driver: FakeDriver,
) -> None:
    driver.write(a100(0, slices=2, pids=[5]), t4(1), t4(2, pids=[6]), t4(3, lost=True))
    stock: AcceleratorInventory = GpuInventory(deadline=20)
    assert [one.uuid for one in stock.schedulable()] == [
        "MIG-0000-0", "MIG-0000-1", "GPU-T4-1", "GPU-T4-2",
    ]  # fmt: skip
    free = stock.free()
    assert [one.uuid for one in free] == ["MIG-0000-1", "GPU-T4-1"]
    assert (free[1].name, free[1].memory) == ("Tesla T4", 15 * GIB)


def test_memory_held_by_somebody_unseen_is_not_free(driver: FakeDriver) -> None:
    driver.write(a100(slices=2, pids=[5], hidden=True, refused=True))
    assert [one.uuid for one in GpuInventory(deadline=20).free()] == ["MIG-0000-1"]


def test_a_cut_card_without_instances_offers_nothing(driver: FakeDriver) -> None:
    driver.write(a100(slices=0))
    assert GpuInventory(deadline=20).schedulable() == ()


def test_a_silent_card_stays_askable_but_is_not_free(driver: FakeDriver) -> None:
    driver.write(t4(0, hang=True), t4(1))
    stock = GpuInventory(deadline=20)
    assert len(stock.schedulable()) == 2
    assert [one.uuid for one in stock.free()] == ["GPU-T4-1"]


def test_a_silent_driver_is_not_no_gpu(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "take_reading", lambda **_: None)
    stock = GpuInventory()
    assert stock.free() == ()
    with pytest.raises(Unavailable) as caught:
        stock.schedulable()
    assert caught.value.code == "driver-silent"


def test_a_driver_that_falls_silent_leaves_what_was_known(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.write(t4())
    monkeypatch.setattr(inventory, "_FRESH", 0.0)
    stock = GpuInventory(deadline=20)
    known = stock.schedulable()
    assert len(known) == 1
    monkeypatch.setattr(inventory, "take_reading", lambda **_: None)
    assert stock.schedulable() == known
    assert stock.free() == ()


def test_without_a_driver_there_is_nothing(no_driver: None) -> None:
    assert GpuInventory().schedulable() == ()
    assert GpuInventory().free() == ()


def test_both_questions_of_one_moment_cost_one_look(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    monkeypatch.setattr(inventory, "take_reading", lambda **_: looks.append(1))
    stock = GpuInventory()
    stock.free()
    stock.free()
    assert len(looks) == 1
