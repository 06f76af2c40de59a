"""The points in the index: counts that are those of the rows, whatever is said in what order."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.submission import Submission
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.recorded import recorded_values
from jupyter_mlinfn.jobs.sweeps.sheet import csv_of
from jupyter_mlinfn.jobs.sweeps.whole import whole
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, JobRequest, Reason
from jupyter_mlinfn.model.sweeps import Point, PointColumns, PointFilter, Sweep, SweepCounts
from tests.jobs.workplace import REQUEST, Listener, code, make_spec, write_notebook

pytestmark = pytest.mark.slow

ROOM = Capacity(cpus=3, memory=2**50)
STATES = ("queued", "starting", "running", "evicted", "succeeded", "failed", "cancelled")


def add(store: JobStore, number: int, throttle: int | None = None, **asked: Any) -> str:
    spec = make_spec(points=number, throttle=throttle, **asked)
    store.insert(spec, REQUEST, points=[{"k": k} for k in range(number)])
    return spec.id


def counted(store: JobStore, job: str) -> tuple[dict[str, int], dict[str, int]]:
    """The counts in the record, and those of the rows."""
    sweep = store.get(job).sweep
    assert sweep is not None
    rows = Counter(point.state for point in store.points.all(job))
    return {state: getattr(sweep, state) for state in STATES}, {s: rows[s] for s in STATES}


steps = st.one_of(
    st.tuples(st.just("claim"), st.integers(0, 0)),
    st.tuples(st.just("requeue"), st.integers(0, 5)),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("mark"), st.integers(0, 5)),
    st.tuples(
        st.just("seen"),
        st.dictionaries(
            st.integers(0, 7),
            st.tuples(st.sampled_from(STATES), st.integers(0, 3)),
            max_size=4,
        ),
    ),
    st.tuples(st.just("end"), st.sampled_from(("failed", "cancelled"))),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(steps, max_size=14), st.sampled_from([None, 1, 2]))
def test_counts_are_those_of_the_rows_and_ends_stay(
    store: JobStore, story: list[Any], throttle: int | None
) -> None:
    job = add(store, 6, throttle, cpus=1)
    ended: dict[int, str] = {}
    for step, told in story:
        if step == "claim":
            before = store.get(job).sweep
            claim = store.claim("here", ROOM, ())
            if claim is not None and claim.job == job and throttle is not None:
                assert before is not None
                assert before.starting + before.running < throttle
        elif step == "requeue":
            attempt = store.points.get(job, told).attempts
            store.requeue(job, attempt, None, point=told, state="evicted")
        elif step == "cancel":
            store.points.cancel_waiting(job, Reason(code="cancelled-by-user", text="."), [told])
        elif step == "mark":
            store.points.mark_cancelling(job, [told])
        elif step == "seen":
            points = {k: Observation(state=s, attempt=a) for k, (s, a) in told.items()}
            store.observe(job, Observation(state="running", points=points))
        else:
            store.observe(job, Observation(state=told))
        in_record, in_rows = counted(store, job)
        assert in_record == in_rows
        record = store.get(job)
        state, _ = whole(in_rows, cancelling=False)
        assert record.state == state
        assert (record.ended_at is not None) == (record.state in ENDED)
        for point in store.points.all(job):
            assert ended.get(point.index, point.state) == point.state
            if point.state in ENDED:
                ended[point.index] = point.state
        active = in_rows["starting"] + in_rows["running"]
        assert len([c for c in store.claims("here") if c.job == job]) <= active
    store.observe(job, Observation(state="cancelled"))
    assert store.get(job).state in ENDED
    assert not store.claims("here")


def test_a_job_that_comes_later_does_not_wait_for_the_end_of_a_sweep(store: JobStore) -> None:
    first, later = add(store, 5, cpus=1), add(store, 2, cpus=1)
    single = make_spec(cpus=1)
    store.insert(single, REQUEST)
    taken = [store.claim("here", Capacity(cpus=8, memory=2**50), ()) for _ in range(8)]
    assert [(one.job, one.point) for one in taken if one] == [
        (first, 0), (later, 0), (single.id, None), (first, 1), (later, 1),
        (first, 2), (first, 3), (first, 4),
    ]  # fmt: skip


def test_an_index_that_is_lost_is_made_again_from_the_folders(
    submission: Submission, backend: Listener, work: Path, folders: JobFolders, store: JobStore
) -> None:
    notebook = write_notebook(work / "a.ipynb", code("k = 1", "parameters"))
    sweep = Sweep(raw_axes={"k": "0..4"}, throttle=2)
    job = submission.submit(JobRequest(source=str(notebook), sweep=sweep))
    tell(folders, job, 0, 1, state="evicted")
    tell(folders, job, 0, 2, state="succeeded", output="/x/0/a.ipynb")
    (folders.attempt(job.id, 2, 0) / "values.jsonl").write_text(
        json.dumps({"at": "x", "values": {"loss": 0.5}}) + "\n"
    )
    tell(folders, job, 1, 1)
    folders.request_cancel(job.id, 3)
    store.close()
    store.database.path.unlink()
    record = store.get(job.id)
    assert record.sweep == SweepCounts(points=5, throttle=2, queued=3, starting=1, succeeded=1)
    assert record.state == "running"
    points = store.points.all(job.id)
    assert [point.parameters for point in points] == [{"k": k} for k in range(5)]
    assert points[0].values == {"loss": 0.5}
    assert (points[0].attempts, points[0].output) == (2, "/x/0/a.ipynb")
    assert points[3].cancelling
    assert [(one.point, one.cpus) for one in store.claims("here")] == [(1, 1)]


def tell(folders: JobFolders, job: JobRecord, point: int, attempt: int, **end: Any) -> None:
    """Write what an attempt of a point leaves behind."""
    folder = folders.attempt(job.id, attempt, point)
    folder.mkdir(parents=True)
    claim = {"cpus": 1, "memory": 2**20, "slots": "here"}
    (folder / "claim.json").write_text(json.dumps(claim))
    if end:
        end |= {"ended_at": datetime.now(UTC).isoformat()}
        (folder / "end.json").write_text(json.dumps(end))


def test_what_is_asked_of_points_is_checked(store: JobStore) -> None:
    job, single = add(store, 3), make_spec()
    store.insert(single, REQUEST)
    for wanted, cursor, limit in (
        (PointFilter(sort="number; DROP TABLE points"), None, 5),
        (PointFilter(sort="k"), "n1", 5),
        (PointFilter(search="a\0b"), None, 5),
        (PointFilter(), None, 0),
        (PointFilter(), None, 10**9),
    ):
        with pytest.raises(InputError):
            store.points.page(job, wanted, limit, cursor)
    with pytest.raises(NotFound):
        store.points.page(single.id)
    with pytest.raises(NotFound):
        store.points.get(job, 3)


def test_pages_follow_each_other_in_any_order(store: JobStore) -> None:
    job = add(store, 23)
    seen = {
        k: Observation(state="succeeded", attempt=1, values={"v": (7 * k) % 23, 'odd"': k})
        for k in range(20)
    }
    store.observe(job, Observation(state="running", points=seen))
    for order in ("asc", "desc"):
        wanted, cursor, found = PointFilter(sort="v", order=order), None, []
        while True:
            page = store.points.page(job, wanted, 5, cursor)
            found += page.points
            cursor = page.next
            if cursor is None:
                break
        assert [point.index for point in found[20:]] == [20, 21, 22]
        values = [point.values["v"] for point in found[:20]]
        assert values == sorted(values, reverse=order == "desc")
    with pytest.raises(InputError):
        store.points.page(job, PointFilter(sort='odd"'))
    assert [p.index for p in store.points.page(job, PointFilter(search="22")).points] == [22]


def test_what_code_recorded_is_kept_within_bounds(tmp_path: Path) -> None:
    lines: list[Any] = [{"values": {"first": 1}}]
    lines += [{"values": {"loss": n, "x": "y" * 900}} for n in range(300)]
    lines += [{"values": {"loss": float("nan"), "\ud800": "\ud800"}}, {"values": 3}, [1]]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"values": {"half'
    (tmp_path / "values.jsonl").write_text(text)
    found = recorded_values(tmp_path)
    assert found["first"] == 1
    assert found["loss"] == "nan"
    json.dumps(found, ensure_ascii=False).encode()
    many = {"values": {f"n{n}": n for n in range(5000)}}
    (tmp_path / "values.jsonl").write_text(json.dumps(many) + "\n")
    assert len(recorded_values(tmp_path)) <= 100


def test_a_table_of_results_holds_no_formula() -> None:
    point = Point(
        index=0,
        state="succeeded",
        parameters={"a": "=cmd()", "b": -1},
        values={"a": "+x", "l": [1]},
    )
    columns = PointColumns(parameters=("a", "b"), values=("a", "l"))
    header, line = csv_of([point], columns).splitlines()
    assert header.startswith("index,state,a,b,a (recorded),l,started_at")
    assert line.startswith("0,succeeded,'=cmd(),-1,'+x,[1],")


@given(st.sets(st.integers(0, 400)), st.integers(1, 50), st.integers(1, 100))
def test_ranges_come_back_as_they_went(numbers: set[int], most: int, span: int) -> None:
    if numbers:
        assert ranges.read(ranges.written(numbers)) == tuple(sorted(numbers))
    pieces = list(ranges.parts(numbers, most, span))
    assert [n for piece in pieces for n in piece] == sorted(numbers)
    assert all(len(piece) <= most and piece[-1] - piece[0] < span for piece in pieces)


@given(st.text("0123456789-,:%[].", max_size=30))
def test_text_that_is_no_range_is_refused(text: str) -> None:
    try:
        found = ranges.read(text)
    except ValueError:
        return
    assert all(isinstance(number, int) and number >= 0 for number in found)
    assert len(found) < 10**7


def test_slots_that_were_held_before_there_were_points_are_kept(tmp_path: Path) -> None:
    """An index of schema 3 with a job that runs is brought to the present one."""
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import text

    from jupyter_mlinfn.database.engine import make_engine
    from jupyter_mlinfn.jobs.rows import columns_of
    from jupyter_mlinfn.jobs.tables import SCHEMA, jobs

    path = tmp_path / "jobs.sqlite"
    config = Config()
    config.set_main_option("script_location", str(SCHEMA.scripts))
    config.set_main_option("path_separator", "os")
    engine, spec = make_engine(path, 5.0), make_spec()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        known = {row.name for row in connection.execute(text("PRAGMA table_info(jobs)"))}
        row = {k: v for k, v in columns_of(spec, REQUEST).items() if k in known}
        connection.execute(jobs.insert().values(revision=1, **row))
        connection.execute(
            text("INSERT INTO claims VALUES (:job, 1, 'here', 2, 3)"), {"job": spec.id}
        )
        connection.execute(
            text("INSERT INTO claimed_accelerators VALUES ('here', 'GPU-a', :job)"),
            {"job": spec.id},
        )
    engine.dispose()
    store = JobStore(path)
    (claim,) = store.claims("here")
    assert (claim.job, claim.point, claim.cpus, claim.accelerators) == (
        spec.id, None, 2, ("GPU-a",),
    )  # fmt: skip
    store.close()
