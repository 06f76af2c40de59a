"""Lists of jobs: pages, filters, search, counts, changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from jupyter_mlinfn.jobs import pages
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import Reason
from tests.jobs.workplace import REQUEST, make_spec


def add(store: JobStore, count: int = 1, **changes: object) -> list[str]:
    return [store.insert(make_spec(**changes), REQUEST).id for _ in range(count)]


def test_pages_are_newest_first_and_meet_without_gap(store: JobStore) -> None:
    jobs = add(store, 7)
    cursor, seen = None, []
    for size in (3, 3, 1):
        page = store.page(limit=3, cursor=cursor)
        assert len(page.jobs) == size
        seen += [job.id for job in page.jobs]
        cursor = page.next
        add(store)  # new ones do not shift the pages behind
    assert cursor is None
    assert seen == jobs[::-1]


def test_the_last_full_page_has_no_next(store: JobStore) -> None:
    add(store, 3)
    assert store.page(limit=3).next is None


@pytest.mark.parametrize(
    "cursor", ["", "5", "n", "n0", "n-1", "n5 ", "n5\n", "n５", "n1e3", "n" + "9" * 19, "n1;DROP"]
)
def test_a_cursor_nobody_gave_is_refused(store: JobStore, cursor: str) -> None:
    with pytest.raises(InputError) as caught:
        store.page(cursor=cursor)
    assert caught.value.code == "bad-cursor"


@pytest.mark.parametrize("limit", [0, -1, 201, 10**9])
def test_the_size_of_a_page_is_bounded(store: JobStore, limit: int) -> None:
    with pytest.raises(InputError):
        store.page(limit=limit)


def test_filter_by_states(store: JobStore) -> None:
    waits, runs, failed = add(store, 3)
    store.observe(runs, Observation(state="running", attempt=1))
    store.observe(failed, Observation(state="failed", attempt=1))
    assert [job.id for job in store.page(states=("running",)).jobs] == [runs]
    found = store.page(states=("queued", "failed", "queued")).jobs
    assert {job.id for job in found} == {waits, failed}


def test_search_takes_text_as_text(store: JobStore) -> None:
    (percent,) = add(store, name="100% sure", source="/a/Große.ipynb")
    (under,) = add(store, name="under_score", parameters={"lr": "a'b\"; DROP TABLE jobs --"})
    (plain,) = add(store, name="underXscore")

    def found(text: str) -> list[str]:
        return [job.id for job in store.page(search=text).jobs]

    assert found("100%") == [percent]
    assert found("%") == [percent]
    assert found("UNDER_SCORE") == [under]
    assert found("_") == [under]
    assert found("GROSSE") == [percent]
    assert found("sure 100") == [percent]
    assert found("a'b") == [under]
    assert found("DROP TABLE") == [under]
    assert found(plain) == [plain]
    assert found("\\") == [under]  # in JSON, the quote is escaped by one
    assert found("nothing like this") == []
    assert len(found("   ")) == 3
    with pytest.raises(InputError):
        found("x" * 5000)


def test_counts(store: JobStore) -> None:
    _waits, runs, failed, long_ago, done = add(store, 5)
    store.observe(runs, Observation(state="running", attempt=1))
    store.observe(failed, Observation(state="failed", attempt=1))
    before = datetime.now(UTC) - timedelta(days=2)
    store.observe(long_ago, Observation(state="failed", attempt=1, ended_at=before))
    store.observe(done, Observation(state="succeeded", attempt=1))
    counts = store.counts()
    assert (counts.running, counts.queued, counts.failed_today, counts.total) == (1, 1, 1, 5)
    assert store.page(limit=1).counts == counts


def test_changes_are_seen_by_another_process(store: JobStore) -> None:
    other = JobStore(store.database.path)
    first, second = add(store, 2)
    revision, changed, deleted = other.changed_since(0)
    assert {job.id for job in changed} == {first, second}
    assert other.changed_since(revision) == (revision, [], [])
    store.set_reason(first, Reason(code="waits-for-slot", text="Waits."))
    store.set_reason(first, Reason(code="waits-for-slot", text="Waits."))
    store.cancel_if_waiting(second, Reason(code="lost", text="Lost."))
    store.delete(second)
    now, changed, deleted = other.changed_since(revision)
    assert now == other.revision() > revision
    assert ([job.id for job in changed], deleted) == ([first], [second])
    other.close()


def test_changes_after_the_index_was_lost_are_everything(store: JobStore) -> None:
    jobs = add(store, 3)
    now, changed, _ = store.changed_since(10**9)
    assert now == store.revision()
    assert [job.id for job in changed] == jobs


def test_many_changes_are_bounded(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "MOST_CHANGES", 2)
    jobs = add(store, 5)
    assert [job.id for job in store.changed_since(0)[1]] == jobs[3:]
