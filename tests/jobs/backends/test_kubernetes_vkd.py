"""Jobs that a stand-in for vkd makes on a real Kubernetes with Kueue: what only this way has."""

from __future__ import annotations

import json
import time

import pytest

from jupyter_mlinfn.jobs.backends.kubernetes.vkd import asking, calls
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.backend import VkdBackend
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from tests.jobs.backends.desk import COUNTS_STARTS, Desk, texts
from tests.jobs.sweeps.looking import check_failing, submit, submit_failing
from tests.systems.vkd import TOKEN, Vkd

pytestmark = [pytest.mark.system, pytest.mark.slow]

GIB = 2**30
PATIENT = 180.0
SHORT = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}


def handed_again(desk: Desk, job: str) -> str:
    """The name that the job has when it was handed over (again)."""
    spec = desk.bench.folders.read_spec(job)
    name = desk.bench.backends["kubernetes"].submit(spec)
    desk.bench.store.accepted(job, name)
    return name


def test_the_pod_of_the_session_is_cloned_and_nothing_of_a_person_is_in_it(
    vkd_desk: Desk, vkd: Vkd
) -> None:
    desk = vkd_desk
    cell = "import os; print(os.environ.get('TZ'), os.environ.get('JUPYTERHUB_API_TOKEN'))"
    job = desk.submit(cell, name="Ada's secret name")
    (one,) = next(body for method, _place, body, _headers in vkd.asked if method == "POST")
    assert "Ada" not in json.dumps(one)
    assert desk.bench.folders.read_spec(job.id).token not in json.dumps(one)
    assert TOKEN not in json.dumps(one)
    assert (one["queue"], one["priority"], one["cpu_request"]) == ("shared", "higher", 1)
    done = desk.until(job.id, "succeeded", within=PATIENT)
    assert texts(done.output) == ["Europe/Rome None\n"]
    assert job.backend_id is not None
    assert job.backend_id.startswith(f"ada-mlinfn-{job.id}-")
    assert {place for method, place, *_rest in vkd.asked if method != "GET"} == {"bunshinjobs"}


