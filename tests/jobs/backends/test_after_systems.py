"""Jobs that come after others, on every real system; on Slurm by its own dependencies."""

from __future__ import annotations

import time

import pytest

from tests.jobs.backends.desk import Desk, texts
from tests.jobs.backends.places import PLACES, Place
from tests.systems import slurm

pytestmark = [pytest.mark.system, pytest.mark.slow]

MAKES, FAILS = "open('made.txt', 'w').write('made')", "1 / 0"


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """A desk at each of the systems, with nothing else waiting there."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


def test_one_job_uses_what_another_made(place: Place) -> None:
    desk = place.desk
    first = desk.submit(desk.held(), MAKES, file="a.py")
    second = desk.submit("print(open('made.txt').read())", file="b.py", after_ok=(first.id,))
    desk.go()
    done = desk.until(second.id, "succeeded")
    assert texts(done.output) == ["made\n"]
    before = desk.bench.store.get(first.id)
    assert before.ended_at is not None
    assert done.started_at is not None
    assert before.ended_at <= done.started_at


def test_one_that_had_to_succeed_did_not(place: Place) -> None:
    desk = place.desk
    first = desk.submit(desk.held(), FAILS, file="a.py")
    never = desk.submit("print('never')", file="b.py", after_ok=(first.id,))
    last = desk.submit("print('last')", file="c.py", after=(first.id,))
    desk.go()
    assert texts(desk.until(last.id, "succeeded").output) == ["last\n"]
    ended = desk.until(never.id, "failed")
    assert ended.reason is not None
    assert ended.reason.code == "dependency-failed"
    assert ended.attempts == 0
    assert place.known(never.id) == 0


def test_slurm_itself_waits_while_nobody_looks(desk: Desk, cluster: slurm.Slurm) -> None:
    first = desk.submit(desk.held(), MAKES, file="a.py")
    second = desk.submit("print('second')", file="b.py", after=(first.id,))
    assert second.backend_id
    told = cluster.call("scontrol", "show", "job", second.backend_id)[1]
    assert f"afterany:{first.backend_id}" in told
    desk.go()
    folder = desk.bench.folders.attempt(second.id, 1)
    until = time.monotonic() + 60
    while not (folder / "end.json").exists():
        assert time.monotonic() < until, desk.story(second.id)
        time.sleep(0.2)
    assert desk.look(second.id).state == "succeeded"


def test_slurm_takes_out_what_never_can_start_while_nobody_looks(
    desk: Desk, cluster: slurm.Slurm
) -> None:
    first = desk.submit(desk.held(), FAILS, file="a.py")
    second = desk.submit("print('never')", file="b.py", after_ok=(first.id,))
    assert second.backend_id
    desk.go()
    until = time.monotonic() + 60
    while "JobState=PENDING" in cluster.call("scontrol", "show", "job", second.backend_id)[1]:
        assert time.monotonic() < until
        time.sleep(0.5)
    ended = desk.until(second.id, "failed")
    assert ended.reason is not None
    assert ended.reason.code == "dependency-failed"


def test_slurm_gets_a_job_that_comes_after_one_of_this_machine_later(desk: Desk) -> None:
    here = desk.backend
    desk.backend = "local"
    first = desk.submit(desk.held(), file="a.py")
    desk.backend = here
    second = desk.submit("print('second')", file="b.py", after=(first.id,))
    assert second.backend_id is None
    desk.go()
    assert desk.until(second.id, "succeeded").backend_id
