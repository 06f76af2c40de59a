"""Sweeps on a real HTCondor: one cluster each, made as room is, whatever fails or is cancelled."""

from __future__ import annotations

import json

import pytest

from tests.jobs.backends.conftest import condor_desk, own_folders, pool
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.sweeps.looking import (
    arrays,
    cancel_in_the_middle,
    cancel_one,
    check_failing,
    ended,
    most_at_once,
    points,
    starts,
    submit,
    submit_failing,
    until,
)
from tests.systems.condor import Condor

__all__ = ["condor_desk", "own_folders", "pool"]

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_sweep_with_a_failing_point_and_the_rerun_of_it(condor_desk: Desk) -> None:
    job, mended = submit_failing(condor_desk, 8, 6)
    assert job.backend_id is not None
    assert job.backend_id.isdecimal()
    check_failing(condor_desk, job.id, mended, 8, 6)


def test_at_most_so_many_run_at_once_and_the_rest_is_told_to_wait(condor_desk: Desk) -> None:
    cell = "import time; time.sleep(1)"
    job = submit(condor_desk, cell, raw_axes={"k": "0..6"}, throttle=2, script=True)
    assert 1 <= most_at_once(condor_desk, job.id, 7) <= 2


def test_a_sweep_cancelled_in_the_middle_and_one_point_of_another(
    condor_desk: Desk, pool: Condor
) -> None:
    cancel_in_the_middle(condor_desk, 40, 2, throttle=4)
    left = ("-const", "JobStatus != 3 && JobStatus != 4", "-af", "ClusterId")
    assert pool.call("condor_q", "-all", *left)[1].strip() == ""
    cancel_one(condor_desk)


def test_one_point_is_evicted_and_starts_again_and_one_is_removed_there(
    condor_desk: Desk, pool: Condor
) -> None:
    desk = condor_desk
    cells = (desk.held(), "print('whole', k)")
    job = submit(desk, *cells, raw_axes={"k": "0..2"}, evictable=True, script=True)
    until(desk, job.id, lambda counts: counts.running == 3)
    number = arrays(desk, job.id).arrays[0].id
    assert pool.call("condor_vacate_job", f"{number}.1")[0] == 0
    assert pool.call("condor_rm", f"{number}.2")[0] == 0
    desk.until_seen(job.id, lambda: starts(desk, job.id).get(1) == 2)
    desk.go()
    ended(desk, job.id)
    told = points(desk, job.id)
    assert [point.state for point in told[:2]] == ["succeeded", "succeeded"]
    assert told[2].state in ("cancelled", "failed")
    assert starts(desk, job.id) == {0: 1, 1: 2, 2: 1}
    assert texts(told[1].output) == ["whole 1\n"]


def test_a_cluster_that_nobody_heard_of_is_found_and_not_made_again(
    condor_desk: Desk, pool: Condor
) -> None:
    desk = condor_desk
    job = submit(desk, "print(k)", raw_axes={"k": "0..2"}, script=True)
    note = desk.bench.folders.job(job.id) / "arrays.json"
    told = json.loads(note.read_text())
    told["arrays"][0] |= {"id": None, "answered": False}
    note.write_text(json.dumps(told))
    spec = desk.bench.folders.read_spec(job.id)
    assert desk.another().backends["htcondor"].submit(spec) == job.backend_id
    assert ended(desk, job.id).state == "succeeded"
    assert starts(desk, job.id) == dict.fromkeys(range(3), 1)