def test_interactive_work_takes_its_place_and_the_second_attempt_succeeds(
    vkd_desk: Desk, vkd: Vkd
) -> None:
    desk = vkd_desk
    job = desk.submit(*COUNTS_STARTS, cpus=2, evictable=True)
    desk.until(job.id, "running", within=PATIENT)
    desk.until_partial(job.id, ["start 1\n"], PATIENT)
    vkd.begin("interactive", cpus=2, seconds=600)
    evicted = desk.until(job.id, "evicted", within=PATIENT)
    assert evicted.reason is not None
    assert evicted.reason.code == "preempted"
    (made,) = vkd.jobs(job.id)
    assert made["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "lowest"
    vkd.kill("interactive")
    done = desk.until(job.id, "succeeded", within=PATIENT)
    assert (done.attempts, done.evictions, done.backend_id) == (2, 1, job.backend_id)
    assert texts(done.output) == ["start 2\n", "done\n"]


def test_an_answer_that_is_lost_after_vkd_took_the_job_makes_one_job(
    vkd_desk: Desk, vkd: Vkd
) -> None:
    """vkd itself would make a second one of the same request."""
    desk = vkd_desk
    vkd.ill = lambda method, _resource: "lost" if method == "POST" else ""
    job = desk.submit("print(1)", queue="stopped")
    assert (job.state, job.backend_id) == ("queued", None)
    vkd.ill = lambda _method, _resource: ""
    (made,) = vkd.jobs(job.id)
    assert handed_again(desk, job.id) == made["metadata"]["name"]
    assert len(vkd.jobs(job.id)) == 1
    desk.bench.actions.cancel(job.id)
    desk.until(job.id, "cancelled", within=PATIENT)
    assert vkd.known(job.id) == 0


def test_silence_is_unknown_and_never_an_end(
    vkd_desk: Desk, vkd: Vkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each illness lasts longer than any doubt, while one job runs and another one waits."""
    desk = vkd_desk
    waits = desk.submit("print(1)", queue="stopped")
    runs = desk.submit(*COUNTS_STARTS, file="runs.ipynb")
    desk.until(runs.id, "running", within=PATIENT)
    monkeypatch.setattr(VkdBackend, "patience", SHORT)
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 1.0)
    for illness in ("401", "404", "sleeps", "null"):
        vkd.ill = lambda _method, _resource, illness=illness: illness  # type: ignore[misc]
        until = time.monotonic() + 1.5
        while time.monotonic() < until or desk.look(waits.id).unknown_since is None:
            assert desk.look(waits.id).state == "queued"
            assert desk.bench.store.get(runs.id).state == "running"
            assert time.monotonic() < until + 60
    vkd.ill = lambda _method, _resource: ""
    monkeypatch.setattr(calls, "_ANSWERS_WITHIN", 60.0)
    known = desk.bench.store.get
    desk.until_seen(waits.id, lambda: known(waits.id).unknown_since is None, PATIENT)
    for job in (waits, runs):
        desk.bench.actions.cancel(job.id)
        desk.until(job.id, "cancelled", within=PATIENT)


def test_what_left_no_word_of_its_own_is_told_by_its_log_and_what_was_killed_is_cancelled(
    vkd_desk: Desk, vkd: Vkd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VkdBackend, "patience", SHORT)
    desk = vkd_desk
    killed = desk.submit("print(1)", queue="stopped")
    monkeypatch.setattr(asking, "SCRIPT", "echo no such program here >&2; exit 3\n")
    broken = desk.submit("print(2)", file="broken.ipynb")
    done = desk.until(broken.id, "failed", within=PATIENT)
    assert done.reason is not None
    assert done.reason.code == "not-started"
    assert done.reason.text.endswith("Its pod said last: no such program here")
    (made,) = vkd.jobs(killed.id)
    vkd.kill(made["metadata"]["name"])
    gone = desk.until(killed.id, "cancelled", within=PATIENT)
    assert gone.reason is not None
    assert "cancelled in Kubernetes" in gone.reason.text


def test_a_sweep_is_some_jobs_whose_points_end_each_for_itself(vkd_desk: Desk, vkd: Vkd) -> None:
    """Three points, two in a job; and of its status vkd tells the numbers of pods alone."""
    desk = vkd_desk
    vkd.plain = True
    job, mended = submit_failing(desk, 3, 1, memory=256 * 2**20)
    assert len(vkd.jobs(job.id)) == 2
    check_failing(desk, job.id, mended, 3, 1)
    large = submit(desk, "print(k)", raw_axes={"k": "0..1"}, cpus=2, memory=256 * 2**20)
    assert (large.state, large.backend_id) == ("failed", None)
    assert large.reason is not None
    assert "2 points together" in large.reason.text
    throttled = submit(desk, "print(k)", raw_axes={"k": "0..1"}, throttle=1)
    assert throttled.reason is not None
    assert "Leave the throttle out" in throttled.reason.text


def test_the_offer_tells_quotas_and_what_cannot_be_had(vkd_desk: Desk) -> None:
    backend = vkd_desk.bench.backends["kubernetes"]
    queues = {queue.name: queue for queue in backend.queues()}
    assert set(queues) == {"shared", "stopped"}
    shared = queues["shared"]
    assert shared.default
    assert (shared.cpus, shared.memory, shared.gpus) == (3, 6 * GIB, 6)
    assert shared.free is not None
    assert shared.free.cpus == 3
    assert backend.limits().gpus == 1
    assert backend.forecast(Resources()).starts_now
    assert not backend.forecast(Resources(cpus=4)).starts_now
    for asked, code in (
        ({"queue": "night"}, "unknown-queue"),
        ({"queue": "shared", "charge": "stopped"}, "unknown-charge"),
        ({"resources": Resources(gpus=2)}, "asks-too-much"),
        ({"resources": Resources(gpus=1, gpu_model="a100")}, "unknown-gpu-model"),
        ({"resources": Resources(gpus=1, gpu_memory=90 * GIB)}, "asks-too-much"),
    ):
        request = JobRequest(source="x.ipynb", backend="kubernetes", **asked)  # type: ignore[arg-type]
        found = backend.check(request.resources, request.queue, request.charge)
        assert [problem.code for problem in found] == [code]
