"""One thing done to many jobs: a result for each, none twice, none stopped by another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs import bulk
from jupyter_mlinfn.jobs.actions import JobActions
from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.bulk import BulkActions
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.model.joblists import BulkAnswer, BulkRequest, BulkVerb, JobFilter
from jupyter_mlinfn.model.jobs import JobRequest, JobState
from tests.jobs.workplace import Listener, code, write_notebook

Make = Callable[[JobState], str]


@pytest.fixture
def many(
    store: JobStore, folders: JobFolders, backend: Listener, submission: Submission
) -> BulkActions:
    return BulkActions(store, JobActions(store, folders, {"local": backend}), submission)


@pytest.fixture
def make(submission: Submission, store: JobStore, work: Path) -> Make:
    path = write_notebook(work / "n.ipynb", code("1"))

    def one(state: JobState) -> str:
        job = submission.submit(JobRequest(source=str(path))).id
        if state != "queued":
            store.observe(job, Observation(state=state, attempt=1))
        return job

    return one


def all_of(many: BulkActions, verb: BulkVerb, wanted: JobFilter) -> list[BulkAnswer]:
    answers = [many.carry_out(verb, BulkRequest(matching=wanted), "click")]
    while answers[-1].next:
        request = BulkRequest(matching=wanted, cursor=answers[-1].next)
        answers.append(many.carry_out(verb, request, "click"))
    return answers


def test_every_named_job_gets_its_own_result(
    many: BulkActions, make: Make, store: JobStore
) -> None:
    done, runs, gone = make("succeeded"), make("running"), "a" * 10
    answer = many.carry_out("delete", BulkRequest(jobs=(gone, runs, done)))
    assert [(one.id, one.ok, one.code) for one in answer.results] == [
        (gone, False, "job-not-found"),
        (runs, False, "job-active"),
        (done, True, None),
    ]
    assert "has not ended" in (answer.results[1].text or "")
    assert [job.id for job in store.page().jobs] == [runs]


def test_a_file_that_cannot_be_changed_stops_no_other(
    many: BulkActions, make: Make, folders: JobFolders, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, fine = make("failed"), make("failed")
    remove = folders.remove

    def refuse(job: str) -> None:
        if job == stuck:
            raise PermissionError(13, "Permission denied")
        remove(job)

    monkeypatch.setattr(folders, "remove", refuse)
    answer = many.carry_out("delete", BulkRequest(jobs=(stuck, fine)))
    assert [one.ok for one in answer.results] == [False, True]
    assert "Permission denied" in (answer.results[0].text or "")


def test_cancel_takes_of_all_that_match_those_that_go_on(
    many: BulkActions, make: Make, store: JobStore, backend: Listener
) -> None:
    waits, runs = make("queued"), make("running")
    for _ in range(3):
        make("succeeded")
    (answer,) = all_of(many, "cancel", JobFilter())
    assert {one.id: one.ok for one in answer.results} == {runs: True, waits: True}
    assert store.get(runs).cancelling
    assert runs in backend.cancelled
    assert all_of(many, "cancel", JobFilter(state=("failed",))) == [BulkAnswer(results=())]


def test_all_that_match_goes_on_where_it_stopped(
    many: BulkActions, make: Make, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 2)
    failed = [make("failed") for _ in range(5)]
    kept = make("succeeded")
    answers = all_of(many, "delete", JobFilter(state=("failed",)))
    assert [len(one.results) for one in answers] == [2, 2, 1]
    assert [one.id for answer in answers for one in answer.results] == failed[::-1]
    assert [job.id for job in store.page().jobs] == [kept]


def test_a_slow_system_stops_the_call_and_not_the_work(
    many: BulkActions, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SECONDS", -1.0)
    jobs = [make("queued") for _ in range(3)]
    named = many.carry_out("cancel", BulkRequest(jobs=tuple(jobs)))
    assert [one.id for one in named.results] == jobs[:1]
    answers = all_of(many, "cancel", JobFilter())
    assert [one.id for answer in answers for one in answer.results] == jobs[::-1]


def test_a_rerun_is_made_once_for_one_click(many: BulkActions, make: Make, store: JobStore) -> None:
    jobs = tuple(make("failed") for _ in range(3))
    request = BulkRequest(jobs=jobs)
    first = many.carry_out("rerun", request, "click-1")
    again = many.carry_out("rerun", request, "click-1")
    made = [one.made for one in first.results]
    assert [one.made for one in again.results] == made
    assert len(set(made)) == 3
    assert len(store.page().jobs) == 6
    assert {store.get(str(job)).rerun_of for job in made} == set(jobs)


def test_reruns_of_all_that_match_do_not_match_themselves(
    many: BulkActions, make: Make, store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    jobs = [make("failed") for _ in range(3)]
    answers = all_of(many, "rerun", JobFilter())
    assert [one.id for answer in answers for one in answer.results] == jobs[::-1]
    assert len(store.page().jobs) == 6
