"""Exact reruns in locked environments, by the real engine: the recorded state, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.model.environment_tasks import Alter, Task, TaskRequest
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.jobs import JobRecord, JobRequest, RerunRequest
from jupyter_mlinfn.workbench import Workbench
from tests.environments.own.conftest import log_of, notebook, run_job, until_jobs_ended
from tests.environments.own.test_jobs import SAY, edit_one_file, printed

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]
EXACT = RerunRequest(exact=True)


@pytest.fixture
def first(bench: Workbench, one: Path, tmp_path: Path) -> JobRecord:
    """A job that ran in the first state of the environment ``one``."""
    source = notebook(tmp_path / "a.ipynb", SAY)
    record = run_job(bench, JobRequest(source=str(source), environment="one"))
    assert record.state == "succeeded", record.reason
    return record


def run_exactly(bench: Workbench, job: str) -> JobRecord:
    again = bench.submission.rerun(job, EXACT)
    until_jobs_ended(bench)
    record = bench.store.get(again.id)
    assert record.state == "succeeded", (record.reason, log_of(bench, again.id))
    verdict = bench.actions.details(again.id).verdict
    assert verdict is not None
    assert verdict.same is True, verdict
    return record


def test_the_recorded_state_runs_although_the_environment_has_changed(
    bench: Workbench, one: Path, first: JobRecord, done: Done
) -> None:
    done(Alter(name="one", add=("greeting=2.0",)))
    record = run_exactly(bench, first.id)
    assert printed(record).split() == [str(one), "1.0"]
    assert record.environment == first.environment


def test_a_deleted_environment_is_built_again_from_the_jobs_own_lock(
    bench: Workbench, one: Path, first: JobRecord
) -> None:
    bench.own.delete("one")
    assert not one.exists()
    record = run_exactly(bench, first.id)
    assert printed(record).split() == [str(one), "1.0"]
    assert "installed again from its lock" in log_of(bench, record.id)


def test_edited_files_are_refused(bench: Workbench, one: Path, first: JobRecord) -> None:
    edit_one_file(one)
    with pytest.raises(Refused) as refused:
        bench.submission.rerun(first.id, EXACT)
    assert refused.value.code == "not-exact"
    assert "greeting.py was changed" in refused.value.text


def test_a_lock_that_was_touched_in_the_bundle_is_refused(
    bench: Workbench, first: JobRecord
) -> None:
    lock = bench.folders.bundle(first.id) / "conda-lock.yml"
    lock.write_text(lock.read_text().replace("greeting", "greetinG"))
    with pytest.raises(Refused) as refused:
        bench.submission.rerun(first.id, EXACT)
    assert "conda-lock.yml is not what was captured" in refused.value.text
