"""Sweeps on a real Slurm: native arrays, whatever fails, is cancelled, evicted or killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.owing import owed
from tests.jobs.backends.desk import Desk, texts
from tests.jobs.notices.listening import WebServer, serving
from tests.jobs.sweeps.looking import (
    FROM_ENVIRONMENT,
    arrays,
    cancel_in_the_middle,
    cancel_one,
    check_failing,
    ended,
    most_at_once,
    points,
    starts,
    stories,
    submit,
    submit_failing,
    until,
)
from tests.systems.slurm import Slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

DIES = """
import os, signal, sys
from jupyter_mlinfn.jobs.backends.slurm.backend import SlurmBackend
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from jupyter_mlinfn.model.sweeps import Sweep
from jupyter_mlinfn.settings import load_settings
from jupyter_mlinfn.workbench import Workbench

give, given = SlurmBackend.give, []

def dies(self, *rest):
    given.append(give(self, *rest))
    if len(given) == 2:
        os.kill(os.getpid(), signal.SIGKILL)  # Slurm took it, and that is not noted yet
    return given[-1]

SlurmBackend.give, SlurmBackend.largest = dies, lambda self: (2, 2)
request = JobRequest(
    source=sys.argv[1], backend="slurm", sweep=Sweep(raw_axes={"k": "0..4"}),
    resources=Resources(memory=2**29, time=300),
)
Workbench(load_settings()).submission.submit(request)
"""


def test_a_sweep_with_a_failing_point_and_the_rerun_of_it(desk: Desk, cluster: Slurm) -> None:
    job, mended = submit_failing(desk, 7, 5)
    assert job.sweep is not None
    assert job.sweep.points == 7
    told = cluster.call("squeue", "-h", "-r", "-o", "%j")[1].split()
    assert told == [f"mlinfn-{job.id}"] * 7
    check_failing(desk, job.id, mended, 7, 5)


def test_at_most_so_many_run_at_once_also_across_arrays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = desk.bench.backends["slurm"]
    monkeypatch.setattr(type(backend), "largest", lambda _self: (3, 3))
    cell = "import time; time.sleep(1)"
    job = submit(desk, cell, raw_axes={"k": "0..6"}, throttle=2, script=True)
    assert [one.points for one in arrays(desk, job.id).arrays] == ["0-2", "3-5", "6"]
    assert 1 <= most_at_once(desk, job.id, 7) <= 2


def test_a_sweep_cancelled_in_the_middle_and_one_point_of_another(
    desk: Desk, cluster: Slurm
) -> None:
    cancel_in_the_middle(desk, 10, 3)
    assert cluster.call("squeue", "-h")[1] == ""
    cancel_one(desk)


def test_one_element_is_evicted_and_starts_again(desk: Desk, cluster: Slurm) -> None:
    cells = (desk.held(), "print('whole', k)")
    low = {"queue": "opportunistic", "evictable": True, "script": True}
    job = submit(desk, *cells, raw_axes={"k": "0..2"}, **low)
    until(desk, job.id, lambda counts: counts.running == 3)
    number = arrays(desk, job.id).arrays[0].id
    assert cluster.call("scontrol", "requeue", f"{number}_1")[0] == 0
    desk.until_seen(job.id, lambda: starts(desk, job.id).get(1) == 2)
    desk.go()
    done = ended(desk, job.id)
    assert done.state == "succeeded"
    assert starts(desk, job.id) == {0: 1, 1: 2, 2: 1}
    assert [point.attempts for point in points(desk, job.id)] == [1, 2, 1]
    assert texts(points(desk, job.id)[1].output) == ["whole 1\n"]


def test_a_submit_killed_between_two_arrays_loses_no_point_and_starts_none_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(desk.bench.backends["slurm"]), "largest", lambda _self: (2, 2))
    script = desk.work / "study.py"
    script.write_text(f"{FROM_ENVIRONMENT}\nprint(k)\n")
    done = subprocess.run([sys.executable, "-c", DIES, str(script)], timeout=60)
    assert done.returncode == -signal.SIGKILL
    bench = desk.another()
    (record,) = bench.store.page().jobs
    note = arrays(desk, record.id)
    assert [one.id is not None for one in note.arrays] == [True, False, False]
    spec = bench.folders.read_spec(record.id)
    ids = bench.backends["slurm"].submit(spec).split(",")
    assert len(set(ids)) == 3
    assert bench.backends["slurm"].submit(spec).split(",") == ids
    assert ended(desk, record.id).state == "succeeded"
    assert starts(desk, record.id) == dict.fromkeys(range(5), 1)
    bench.store.close()


def test_what_slurm_forgot_is_handed_over_once_more(
    desk: Desk, cluster: Slurm, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = type(desk.bench.backends["slurm"])
    short = {"absent": 1.0, "not-again": 1.0, "no-word": 1.0}
    monkeypatch.setattr(backend, "patience", short)
    saved = cluster.save_state()
    bench = desk.another()
    desk.bench.store.close()
    desk.bench = bench
    job = submit(desk, "print(k)", raw_axes={"k": "0..3"}, queue="closed")
    cluster.crash_to(saved)
    end = time.monotonic() + 30
    while len(arrays(desk, job.id).arrays) == 1 and time.monotonic() < end:
        assert desk.look(job.id).state == "queued"
        time.sleep(0.2)
    note = arrays(desk, job.id)
    assert [(one.points, one.again) for one in note.arrays] == [("0-3", False), ("0-3", True)]
    desk.bench.actions.cancel(job.id)
    assert ended(desk, job.id).state == "cancelled"


def test_parameters_changed_after_the_submit_run_nothing(desk: Desk) -> None:
    job = submit(desk, "print(k)", raw_axes={"k": "0..1"}, queue="normal")
    path = desk.bench.folders.job(job.id) / "points.jsonl"
    path.write_text("".join(json.dumps({"k": 666}) + "\n" for _ in range(2)))
    done = ended(desk, job.id)
    assert done.state == "failed"
    reasons = {point.reason.code for point in points(desk, job.id) if point.reason}
    assert reasons == {"bundle-damaged"}


def test_silence_is_unknown_and_never_an_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    job = submit(desk, desk.held(), "print('whole')", raw_axes={"k": "0..2"}, script=True)
    until(desk, job.id, lambda counts: counts.running == 3)
    before = os.environ["PATH"]
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in (("squeue", "printf 'mlinfn\\0377_[0-4,...]'"), ("sacct", "exit 1")):
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{before}")
    time.sleep(0.6)
    end = time.monotonic() + 3
    while time.monotonic() < end:
        seen = desk.look(job.id)
        assert seen.sweep is not None
        assert (seen.state, seen.sweep.running) == ("running", 3)
        time.sleep(0.3)
    assert seen.unknown_since is not None
    monkeypatch.setenv("PATH", before)
    desk.go()
    done = ended(desk, job.id)
    assert (done.state, done.unknown_since) == ("succeeded", None)


def test_the_last_point_tells_of_the_sweep_while_nobody_looks(desk: Desk) -> None:
    web = WebServer()
    config = desk.root / "config" / "jupyter_mlinfn_config.py"
    told = f"c.Mlinfn.webhook_hosts = ['{web.place}']\nc.Mlinfn.webhook_private = True\n"
    config.write_text(config.read_text() + told)
    desk.bench.store.close()
    desk.bench = desk.another()
    with serving(web):
        to = (f"http://{web.place}/",)
        job = submit(desk, "assert k < 2", raw_axes={"k": "0..2"}, notify=to, script=True)
        limit = time.monotonic() + 120
        while not web.bodies:
            assert time.monotonic() < limit, stories(desk, job.id)
            time.sleep(0.2)
        # the server comes back
        assert ended(desk, job.id).state == "failed"
        desk.until_seen(job.id, lambda: not owed(desk.bench.store.index))
    (body,) = web.bodies
    assert "Of 3 points: 2 succeeded, 1 failed, 0 cancelled." in body["text"]
    seen = desk.bench.store.get(job.id).model_dump(mode="json")
    for name in ("state", "reason", "output", "attempts", "usage"):
        assert body["job"][name] == seen[name], name
