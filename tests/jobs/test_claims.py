"""Slots: never more than there is, first come first served, and nobody starves."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from tests.jobs.workplace import REQUEST, make_spec

pytestmark = pytest.mark.slow

GIB = 2**30
DEVICES = tuple(FreeAccelerator(uuid=f"GPU-{n}", name="fake") for n in range(4))


def add(store: JobStore, cpus: int = 1, memory: int = GIB, gpus: int = 0) -> str:
    return store.insert(make_spec(cpus=cpus, memory=memory, gpus=gpus), REQUEST).id


def claim(store: JobStore, cpus: int = 4, memory: int = 8 * GIB, free: int = 0) -> str | None:
    taken = store.claim("here", Capacity(cpus=cpus, memory=memory), DEVICES[:free])
    return taken.job if taken else None


def end(store: JobStore, job: str) -> None:
    store.observe(job, Observation(state="succeeded", attempt=store.get(job).attempts))


def test_first_come_first_served(store: JobStore) -> None:
    jobs = [add(store) for _ in range(3)]
    assert [claim(store) for _ in range(4)] == [*jobs, None]


def test_a_blocked_job_keeps_back_what_it_asks_and_never_starves(store: JobStore) -> None:
    first = add(store, cpus=3)
    assert claim(store) == first
    large = add(store, cpus=4)
    small = [add(store) for _ in range(5)]
    # one CPU is free, and small jobs would always take it: it is kept for the large one
    assert claim(store) is None
    end(store, first)
    assert claim(store) == large
    assert claim(store) is None
    end(store, large)
    assert [claim(store) for _ in range(4)] == small[:4]


def test_later_jobs_use_what_is_left_over(store: JobStore) -> None:
    assert claim(store, cpus=4) is None
    first = add(store, memory=7 * GIB)
    assert claim(store) == first
    large = add(store, cpus=1, memory=4 * GIB)
    assert claim(store) is None
    assert store.get(large).reason is not None
    assert store.get(large).reason.text == (  # type: ignore[union-attr]
        "Waits for 4.0 GiB of memory; 1.0 GiB can be had now."
    )


def test_one_that_can_never_run_stops_nobody(store: JobStore) -> None:
    never = add(store, cpus=5)
    after = add(store)
    assert claim(store, cpus=4) == after
    reason = store.get(never).reason
    assert reason is not None
    assert reason.code == "asks-too-much"


def test_accelerators_are_given_once(store: JobStore) -> None:
    one, two, three = add(store, gpus=1), add(store, gpus=2), add(store, gpus=1)
    assert claim(store, free=3) == one
    assert claim(store, free=3) == two
    assert claim(store, free=3) is None
    held = {c.job: c.accelerators for c in store.claims("here")}
    assert held == {one: ("GPU-0",), two: ("GPU-1", "GPU-2")}
    end(store, one)
    assert claim(store, free=3) == three


def test_a_notebook_on_the_gpu_stops_gpu_jobs_only(store: JobStore) -> None:
    waits = add(store, gpus=1, cpus=4)
    runs = add(store)
    # no job holds a GPU, so no job's end can give one: CPUs go to others meanwhile
    assert claim(store, free=0) == runs
    reason = store.get(waits).reason
    assert reason is not None
    assert reason.code == "waits-for-accelerator"
    end(store, runs)
    assert claim(store, free=1) == waits


def test_a_gpu_held_by_a_job_comes_back_so_the_next_keeps_its_place(store: JobStore) -> None:
    first = add(store, gpus=1)
    assert claim(store, free=1) == first
    second = add(store, gpus=1, cpus=3)
    third = add(store)
    assert claim(store, free=1) is None
    end(store, first)
    assert claim(store, free=1) == second
    assert claim(store, free=1) == third


def test_slots_are_those_of_one_machine(store: JobStore) -> None:
    add(store, cpus=4)
    other = add(store, cpus=4)
    assert claim(store) is not None
    there = store.claim("there", Capacity(cpus=4, memory=8 * GIB), ())
    assert there is not None
    assert there.job == other
    assert [c.job for c in store.claims("there")] == [other]


def test_those_far_behind_are_told_too(store: JobStore) -> None:
    jobs = [add(store, cpus=4) for _ in range(250)]
    assert claim(store) == jobs[0]
    assert claim(store) is None
    reasons = {store.get(job).reason.code for job in jobs[1:]}  # type: ignore[union-attr]
    assert reasons == {"waits-for-slot"}
    revision = store.revision()
    assert claim(store) is None
    assert store.revision() == revision


def _claim_all(database: Path, machine: Capacity, start: object, answers: object) -> None:
    store = JobStore(database, patience=60)
    start.wait()  # type: ignore[attr-defined]
    taken = []
    while (claim := store.claim("here", machine, DEVICES)) is not None:
        taken.append((claim.job, claim.accelerators))
    answers.put(taken)  # type: ignore[attr-defined]


def test_claimers_in_several_processes_never_give_too_much(store: JobStore) -> None:
    machine = Capacity(cpus=40, memory=2**40)
    for number in range(80):
        add(store, gpus=int(number % 10 == 0))
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(4), context.Queue()
    processes = [
        context.Process(target=_claim_all, args=(store.database.path, machine, start, answers))
        for _ in range(4)
    ]
    for process in processes:
        process.start()
    taken = [one for _ in processes for one in answers.get(timeout=60)]
    for process in processes:
        process.join()
    jobs = [job for job, _ in taken]
    devices = [uuid for _, given in taken for uuid in given]
    assert len(jobs) == len(set(jobs))
    assert len(devices) == len(set(devices)) == 4
    # all CPUs but those kept back for the fifth job that wants a GPU
    assert 39 <= len(jobs) <= 40
    assert len(store.claims("here")) == len(jobs)
