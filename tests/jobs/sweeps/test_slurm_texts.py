"""What Slurm prints of arrays: every element is found once, and nothing cut off is believed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.slurm import parsing
from jupyter_mlinfn.jobs.sweeps import ranges


def line(number: str, state: str = "PENDING") -> str:
    """A line of ``squeue`` as it prints it."""
    parts = ("mlinfn", number, state, "None", "N/A", "", "normal", "mlinfn-aaaaaaaaaa", "t.0")
    return parsing.SEPARATOR.join(parts) + "\n"


@pytest.mark.parametrize(
    ("number", "indexes"),
    [
        ("7", None),
        ("7_0", (0,)),
        ("7_[3]", (3,)),
        ("7_[0-4%2]", (0, 1, 2, 3, 4)),
        ("7_[1,3-5,9]", (1, 3, 4, 5, 9)),
        ("7_[0-8:2%1]", (0, 2, 4, 6, 8)),
    ],
)
def test_elements_are_read(number: str, indexes: tuple[int, ...] | None) -> None:
    (job,), unread = parsing.jobs(line(number))
    assert (job.id, job.indexes, unread) == ("7", indexes, 0)
    (job,), unread = parsing.accounted(
        parsing.SEPARATOR.join((number, "CANCELLED by 0", "", "normal", "mlinfn-x", "t.0"))
    )
    assert (job.id, job.indexes, job.state, unread) == ("7", indexes, "CANCELLED", 0)


@pytest.mark.parametrize(
    "number",
    [
        *("7_", "7_[", "7_[]", "7_[1,...]", "7_[0-4,9-", "7_[4-0]", "7_[0-9999999999]", "7_x"),
        *("_3", "7_[1%]", "7_３", "7_[1;2]", "7_[0-99999999]", "7.batch", "7+1"),
    ],
)
def test_what_is_cut_off_or_no_element_is_no_answer(number: str) -> None:
    assert parsing.jobs(line(number)) == ((), 1)


@given(st.sets(st.integers(0, 999), min_size=1), st.data())
def test_every_element_is_found_once_however_they_are_grouped(
    numbers: set[int], data: st.DataObject
) -> None:
    ordered = sorted(numbers)
    cuts = data.draw(st.sets(st.integers(0, len(ordered)), max_size=4))
    edges = sorted({0, len(ordered), *cuts})
    text = ""
    for first, last in pairwise(edges):
        piece = ordered[first:last]
        single = len(piece) == 1 and data.draw(st.booleans())
        text += line(f"7_{piece[0]}" if single else f"7_[{ranges.written(piece)}%3]")
    found, unread = parsing.jobs(text)
    assert unread == 0
    assert [index for job in found for index in job.indexes or ()] == ordered


def test_the_limits_of_arrays_are_read_from_the_configuration() -> None:
    told = "MaxArraySize            = 1001\nMaxJobCount = 10000\nSchedulerParameters     = a,b\n"
    assert parsing.array_limits(told) == (1001, 1001)
    assert parsing.array_limits(told.replace("a,b", "max_array_tasks=50,b")) == (50, 1001)
    assert parsing.array_limits("slurm_load_conf error") is None
    assert parsing.array_limits("MaxArraySize = 0\n") is None
