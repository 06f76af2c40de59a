"""The index: intents are durable and submitted once, states only move forward."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.model.errors import Conflict, InputError, NotFound
from jupyter_mlinfn.model.jobs import Progress, Reason, Usage
from tests.jobs.workplace import REQUEST, make_spec

NOW = datetime.now(UTC)
ROOM = Capacity(cpus=64, memory=2**40)
WHY = Reason(code="cancelled-by-user", text="You cancelled this job.")


def test_a_record_tells_what_was_asked(store: JobStore) -> None:
    spec = make_spec("abcdefghij", parameters={"lr": 0.1, "names": ["a"]}, cpus=3, memory=2**31)
    record = store.insert(spec, REQUEST)
    assert record == store.get("abcdefghij")
    assert (record.state, record.attempts, record.parameters) == ("queued", 0, spec.parameters)
    assert record.resources == spec.resources
    assert record.submitted_at == spec.submitted_at
    assert record.environment.digest == spec.environment.digest


def test_the_same_key_is_the_same_job(store: JobStore) -> None:
    first = store.insert(make_spec(), REQUEST, "click-1")
    assert store.insert(make_spec(), REQUEST, "click-1") == first
    assert store.insert(make_spec(), REQUEST, "click-2") != first
    assert store.by_key("click-1") == first
    assert store.by_key("click-3") is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("abcdefghik", "Did you mean abcdefghij?"),
        ("abcdefghijk", "Did you mean abcdefghij?"),
        ("ABCDEFGHIJ", "Did you mean abcdefghij?"),
        (" abcdefg", "Did you mean abcdefghij?"),
        ("abcz", "Did you mean abcaaaaaaa or abcdefghij?"),
        ("abz", ""),
        ("../../etc", ""),
        ("", ""),
    ],
)
def test_a_job_that_is_not_there_is_named_and_who_begins_alike(
    store: JobStore, typed: str, meant: str
) -> None:
    for job in ("abcdefghij", "abcaaaaaaa", "zzzzzzzzzz"):
        store.insert(make_spec(job), REQUEST)
    with pytest.raises(NotFound) as told:
        store.get(typed)
    between = f" {meant} " if meant else " "
    assert told.value.text == (
        f"There is no job '{typed}'.{between}Look at the list of jobs for the right id."
    )


def test_no_more_of_a_wrong_id_is_shown_than_a_line_holds(store: JobStore) -> None:
    with pytest.raises(NotFound) as told:
        store.get("\x1b[2J" + "a" * 10_000)
    assert told.value.text.startswith("There is no job '\\x1b[2Jaaaa")
    assert len(told.value.text) < 150


def test_the_same_token_is_the_same_job(store: JobStore) -> None:
    spec = make_spec()
    assert store.insert(spec, REQUEST) == store.insert(spec, REQUEST)
    with pytest.raises(Conflict):
        store.insert(make_spec(spec.id, token="another"), REQUEST)


def test_a_beginning_of_an_id_is_enough(store: JobStore) -> None:
    for job in ("abcdefghij", "abcdezzzzz", "zzzzzzzzzz"):
        store.insert(make_spec(job), REQUEST)
    assert store.get("z").id == "zzzzzzzzzz"
    assert store.get("abcdef").id == "abcdefghij"
    with pytest.raises(InputError, match="abcdefghij, abcdezzzzz"):
        store.get("abc")
    for nothing in ("b", "", "%", "_", "../../x", "ABC", "abcdefghij1"):
        with pytest.raises(NotFound):
            store.get(nothing)


def start(store: JobStore, job: str | None = None) -> str:
    """A job at its first attempt."""
    spec = make_spec(job)
    store.insert(spec, REQUEST)
    claim = store.claim("here", ROOM, ())
    assert claim is not None
    assert claim.job == spec.id
    return spec.id


def test_the_whole_life(store: JobStore) -> None:
    job = start(store)
    assert store.get(job).state == "starting"
    progress = Progress(cells_done=1, cells_total=4)
    running = Observation(state="running", attempt=1, started_at=NOW, progress=progress, host="h")
    assert store.observe(job, running).progress == progress
    end = Observation(
        state="succeeded",
        attempt=1,
        ended_at=NOW,
        exit_code=0,
        usage=Usage(peak_memory=5),
        output="/o",
    )
    record = store.observe(job, end)
    assert (record.state, record.ended_at, record.output) == ("succeeded", NOW, "/o")
    assert record.usage.peak_memory == 5
    (attempt,) = store.attempts(job)
    assert (attempt.state, attempt.host, attempt.exit_code) == ("succeeded", "h", 0)
    assert (attempt.started_at, attempt.ended_at) == (NOW, NOW)
    assert store.claims("here") == []
    assert store.last_usage("/home/ada/train.ipynb") == Usage(peak_memory=5)


def test_silence_marks_but_changes_no_state(store: JobStore) -> None:
    job = start(store)
    since, later = NOW, NOW + timedelta(minutes=5)
    store.observe(job, Observation(state="running", attempt=1))
    for moment in (since, later):
        record = store.observe(job, Observation(state="queued", attempt=1, unknown_since=moment))
        assert (record.state, record.unknown_since) == ("running", since)
    assert store.observe(job, Observation(state="running", attempt=1)).unknown_since is None


def test_an_observation_without_news_writes_nothing(store: JobStore) -> None:
    job = start(store)
    seen = Observation(state="running", attempt=1, started_at=NOW)
    store.observe(job, seen)
    revision = store.revision()
    assert store.observe_all({job: seen, "unknownjob": seen}) == 0
    assert store.revision() == revision


def test_requeue_frees_the_slot_and_keeps_the_place(store: JobStore) -> None:
    job = start(store)
    store.insert(make_spec(), REQUEST)
    lost = Reason(code="lost", text="The machine was stopped before your code ran.")
    assert store.requeue(job, 1, lost)
    record = store.get(job)
    assert (record.state, record.attempts, record.reason) == ("queued", 1, lost)
    assert store.claims("here") == []
    assert not store.requeue(job, 1, lost)
    claim = store.claim("here", ROOM, ())
    assert claim is not None
    assert (claim.job, claim.attempt) == (job, 2)
    stale = store.observe(job, Observation(state="failed", attempt=1))
    assert (stale.state, stale.attempts) == ("starting", 2)


def test_cancel_at_once_only_while_it_waits(store: JobStore) -> None:
    waits = store.insert(make_spec(), REQUEST)
    assert store.cancel_if_waiting(waits.id, WHY)
    assert store.get(waits.id).state == "cancelled"
    assert not store.cancel_if_waiting(waits.id, WHY)
    runs = start(store)
    assert not store.cancel_if_waiting(runs, WHY)
    assert store.get(runs).state == "starting"


def test_a_job_that_shall_end_takes_no_slot(store: JobStore) -> None:
    job = store.insert(make_spec(), REQUEST)
    assert store.mark_cancelling(job.id).cancelling
    assert store.claim("here", ROOM, ()) is None


def test_delete_forgets_an_ended_job_only(store: JobStore) -> None:
    job = start(store)
    with pytest.raises(Conflict, match="not ended"):
        store.delete(job)
    store.observe(job, Observation(state="failed", attempt=1))
    store.delete(job)
    with pytest.raises(NotFound):
        store.get(job)
    assert store.attempts(job) == ()


def test_last_request_is_that_of_this_notebook(store: JobStore) -> None:
    for name in ("a", "b", "a"):
        asked = REQUEST.model_copy(update={"source": f"/{name}", "name": f"{name}{time.time()}"})
        store.insert(make_spec(source=f"/{name}"), asked)
    assert store.last_request("/a") == asked
    assert store.last_request("/c") is None


def _insert(database: Path, number: int, start: object, answers: object) -> None:
    store = JobStore(database, patience=60)
    start.wait()  # type: ignore[attr-defined]
    answers.put(store.insert(make_spec(), REQUEST, "one click").id)  # type: ignore[attr-defined]


def test_two_processes_with_one_key_make_one_job(store: JobStore) -> None:
    store.counts()
    context = multiprocessing.get_context("spawn")
    start_all, answers = context.Barrier(4), context.Queue()
    arguments = [(store.database.path, number, start_all, answers) for number in range(4)]
    processes = [context.Process(target=_insert, args=given) for given in arguments]
    for process in processes:
        process.start()
    ids = {answers.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert len(ids) == 1
    assert store.counts().total == 1


INSERTER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.jobs.workplace import REQUEST, make_spec
from jupyter_mlinfn.jobs.store import JobStore
store = JobStore(Path(sys.argv[1]))
while True:
    print(store.insert(make_spec(), REQUEST, None).id, flush=True)
"""


@pytest.mark.fault
@pytest.mark.parametrize("after", [0.02, 0.05, 0.1])
def test_what_was_acknowledged_survives_kill_9(store: JobStore, after: float) -> None:
    store.counts()
    run = [sys.executable, "-c", INSERTER, str(store.database.path), str(Path(__file__).parents[2])]
    with subprocess.Popen(run, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip()]
        time.sleep(after)
        process.send_signal(signal.SIGKILL)
        # the last line may be half a line: what is whole was acknowledged
        told += [line for line in process.stdout.read().split("\n")[:-1] if line]
    total = store.counts().total
    assert len(told) <= total <= len(told) + 1
    for job in told:
        assert store.get(job).state == "queued"
    with store.database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_job_that_is_queued_again_holds_no_slot(store: JobStore) -> None:
    job = store.insert(make_spec(), REQUEST).id
    machine = Capacity(cpus=4, memory=8 * 2**30)
    assert store.claim("here", machine, ()) is not None
    store.observe(job, Observation(state="queued", attempt=2))
    assert store.get(job).state == "queued"
    assert store.claims("here") == []
    first, second = store.attempts(job)
    assert (first.state, second.state) == ("evicted", "queued")
    assert first.ended_at is not None
