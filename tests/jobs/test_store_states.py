"""Whatever back-ends say and in whatever order: the index never lies backwards."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from jupyter_mlinfn.jobs.backends.protocol import Capacity, Observation
from jupyter_mlinfn.jobs.store import JobStore
from jupyter_mlinfn.jobs.transitions import may_follow
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED, JobState, Reason
from tests.jobs.workplace import REQUEST, make_spec

pytestmark = pytest.mark.slow

STATES: tuple[JobState, ...] = (
    "queued",
    "starting",
    "running",
    "evicted",
    "succeeded",
    "failed",
    "cancelled",
)
DEVICES = tuple(FreeAccelerator(uuid=f"GPU-{n}", name="fake") for n in range(3))
MACHINE = Capacity(cpus=4, memory=8 * 2**30)
states = st.sampled_from(STATES)
attempts = st.integers(0, 4)


@given(state=states, attempt=attempts, seen=states, number=attempts)
def test_nothing_follows_an_end_or_goes_to_an_older_attempt(
    state: JobState, attempt: int, seen: JobState, number: int
) -> None:
    follows = may_follow(state, attempt, Observation(state=seen, attempt=number))
    if state in ENDED or number < attempt:
        assert not follows
    elif number > attempt:
        assert follows
    if follows and number == attempt and state == "running":
        assert seen not in ("queued", "starting")


class Machine(RuleBasedStateMachine):
    """Jobs of one machine under random claims, observations, requeues and cancels."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = JobStore(Path(self.folder.name, "jobs.sqlite"))
        self.ends: dict[str, str] = {}
        self.numbers: dict[str, int] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(target=jobs, cpus=st.integers(1, 5), gpus=st.integers(0, 3))
    def submit(self, cpus: int, gpus: int) -> str:
        return self.store.insert(make_spec(cpus=cpus, gpus=gpus), REQUEST).id

    @rule(free=st.sets(st.sampled_from(DEVICES)))
    def claim(self, free: set[FreeAccelerator]) -> None:
        claim = self.store.claim("here", MACHINE, tuple(free))
        if claim is not None:
            assert self.store.get(claim.job).state == "starting"
            assert set(claim.accelerators) <= {device.uuid for device in free}

    @rule(job=jobs, state=states, attempt=attempts)
    def observe(self, job: str, state: JobState, attempt: int) -> None:
        self.store.observe(job, Observation(state=state, attempt=attempt))

    @rule(job=jobs, attempt=attempts)
    def requeue(self, job: str, attempt: int) -> None:
        self.store.requeue(job, attempt, None)

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        self.store.mark_cancelling(job)
        self.store.cancel_if_waiting(job, Reason(code="cancelled-by-user", text="You did."))

    @invariant()
    def nothing_goes_backwards(self) -> None:
        for record in self.store.page(limit=200).jobs:
            assert self.ends.get(record.id, record.state) == record.state
            assert record.attempts >= self.numbers.get(record.id, 0)
            self.numbers[record.id] = record.attempts
            if record.state in ENDED:
                self.ends[record.id] = record.state
                assert record.ended_at is not None
                assert not record.cancelling

    @invariant()
    def slots_belong_to_active_jobs_once(self) -> None:
        claims = self.store.claims("here")
        held = [uuid for claim in claims for uuid in claim.accelerators]
        assert len(held) == len(set(held))
        assert sum(claim.cpus for claim in claims) <= MACHINE.cpus
        assert sum(claim.memory for claim in claims) <= MACHINE.memory
        for claim in claims:
            record = self.store.get(claim.job)
            assert record.state in ACTIVE
            active = [a for a in self.store.attempts(claim.job) if a.state in ACTIVE]
            assert len(active) <= 1


def test_the_index_under_random_use() -> None:
    slow = settings(
        max_examples=25,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=slow)
