"""Jobs that ask for memory of a GPU, on cards that are whole and cut, by the real agent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_mlinfn.gpus.inventory import GpuInventory
from jupyter_mlinfn.jobs.backends.local import LocalBackend
from jupyter_mlinfn.jobs.backends.protocol import Capacity
from jupyter_mlinfn.jobs.offering import offer
from jupyter_mlinfn.model.jobs import Resources
from tests.gpus.conftest import FakeDriver, a100, t4
from tests.jobs.engine.queueing import Bench

GIB = 2**30


@pytest.fixture
def bench(tmp_path: Path, driver: FakeDriver) -> Iterator[Bench]:
    driver.write(a100(0, slices=2), t4(1))
    made = Bench(tmp_path)
    made.context = replace(made.context, accelerators=GpuInventory(deadline=20))
    made.backend = LocalBackend(made.context)
    yield made
    made.store.close()


def test_the_smallest_slice_or_card_is_claimed(bench: Bench) -> None:
    asked = (
        Resources(gpus=1, gpu_memory=10 * GIB),
        Resources(gpus=1, gpu_model="T4"),
        Resources(gpus=1, gpu_memory=15 * GIB),
        Resources(gpus=1, gpu_memory=9 * GIB),
    )
    jobs = [bench.add("pass", resources=one).id for one in asked]
    free = bench.context.accelerators.free()
    given = {}
    while claim := bench.store.claim("here", Capacity(cpus=9, memory=99 * GIB), free):
        given[claim.job] = claim.accelerators
    assert given == {
        jobs[0]: ("MIG-0000-0",),
        jobs[1]: ("GPU-T4-1",),
        jobs[3]: ("MIG-0000-1",),
    }
    reason = bench.store.get(jobs[2]).reason
    assert reason is not None
    assert reason.text == "Waits for 1 GPU with 15.0 GiB; none can be had now."


def test_the_offer_names_the_kinds_and_what_is_free(bench: Bench) -> None:
    (choice,) = offer({"local": bench.backend}, ["local"], 60)
    told = [(one.name, one.memory, one.total, one.free) for one in choice.gpu_shapes]
    assert [(total, free) for _name, _memory, total, free in told] == [(2, 2), (1, 1)]
    assert told[0][0].endswith("MIG 1g.10gb")
    assert told[1][:2] == ("Tesla T4", 15 * GIB)


def test_what_nobody_has_is_told_with_what_there_is(bench: Bench) -> None:
    def problem(**asked: object) -> str:
        (found,) = bench.backend.check(Resources.model_validate({"gpus": 1, **asked}))
        return found.text

    told = problem(gpu_memory=90 * GIB)
    assert told.startswith("No accelerator on this machine has 90.0 GiB; the largest is Tesla T4")
    assert "with 15.0 GiB on " in told
    assert "There are: " in problem(gpu_model="H100")
    assert "A job may have 2 such GPUs" in problem(gpu_model="A100", gpus=3)
    assert bench.backend.check(Resources(gpus=2, gpu_memory=10 * GIB)) == ()


def test_the_forecast_tells_what_the_driver_keeps(bench: Bench) -> None:
    said = bench.backend.forecast(Resources(gpus=1, memory=GIB, gpu_memory=16 * GIB))
    assert said.starts_now
    assert "Of its GPU's 16.0 GiB the job can use 15.0 GiB." in said.text
