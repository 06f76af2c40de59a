"""Why HTCondor holds a job, in words, with what can be changed about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.backends.htcondor import describing, holds, states
from jupyter_mlinfn.jobs.backends.htcondor.parsing import CondorJob
from jupyter_mlinfn.model.releasing import Asking
from tests.jobs.backends.test_condor_texts import one
from tests.jobs.workplace import make_spec

GIB = 2**30


def held(**fields: Any) -> CondorJob:
    return one(JobStatus=5, **fields)


@pytest.mark.parametrize(
    ("code", "words", "cause"),
    [
        (34, "Job has gone over cgroup memory limit of 512 megabytes.", "memory"),
        (26, "RequestMemory is above what this site gives to one core", "memory"),
        (21, "Disk usage exceeded request_disk", "disk"),
        (26, "job used 3.9 cores, and had requested 1", "cpus"),
        (46, "The job exceeded allowed job duration of 1:00:00", "time"),
        (26, "wall time above the queue's", "time"),
        (26, "the robot certificate is from the wrong site", None),
        (13, "Transfer input files failure: no memory of /data", None),
    ],
)
def test_what_a_hold_is_about(code: int, words: str, cause: str | None) -> None:
    assert holds.cause(held(HoldReasonCode=code, HoldReason=words)) == cause


def test_a_job_that_may_go_on_is_held_with_numbers_and_the_line_that_lets_it_go() -> None:
    job = held(
        HoldReasonCode=34, HoldReason="over its limit.", NumJobStarts=1, MLInfnAgain=True,
        RequestMemory=2048, ResidentSetSize_RAW=3 * 2**20,
    )  # fmt: skip
    word = states.word(job)
    assert word.phase == "waits"
    assert word.waits is not None
    assert word.waits.code == "held"
    assert "it had 3.0 GiB and had asked for 2.0 GiB (over its limit)" in word.waits.text
    assert f"mlinfn job release {job.job} --memory 6GiB'" in word.waits.text
    assert "newest checkpoint" in word.waits.text
    assert holds.used(job) == 3 * GIB


@pytest.mark.parametrize("fields", [{}, {"MLInfnAgain": True, "MLInfnPoint": 3}])
def test_a_job_that_may_not_run_again_and_a_point_of_a_sweep_are_over(
    fields: dict[str, Any],
) -> None:
    """A sweep has a verb of its own for its failed points."""
    word = states.word(held(HoldReasonCode=34, NumJobStarts=1, **fields))
    assert word.phase == "over"


def test_what_the_site_refuses_before_it_ever_ran_has_not_run_out_of_memory() -> None:
    job = held(
        HoldReasonCode=26, HoldReason="RequestMemory too large", NumJobStarts=0, RequestMemory=512
    )
    word = states.word(job)
    assert word.phase == "waits"
    assert word.waits is not None
    assert "A rule of the site put this job on hold (RequestMemory too large)" in word.waits.text
    assert "--memory 1GiB" in word.waits.text
    assert holds.used(job) is None


def test_only_what_may_run_again_is_kept_while_it_is_held(tmp_path: Path) -> None:
    again = describing.description(make_spec(evictable=True), tmp_path, {}, {})
    once = describing.description(make_spec(), tmp_path, {}, {})
    assert again["My.MLInfnAgain"] == "true"
    assert "My.MLInfnAgain" not in once
    for told in (again, once):
        assert "MLInfnAgain =!= true" in told["periodic_remove"]


def test_amounts_are_those_of_the_ad_and_of_the_submit_language(tmp_path: Path) -> None:
    now = Asking(cpus=2, memory=GIB + 1, time=60, disk=3 * GIB)
    assert describing.amounts(now) == {
        "RequestCpus": "2",
        "RequestMemory": "1025",
        "AllowedJobDuration": "150",
        "RequestDisk": str(3 * 2**20),
    }
    assert "RequestDisk" not in describing.amounts(now.model_copy(update={"disk": None}))
    told = describing.description(make_spec(), tmp_path, {}, {}, disk=GIB)
    assert told["request_disk"] == str(2**20)
