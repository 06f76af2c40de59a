"""Kill -9 at random points, again and again: ``python -m tests.faults.campaign N [--seed S]``.

Each round submits one job or several, kills one kind of process (or all at once) at a random moment
of submit, start or run, then looks, as a server would. It passes when nothing was lost, doubled or
stuck, the state was true within ten seconds of the first look, and cancel still worked.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlinfn.jobs.attempt import TOKEN_VARIABLE, read_json
from jupyter_mlinfn.jobs.waking import lives
from jupyter_mlinfn.model.jobs import ACTIVE, ENDED, JobRecord
from jupyter_mlinfn.process import locks, tree
from tests.faults.scene import VICTIMS, Scene

TRUE_WITHIN = 10.0
ENDS_WITHIN = 60.0
LOOK_EVERY = 0.2


class Wrong(AssertionError):
    """A promise was broken: lost, doubled, stuck, untrue."""


def judge_output(record: JobRecord) -> None:
    """What an ended job published is whole or not there. Raises :class:`Wrong`."""
    published = Path(record.output_folder)
    if published.with_name(published.name + ".part").exists():
        raise Wrong(f"{record.id} left a half-published folder")
    if record.state != "succeeded":
        return
    if record.output is None or not Path(record.output).exists():
        raise Wrong(f"{record.id} succeeded; its output {record.output} is not there")
    if record.kind == "notebook":
        cells = json.loads(Path(record.output).read_text())["cells"]
        if "worked" not in str(cells[-1]["outputs"]):
            raise Wrong(f"{record.id} succeeded; its notebook lacks the output")


@dataclass
class Round:
    """What one round does, drawn from the seed.

    The victim is killed ``moment`` (0 to 2 s) after the submit, or, ``after_begin``, at that
    fraction of the time the job's own code takes.
    """

    number: int
    victim: str
    jobs: int
    script: bool
    seconds: float
    moment: float
    pause: float
    cancel: bool
    after_begin: bool
    names: list[str] = field(default_factory=list)

    @classmethod
    def drawn(cls, number: int, victim: str, chance: random.Random) -> Round:
        """The round ``number``: when to kill, with how much going on, and what comes after."""
        return cls(
            number=number,
            victim=victim,
            jobs=chance.choice((1, 1, 2, 3)),
            script=chance.random() < 0.4,
            # some long enough for supervisors and dispatcher to look after each other meanwhile
            seconds=round(chance.uniform(*chance.choice([(0.0, 1.5)] * 4 + [(3.0, 6.0)])), 2),
            moment=round(chance.uniform(0.0, 2.0), 3),
            pause=round(chance.uniform(0.0, 0.5), 2),
            cancel=chance.random() < 0.25,
            after_begin=chance.random() < 0.5,
        )


class Campaign:
    """Rounds on one scene."""

    def __init__(self, root: Path, seed: int, victims: Sequence[str] = tuple(VICTIMS)) -> None:
        self.scene = Scene(root)
        self.seed = seed
        self.chance = random.Random(seed)
        self.victims = tuple(victims)
        self.outcomes: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()

    def run(self, rounds: int, *, tell: bool = False) -> None:
        """All rounds; raises :class:`Wrong` with the round when a promise is broken."""
        for number in range(rounds):
            plan = Round.drawn(number, self.victims[number % len(self.victims)], self.chance)
            try:
                self.round(plan)
            except Wrong as wrong:
                raise Wrong(f"seed {self.seed}, {plan}: {wrong}") from wrong
            if tell:
                print(f"{number + 1}/{rounds} {plan.victim}: {dict(self.outcomes)}", flush=True)

    def round(self, plan: Round) -> None:
        """Submit, kill, look until all is true and over, judge."""
        for index in range(plan.jobs):
            plan.names.append(f"r{plan.number}-{index}")
        sources = [self._source(plan, name) for name in plan.names]
        server = self.scene.serve() if plan.victim == "server" else None
        started = time.monotonic()
        submits: list[Callable[[], object]] = []
        for name, source in zip(plan.names, sources, strict=True):
            if server is not None:
                submits.append(server.submit(source, name).join)
            elif plan.victim in ("submitter", "everything"):
                submits.append(self.scene.submit_elsewhere(source, name).wait)
            else:
                self.scene.bench.submission.submit(self.scene.request(source), name)
        self._kill(plan, started)
        for wait in submits:
            wait()
        time.sleep(plan.pause)
        # who submitted and heard nothing submits again; the same key is the same job
        for name, source in zip(plan.names, sources, strict=True):
            self.scene.bench.submission.submit(self.scene.request(source), name)
        if plan.cancel:
            self._cancel(plan.names[0])
        self._until_over(plan)
        for name in plan.names:
            self._judge(self._record(name), name)

    # --- acts -----------------------------------------------------------------------------------

    def _source(self, plan: Round, name: str) -> Path:
        make = self.scene.script if plan.script else self.scene.notebook
        return make(name, plan.seconds)

    def _kill(self, plan: Round, started: float) -> None:
        """Kill the victim at the planned moment, or as soon as there is one after it."""
        if plan.victim == "submitter":
            # it lives for less than a second, and is gone when the job begins
            time.sleep(max(0.0, started + plan.moment * 0.4 - time.monotonic()))
        elif plan.after_begin:
            self._until_begun(plan.names[0])
            time.sleep(plan.moment * (plan.seconds + 0.3) / 2)
        else:
            time.sleep(max(0.0, started + plan.moment - time.monotonic()))
        until = time.monotonic() + 1.0
        while not (pids := self.scene.target(plan.victim)) and time.monotonic() < until:
            time.sleep(0.01)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                self.killed[plan.victim] += 1
        if plan.victim == "server" and self.scene.server is not None:
            self.scene.server.collect()  # a killed process may still seem to live for a moment

    def _until_begun(self, name: str) -> None:
        until = time.monotonic() + ENDS_WITHIN
        while not self.scene.effects(name).exists() and time.monotonic() < until:
            time.sleep(0.01)

    def _cancel(self, name: str) -> None:
        record = self._record(name)
        if record.state not in ENDED:
            self.scene.bench.actions.cancel(record.id)

    def _record(self, name: str) -> JobRecord:
        record = self.scene.bench.store.by_key(name)
        if record is None:
            raise Wrong(f"{name} is lost: it is not in the index")
        return record

    # --- looks ----------------------------------------------------------------------------------

    def _until_over(self, plan: Round) -> None:
        """Look as a server does; what is said must be true ten seconds after the first look."""
        began = time.monotonic()
        while True:
            if plan.victim == "server":
                self.scene.serve().states()
            else:
                self.scene.contact()
            records = [self._record(name) for name in plan.names]
            if all(record.state in ENDED for record in records):
                return
            waited = time.monotonic() - began
            if waited > TRUE_WITHIN:
                for record in records:
                    self._is_true(record)
            if waited > ENDS_WITHIN:
                raise Wrong(f"stuck: {[(r.id, r.state, r.reason) for r in records]}")
            time.sleep(LOOK_EVERY)

    def _is_true(self, record: JobRecord) -> None:
        """A job said to be active is looked after, or its end is seen at the very next look."""
        if record.state not in ACTIVE or self._looked_after(record):
            return
        self.scene.contact()
        after = self.scene.bench.store.get(record.id)
        if after.state in ACTIVE and not self._looked_after(after):
            raise Wrong(f"{record.id} is said to be {record.state}; nobody looks after it")

    def _looked_after(self, record: JobRecord) -> bool:
        """By its supervisor; while its claim is written, by the dispatcher that gave the slot."""
        folder = self.scene.folder(record)
        if not folder.claim.exists() and lives(self.scene.bench.backend_context.state_dir):
            return True
        return locks.held(folder.supervisor_lock)

    def _judge(self, record: JobRecord, name: str) -> None:
        """Nothing doubled, nothing left behind, and the published output is there once."""
        self.outcomes[f"{record.state}/{record.reason.code if record.reason else 'ok'}"] += 1
        effects = self.scene.effects(name)
        lines = effects.read_text().split("\n")[:-1] if effects.exists() else []
        began = [line for line in lines if line.startswith("began")]
        done = [line for line in lines if line.startswith("done")]
        if len(began) > 1 or len(done) > 1:
            raise Wrong(f"{record.id} ran more than once: {lines}")
        if record.state == "succeeded" and not done:
            raise Wrong(f"{record.id} is said to have succeeded; its code did not finish")
        if done and record.state == "failed" and record.reason is None:
            raise Wrong(f"{record.id} failed without a reason")
        judge_output(record)
        self._judge_processes(record)

    def _judge_processes(self, record: JobRecord) -> None:
        folder = self.scene.folder(record)
        slot = read_json(folder.claim)
        if slot and (left := tree.carrying(TOKEN_VARIABLE, f"{slot['token']}-{slot['attempt']}")):
            raise Wrong(f"{record.id} ended; its processes {left} live")
        if any(claim.job == record.id for claim in self.scene.bench.store.claims(slot_key())):
            raise Wrong(f"{record.id} ended; it still holds a slot")


def slot_key() -> str:
    """The name of this machine in the index."""
    from jupyter_mlinfn.process.identity import this_machine

    return this_machine().host


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--victims", default=",".join(VICTIMS), help="comma-separated")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory(prefix="mlinfn-faults-") as folder:
        campaign = Campaign(Path(folder), seed, given.victims.split(","))
        started = time.monotonic()
        try:
            campaign.run(given.rounds, tell=True)
        finally:
            campaign.scene.end()
    took = time.monotonic() - started
    print(f"seed {seed}: {given.rounds} rounds in {took:.0f} s; 0 lost, 0 doubled, 0 stuck")
    print(f"processes killed: {dict(campaign.killed)}; ends: {dict(campaign.outcomes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
