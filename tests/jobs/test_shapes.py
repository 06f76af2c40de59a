"""Names of accelerators and what they tell; the smallest that is enough."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.jobs.backends import shapes
from jupyter_mlinfn.jobs.backends.protocol import Capacity
from jupyter_mlinfn.jobs.backends.shapes import Shape
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import Resources
from tests.jobs.test_claims import end
from tests.jobs.workplace import REQUEST, make_spec

GIB = 2**30


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("t4", 16),
        ("Tesla T4", 16),
        ("a100", 40),
        ("NVIDIA A100-SXM4-80GB", 80),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", 10),
        ("nvidia.com/mig-3g.40gb", 40),
        ("1g.10gb", 10),
        ("a100_1g.5gb", 5),
        ("1g.10gb.me", 10),
        ("NVIDIA-A100-SXM4-40GB-MIG-2g.10gb", 10),
        ("a100_80gb", 80),
        ("Quadro RTX 5000", 16),
        ("rtx5000", 16),
        ("NVIDIA H200", 141),
        ("NVIDIA L40S", 48),
        ("V100-PCIE-32GB", 32),
        ("gpu", None),
        ("fpga-u250", None),
        ("t400", None),
        ("", None),
    ],
)
def test_a_name_tells_the_memory_or_nothing(name: str, size: int | None) -> None:
    assert shapes.memory_of(name) == (None if size is None else size * GIB)


def test_the_owner_s_word_counts_before_the_name() -> None:
    told = shapes.told_sizes({"v100l": "32GiB", "a100": "80GiB"})
    assert shapes.memory_of("V100L", told) == 32 * GIB
    assert shapes.memory_of("a100", told) == 80 * GIB
    assert shapes.memory_of("a100.5", told) == 40 * GIB
    with pytest.raises(InputError) as caught:
        shapes.told_sizes({"x": "much"})
    assert caught.value.field == "Mlinfn.gpu_types.x"


@pytest.mark.parametrize(
    ("name", "asked", "same"),
    [
        ("NVIDIA A100-SXM4-80GB", "a100", True),
        ("NVIDIA A100-SXM4-80GB", "A100 80GB", True),
        ("NVIDIA A100-SXM4-80GB MIG 1g.10gb", "1g.10gb", True),
        ("Tesla T4", "T4", True),
        ("NVIDIA T400", "t4", False),
        ("Quadro RTX 5000", "rtx5000", True),
        ("rtx5000", "RTX 5000", True),
        ("a100", "h100", False),
        ("a100", "...", False),
    ],
)
def test_a_model_is_known_by_its_words(name: str, asked: str, same: bool) -> None:
    assert shapes.is_model(name, asked) is same


ALL = (
    Shape("a100", 40 * GIB, 2, "big"),
    Shape("1g.10gb", 10 * GIB, 7, "cut"),
    Shape("t4", 16 * GIB, 1),
    Shape("odd", None, 4),
)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"gpu_memory": 10 * GIB}, "1g.10gb"),
        ({"gpu_memory": 11 * GIB}, "t4"),
        ({"gpu_memory": 11 * GIB, "gpus": 2}, "a100"),
        ({"gpu_memory": 40 * GIB}, "a100"),
        ({"gpu_memory": 41 * GIB, "gpus": 3}, None),
        ({"gpu_memory": 48 * GIB}, None),
        ({"gpu_model": "odd", "gpus": 4}, "odd"),
        ({"gpu_model": "a100", "gpu_memory": 10 * GIB}, "a100"),
    ],
)
def test_the_smallest_that_is_enough_is_taken(asked: dict[str, int], name: str | None) -> None:
    found = shapes.smallest(ALL, Resources(**{"gpus": 1, **asked}))
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("asked", "code", "named"),
    [
        ({"gpu_memory": 90 * GIB}, "asks-too-much", "the largest is a100 with 40.0 GiB on big"),
        ({"gpu_model": "h100"}, "unknown-gpu-model", "1g.10gb (10.0 GiB), t4 (16.0 GiB), a100"),
        ({"gpu_model": "odd", "gpu_memory": GIB}, "gpu-memory-unknown", "gpu_types"),
        ({"gpu_model": "t4", "gpus": 2}, "asks-too-much", "1 such GPU here, not 2"),
    ],
)
def test_problems_name_what_there_is(asked: dict[str, int], code: str, named: str) -> None:
    (problem,) = shapes.problems(ALL, Resources(**{"gpus": 1, **asked}), "here")
    assert problem.code == code
    assert named in problem.text


def test_nothing_is_wrong_where_nothing_is_asked() -> None:
    assert shapes.problems(ALL, Resources(), "here") == []
    assert shapes.problems((), Resources(gpus=1), "here") == []
    assert shapes.problems((), Resources(gpus=1, gpu_memory=GIB), "here")[0].code == "asks-too-much"


CARDS = (
    FreeAccelerator(uuid="whole", name="NVIDIA A100-SXM4-80GB", memory=int(79.2 * GIB)),
    FreeAccelerator(uuid="slice", name="NVIDIA A100-SXM4-80GB MIG 1g.10gb", memory=int(9.5 * GIB)),
    FreeAccelerator(uuid="t4", name="Tesla T4", memory=15 * GIB),
)


def test_a_job_on_this_machine_gets_the_smallest_that_is_free(store: JobStore) -> None:
    def add(**asked: object) -> str:
        spec = make_spec()
        resources = Resources(memory=GIB, gpus=1, **asked)  # type: ignore[arg-type]
        return store.insert(spec.model_copy(update={"resources": resources}), REQUEST).id

    def claim() -> tuple[str, tuple[str, ...]] | None:
        taken = store.claim("here", Capacity(cpus=8, memory=64 * GIB), CARDS)
        return (taken.job, taken.accelerators) if taken else None

    small, next_one, model = (
        add(gpu_memory=10 * GIB), add(gpu_memory=10 * GIB), add(gpu_model="A100"),
    )  # fmt: skip
    assert claim() == (small, ("slice",))
    assert claim() == (next_one, ("t4",))
    assert claim() == (model, ("whole",))
    large = add(gpu_memory=40 * GIB)
    any_one = add()
    assert claim() is None
    reason = store.get(large).reason
    assert reason is not None
    assert reason.text == "Waits for 1 GPU with 40.0 GiB; none can be had now."
    end(store, next_one)
    assert claim() == (any_one, ("t4",))
    end(store, model)
    assert claim() == (large, ("whole",))
    assert store.get(large).resources.gpu_memory == 40 * GIB
