"""Who is told as holder, from facts alone."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlinfn.gpus.holders import KernelPlace, Knowledge, holders_of
from jupyter_mlinfn.gpus.reading import DeviceReading, Person, ProcessReading, Reading
from jupyter_mlinfn.model.accelerators import DriverFacts, Holder

GIB = 2**30


def told(
    person: Person | None,
    knowledge: Knowledge | None = None,
    namespace: str = "same",
    used: int = 2 * GIB,
    memory: int | None = 2 * GIB,
) -> tuple[Holder, ...]:
    device = DeviceReading(
        uuid="GPU-1", index=0, name="T4", total=16 * GIB, used=used,
        processes=(ProcessReading(pid=70, memory=memory),),
    )  # fmt: skip
    reading = Reading.model_validate(
        {
            "time": 0.0, "boot": 0.0, "facts": DriverFacts(), "devices": [device],
            "people": {70: person} if person else {}, "namespace": namespace,
        }
    )  # fmt: skip
    return holders_of(device, reading, knowledge or Knowledge(uid=1000))


def person(**more: Any) -> Person:
    return Person(**({"uid": 1000, "user": "anna", "name": "python"} | more))


def test_a_kernel_under_its_present_path() -> None:
    knowledge = Knowledge(kernels={"k1": KernelPlace(69, "work/renamed.ipynb")}, uid=1000)
    (holder,) = told(person(kernel="k1", session="/home/anna/old.ipynb"), knowledge)
    assert holder == Holder(
        kind="kernel", title="renamed.ipynb", pid=70, memory=2 * GIB,
        kernel_id="k1", user="anna", mine=True,
    )  # fmt: skip


def test_a_kernel_of_another_server_under_the_path_it_was_started_with() -> None:
    (holder,) = told(person(kernel="k2", session="/home/anna/old.ipynb"))
    assert (holder.kind, holder.title, holder.kernel_id) == ("kernel", "old.ipynb", "k2")


def test_a_kernel_whose_command_line_says_nothing_is_found_by_its_process() -> None:
    knowledge = Knowledge(kernels={"k3": KernelPlace(50, "a.ipynb")}, uid=1000)
    (holder,) = told(person(parents=(60, 50, 40)), knowledge)
    assert (holder.kind, holder.kernel_id, holder.title) == ("kernel", "k3", "a.ipynb")


def test_a_daemon_of_a_notebook_is_the_notebooks() -> None:
    (holder,) = told(person(session="/home/anna/a.ipynb"))
    assert (holder.kind, holder.kernel_id, holder.title) == ("kernel", None, "a.ipynb")


def test_a_job_before_the_kernel_it_runs() -> None:
    knowledge = Knowledge(jobs={"j1": "train"}, uid=1000)
    (holder,) = told(person(kernel="k1", job="j1"), knowledge)
    assert (holder.kind, holder.job_id, holder.title) == ("job", "j1", "train")
    (unnamed,) = told(person(job="j2"))
    assert unnamed.title == "job j2"


def test_another_persons_process_is_outside_with_its_name() -> None:
    (holder,) = told(person(uid=1001, user="marco", name="python3", job="j9", kernel="k9"))
    assert (holder.kind, holder.user, holder.title) == ("outside", "marco", "python3")
    assert (holder.mine, holder.job_id, holder.kernel_id) == (False, None, None)


@pytest.mark.parametrize("namespace", ["different", "unknown"])
def test_numbers_of_another_namespace_are_nobody_here(namespace: str) -> None:
    (holder,) = told(person(kernel="k1"), namespace=namespace)
    assert (holder.kind, holder.title, holder.user) == ("outside", "outside this container", None)


def test_a_process_that_cannot_be_seen() -> None:
    (holder,) = told(None)
    assert (holder.kind, holder.title) == ("outside", "a process you cannot see")


def test_memory_that_no_process_explains_is_told_too() -> None:
    own, rest = sorted(told(person(), used=12 * GIB), key=lambda one: one.memory or 0)
    assert (own.mine, own.memory) == (True, 2 * GIB)
    assert (rest.kind, rest.memory, rest.pid) == ("outside", 10 * GIB, None)


def test_a_little_more_than_explained_is_the_drivers_own() -> None:
    assert len(told(person(), used=3 * GIB)) == 1


def test_unknown_shares_leave_no_rest() -> None:
    (holder,) = told(person(), used=12 * GIB, memory=None)
    assert holder.memory is None
