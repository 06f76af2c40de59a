"""Long lists: 10,000 jobs filtered, grouped, counted and paged by the index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.joblists import GROUPS, JobFilter, JobOrder
from jupyter_mlinfn.model.jobs import JobRecord
from tests.jobs.many import NOW, fill, row

pytestmark = pytest.mark.slow

MANY = 10_000
STATE_OF = {number: row(number, MANY)["state"] for number in range(1, MANY + 1)}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobStore]:
    folders = JobFolders(tmp_path_factory.mktemp("many"))
    folders.create()
    store = JobStore(folders.data_dir / "jobs.sqlite", folders)
    fill(store, MANY)
    yield store
    store.close()


def everything(store: JobStore, wanted: JobFilter, order: JobOrder) -> list[JobRecord]:
    seen: list[JobRecord] = []
    cursor = None
    while True:
        page = store.found(wanted, 200, cursor, order)
        seen += page.jobs
        cursor = page.next
        if cursor is None:
            return seen


def seeds(found: list[JobRecord] | tuple[JobRecord, ...]) -> list[int]:
    return [int(str(job.parameters["seed"])) for job in found]


def test_grouped_pages_hold_every_job_once(many: JobStore) -> None:
    found = everything(many, JobFilter(), "groups")
    assert sorted(seeds(found)) == list(range(1, MANY + 1))
    groups = [next(n for n, states in enumerate(GROUPS) if job.state in states) for job in found]
    assert groups == sorted(groups)
    for one, other in pairwise(zip(groups, seeds(found), strict=True)):
        assert one[0] < other[0] or one[1] > other[1], "newest first inside a group"


def test_every_filter_and_all_together(many: JobStore) -> None:
    def expected(**more: Any) -> list[int]:
        return [
            number
            for number in range(MANY, 0, -1)
            if all(
                (
                    "state" not in more or STATE_OF[number] in more["state"],
                    "backend" not in more or number % 3 in more["backend"],
                    "environment" not in more or number % 4 == 0,
                    "since" not in more or number >= MANY - more["since"],
                    "search" not in more or number % 100 == more["search"],
                )
            )
        ]

    failed = JobFilter(state=("failed", "evicted"))
    assert seeds(everything(many, failed, "newest")) == expected(state=("failed", "evicted"))
    places = JobFilter(backend=("slurm", "htcondor"), search="fit-7.ipynb")
    assert seeds(everything(many, places, "newest")) == expected(backend=(1, 2), search=7)
    all_of_it = JobFilter(
        state=("succeeded",),
        backend=("local",),
        environment=("science",),
        search="fit-12.ipynb",
        since=NOW - timedelta(minutes=5000),
    )
    sought = expected(state=("succeeded",), backend=(0,), environment=True, search=12, since=5000)
    assert len(sought) > 10
    assert seeds(everything(many, all_of_it, "newest")) == sought
    assert seeds(everything(many, all_of_it, "groups")) == sought
    sweeps = seeds(everything(many, JobFilter(sweep=True, search="fit-7."), "groups"))
    assert set(sweeps) == {number for number in range(7, MANY + 1, 7) if number % 100 == 7}
    assert len(everything(many, JobFilter(sweep=False), "newest")) == MANY - MANY // 7
    page = many.found(all_of_it, 5, None, "groups")
    assert page.matching == {"succeeded": len(sought)}
    assert page.counts.total == MANY


def test_the_numbers_of_the_groups(many: JobStore) -> None:
    page = many.found(JobFilter(), 1, None, "groups")
    assert page.matching == page.counts.by_state
    assert sum(page.matching.values()) == MANY
    assert page.matching["failed"] == 143
    narrow = many.found(JobFilter(backend=("slurm",)), 1, None)
    assert sum(narrow.matching.values()) == 3334
    assert narrow.matching != page.matching


def test_what_can_be_chosen_comes_with_the_first_page(many: JobStore) -> None:
    first = many.found(JobFilter(state=("failed",)), 10, None)
    assert first.choices is not None
    assert first.choices.backends == ("htcondor", "local", "slurm")
    assert first.choices.environments == ("python3", "science")
    assert many.found(JobFilter(), 10, first.next).choices is None


def test_folded_groups_are_counted_and_not_listed(many: JobStore) -> None:
    page = many.found(JobFilter(), 200, None, "groups", ("queued", "evicted", "succeeded"))
    assert {job.state for job in page.jobs} == {"starting", "running"}
    assert page.matching == many.found(JobFilter(), 1, None).matching
    wanted = JobFilter(state=("failed", "succeeded"))
    only = many.found(wanted, 200, None, "groups", ("succeeded",))
    assert {job.state for job in only.jobs} == {"failed"}
    nothing = many.found(wanted, 200, None, "newest", ("failed", "succeeded"))
    assert (nothing.jobs, nothing.next) == ((), None)
    assert sum(nothing.matching.values()) > 9000


def test_nothing_found_is_no_error(many: JobStore) -> None:
    page = many.found(JobFilter(backend=("nowhere",)), 10, None, "groups")
    assert (page.jobs, page.next, page.matching) == ((), None, {})


@pytest.mark.parametrize("cursor", ["n5", "g5n1", "g-1n1", "g0", "g0n0", "g0n1;", "g٠n1", ""])
def test_a_grouped_cursor_nobody_gave_is_refused(many: JobStore, cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        many.found(JobFilter(), 10, cursor, "groups")
    assert caught.value.code == "bad-cursor"


def test_values_are_values_and_no_sql(many: JobStore) -> None:
    hostile = "local') OR 1=1 --"
    assert many.found(JobFilter(backend=(hostile,)), 10, None).jobs == ()
    assert many.found(JobFilter(environment=("%",)), 10, None, "groups").jobs == ()
