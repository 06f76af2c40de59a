"""Secrets and notices on real batch systems: from where the job ran, and nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.backends.desk import Desk, texts
from tests.jobs.notices.listening import WebServer, serving
from tests.systems import condor, slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

TOKEN = "tOkEn-for-a-batch-system-0123456789"
USES = (
    "import os; print(len(open(os.environ['BEARER_TOKEN_FILE']).read()))",
    "print(open(os.environ['BEARER_TOKEN_FILE']).read())",
)


@pytest.fixture
def web() -> Iterator[WebServer]:
    server = WebServer()
    with serving(server):
        yield server


def wish(desk: Desk, web: WebServer) -> Desk:
    """The same desk with a secret and a web address."""
    (desk.root / "token").write_text(TOKEN)
    settings = desk.bench.settings
    settings.secrets = {"iam": {"kind": "token", "file": str(desk.root / "token")}}
    settings.webhook_hosts, settings.webhook_private = [web.place], True
    return desk


def found_in(root: Path) -> list[Path]:
    return [
        path for path in root.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]


def check(desk: Desk, web: WebServer, job: str) -> None:
    """It ended by itself, told so by itself, and left nothing."""
    folder = desk.bench.folders.job(job)
    until = time.monotonic() + 90
    while not web.bodies or (folder / "secrets").exists():
        assert time.monotonic() < until, desk.story(job)
        time.sleep(0.2)
    done = desk.until(job, "succeeded")
    assert texts(done.output) == [f"{len(TOKEN)}\n", "***\n"]
    assert web.bodies[0]["job"]["id"] == job
    assert found_in(desk.root) == [desk.root / "token"]
    desk.bench.reconciler.errands.finish(10)
    assert len(web.bodies) == 1


def test_slurm(desk: Desk, cluster: slurm.Slurm, web: WebServer) -> None:
    job = wish(desk, web).submit(
        *USES, desk.held(), secrets=("iam",), notify=(f"http://{web.place}/",)
    )
    desk.until(job.id, "running")
    assert TOKEN not in cluster.call("scontrol", "show", "job", "--details", str(job.backend_id))[1]
    desk.go()
    check(desk, web, job.id)


def test_htcondor(condor_desk: Desk, pool: condor.Condor, web: WebServer) -> None:
    desk = wish(condor_desk, web)
    job = desk.submit(*USES, desk.held(), secrets=("iam",), notify=(f"http://{web.place}/",))
    desk.until(job.id, "running")
    assert TOKEN not in pool.call("condor_q", "-all", "-long")[1]
    desk.go()
    check(desk, web, job.id)
