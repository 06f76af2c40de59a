"""Kill -9 on a real batch system: ``python -m tests.faults.batch N --on slurm [--seed S]``.

Each round submits one job and kills who submits at a random moment of that, often submits again
with the same key, as a person does who heard nothing, and often cancels it and kills who cancels.
One in three comes after another, or only when that one succeeded.
All the while two others look, as two servers on one home would, and each is killed every second or
so in the middle of its query. Once in a while the one who is told is a real Jupyter server, which
is killed as a whole. It passes when no job was lost, handed over twice, published twice or stuck,
nothing failed, and every end was in the index ten seconds after it came.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_mlinfn.jobs.attempt import read_json
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.model.jobs import ENDED, JobRecord
from tests.faults.campaign import Wrong, judge_output
from tests.faults.hand import Hand
from tests.faults.scene import Scene
from tests.faults.systems import NAMES, Place, start
from tests.parts import took_part

AT_ONCE = 24
"""So many jobs are under way at once: some wait in the system, some run, and some were killed on
their way there and are looked for before they are handed over again, which takes 40 seconds."""
STUCK_AFTER = 300.0
LOOKS = 0.2


@dataclass
class Job:
    """What was done with one job, and what has to come of it.

    ``heard``: somebody was told that it was taken; ``ended``: that it will be cancelled.
    ``before``: the id of the job it comes after, which has to succeed where ``ok``.
    """

    key: str
    source: Path
    before: str | None = None
    ok: bool = False
    began: float = field(default_factory=time.monotonic)
    heard: bool = False
    asked: bool = False
    ended: bool = False
    id: str | None = None


class Looker(threading.Thread):
    """Looks, dies in the middle, and looks again, until it is told to stop."""

    def __init__(self, log: Path, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._hand = Hand(log)
        self._chance = chance
        self._over = threading.Event()
        self.calm = False
        self.kills = 0
        self.failed: Exception | None = None

    def run(self) -> None:
        try:
            while not self._over.is_set():
                self._hand.do("look", self._life(), all=self._chance.random() < 0.5)
                self.kills += 1
        except Exception as error:  # told by the campaign
            self.failed = error

    def _life(self) -> float:
        """Seconds until it dies; one in three lives long enough to be sure of what it doubts."""
        if self.calm:
            return 3600.0
        long = self._chance.random() < 0.33
        return self._chance.uniform(6.0, 12.0) if long else self._chance.uniform(0.05, 2.0)

    def stop(self) -> None:
        """No more looks, whatever it does."""
        self._over.set()
        self._hand.kill()
        self.join()


class Truth(threading.Thread):
    """Sees when a job has said how it ended, and how long the index takes to say so too."""

    def __init__(self, scene: Scene, within: float) -> None:
        super().__init__(daemon=True)
        self._scene = scene
        self._within = within
        self._over = threading.Event()
        self._ended: dict[str, float] = {}
        self.lags: list[float] = []
        self.late = ""

    def run(self) -> None:
        store, folders = self._scene.bench.store, self._scene.bench.folders
        while not self._over.wait(0.1):
            going = {record.id: record for record in store.unfinished(self._scene.backend)}
            now = time.time()
            for job in self._ended.keys() - going.keys():
                self.lags.append(now - self._ended.pop(job))
            for job, record in going.items():
                if job not in self._ended and (at := _ended_at(folders, record)):
                    self._ended[job] = at
                if now - self._ended.get(job, now) > self._within:
                    self.late = f"{job} ended {now - self._ended[job]:.0f} s ago; {record.state}"

    def stop(self) -> None:
        self._over.set()
        self.join()


def _ended_at(folders: JobFolders, record: JobRecord) -> float | None:
    """When the job wrote down how it ended; ``None``: it has not, or only gave way."""
    for number in folders.attempts(record.id):
        end = folders.attempt(record.id, number) / "end.json"
        if (read_json(end) or {}).get("state") in ENDED:
            return end.stat().st_mtime
    return None


class BatchCampaign:
    """Rounds on one scene. ``true_within``: seconds from an end to the index that says so."""

    def __init__(
        self, root: Path, backend: str, place: Place, seed: int, *, true_within: float = 10.0
    ) -> None:
        os.environ |= place.environment
        only = f"c.Mlinfn.backends = [{backend!r}]\n"
        self.scene = Scene(root, backend, place.settings(root) + only)
        self.place = place
        self.seed = seed
        self.chance = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._truth = Truth(self.scene, true_within)
        self._going: list[Job] = []
        self._hand = Hand(root / "hand.log")
        self._took: dict[str, list[float]] = {"submit": [], "cancel": []}
        self._lookers = [
            Looker(root / f"look-{number}.log", random.Random(seed + number)) for number in (1, 2)
        ]

    def run(self, rounds: int, *, tell: bool = False) -> None:
        """All rounds; raises :class:`Wrong` with seed and job when a promise is broken."""
        for one in (*self._lookers, self._truth):
            one.start()
        try:
            for number in range(rounds):
                self._watch(AT_ONCE - 1)
                self._round(number, served=self.chance.random() < 0.03)
                if tell and number % 10 == 9:
                    print(f"{number + 1}/{rounds}: {self.told()}", flush=True)
            for looker in self._lookers:
                looker.calm = True
            self._watch(0)
        except Wrong as wrong:
            raise Wrong(f"seed {self.seed}: {wrong}") from wrong

    def end(self) -> None:
        """Kill what is left of us; the system stays as it is."""
        for one in (*self._lookers, self._truth):
            if one.is_alive():
                one.stop()
        self._hand.end()
        self.scene.end()

    def told(self) -> str:
        """The figures."""
        kills = self.kills | {"query": sum(looker.kills for looker in self._lookers)}
        lags = sorted(self._truth.lags) or [0.0]
        late = sum(lag > 10 for lag in lags)
        return (
            f"killed: {dict(kills)}; ends: {dict(self.outcomes)}; an end was in the index after "
            f"{statistics.median(lags):.1f} s (median), {lags[-1]:.1f} s (longest), "
            f"{late} of {len(lags)} after more than 10 s"
        )

    # --- acts -----------------------------------------------------------------------------------

    def _round(self, number: int, *, served: bool) -> None:
        chance, name = self.chance, f"r{number}"
        make = self.scene.script if chance.random() < 0.8 else self.scene.notebook
        job = Job(name, make(name, round(chance.uniform(0.0, 1.5), 2)))
        first = [one.id for one in self._going if one.id and one.before is None]
        if first and not served and chance.random() < 0.33:
            job.before, job.ok = chance.choice(first), chance.random() < 0.7
        self._going.append(job)
        if served:
            self._through_a_server(job)
        else:
            job.heard = self._errand("submit", **self._request(job))
        while not job.heard and chance.random() < 0.7:
            job.heard = self._errand("submit", **self._request(job))
        record = self.scene.bench.store.by_key(name)
        if record is not None:
            job.id = record.id
        if job.id is not None and chance.random() < 0.35:
            time.sleep(chance.choice((0.0, chance.uniform(0.0, 3.0))))
            job.asked = True
            job.ended = self._errand("cancel", job=job.id)

    def _request(self, job: Job) -> dict[str, str]:
        request = self.scene.request(job.source)
        if job.before is not None:
            wish = "after_ok" if job.ok else "after"
            request = request.model_copy(update={wish: (job.before,)})
        return {"request": request.model_dump_json(), "key": job.key}

    def _errand(self, errand: str, **given: str) -> bool:
        """Do it, and kill who does it at a random moment or just after; whether it was done."""
        took, chance = self._took[errand], self.chance
        spared = len(took) < 2 or chance.random() < 0.1
        after = None if spared else chance.uniform(0.0, 1.2 * statistics.median(took[-20:]))
        killed, seconds = self._hand.do(errand, after, all=chance.random() < 0.5, **given)
        if killed:
            self.kills[errand] += 1
        elif spared:
            took.append(seconds)
        return not killed

    def _through_a_server(self, job: Job) -> None:
        """POST to a real Jupyter server, which is killed with all it had started."""
        asking = self.scene.serve().submit(job.source, job.key)
        time.sleep(self.chance.uniform(0.0, 0.5))
        assert self.scene.server is not None
        self.scene.server.collect()
        self.kills["server"] += 1
        asking.join()

    # --- looks ----------------------------------------------------------------------------------

    def _watch(self, most: int) -> None:
        """Wait until no more than ``most`` jobs are under way; judge those that are over."""
        while True:
            for looker in self._lookers:
                if looker.failed is not None:
                    raise Wrong(f"who looks failed: {looker.failed}")
            if self._truth.late:
                raise Wrong(self._truth.late)
            for job in list(self._going):
                if self._over(job):
                    self._going.remove(job)
            if len(self._going) <= most:
                return
            time.sleep(LOOKS)

    def _over(self, job: Job) -> bool:
        record = self.scene.bench.store.by_key(job.key)
        if record is None:
            if (job.heard or job.id) and not self._hopeless(job):
                raise Wrong(f"{job.key} is lost: it is not in the index")
            self.outcomes["never submitted"] += 1
            return True
        job.id = record.id
        if record.state in ENDED:
            self._judge(job, record)
            return True
        if time.monotonic() - job.began > STUCK_AFTER:
            raise Wrong(f"{record.id} is stuck: {record.state}, {record.reason}")
        return False

    # --- judgement ------------------------------------------------------------------------------

    def _judge(self, job: Job, record: JobRecord) -> None:
        self.outcomes[record.state] += 1
        copies = self.place.copies()[record.id]
        if copies > 1:
            raise Wrong(f"{record.id} was handed over {copies} times")
        code = record.reason.code if record.reason is not None else ""
        if code == "dependency-failed":
            self.outcomes["never could run"] += 1
            self._judge_never_run(job, record, copies)
        elif record.state == "failed" and code != "environment-mismatch":
            # of this one reason: somebody works on this Python meanwhile
            raise Wrong(f"{record.id} failed, which only we can have caused: {record.reason}")
        if record.state == "cancelled" and not job.asked:
            raise Wrong(f"{record.id} was cancelled by nobody")
        if record.state == "succeeded" and job.before is not None:
            self._judge_order(job, record)
        self._judge_effects(job, record)
        self._judge_published(record)

    def _hopeless(self, job: Job) -> bool:
        """Whether the job it had to succeed after did not: then it is refused, or ends unrun."""
        if not job.ok or job.before is None:
            return False
        return self.scene.bench.store.get(job.before).state in ("failed", "cancelled")

    def _judge_never_run(self, job: Job, record: JobRecord, copies: int) -> None:
        if not self._hopeless(job):
            raise Wrong(f"{record.id} is said to wait for a failed job; {job.before} did not fail")
        if self.scene.effects(job.key).exists():
            raise Wrong(f"{record.id} is said to have never run, and it ran")
        if copies and not self.place.waits_itself:
            raise Wrong(f"{record.id} was handed over, though the one before it did not succeed")

    def _judge_order(self, job: Job, record: JobRecord) -> None:
        assert job.before is not None
        before = self.scene.bench.store.get(job.before)
        if before.state not in ENDED or (job.ok and before.state != "succeeded"):
            raise Wrong(f"{record.id} ran; {before.id}, which comes first, is {before.state}")

    def _judge_effects(self, job: Job, record: JobRecord) -> None:
        effects = self.scene.effects(job.key)
        lines = effects.read_text().split("\n")[:-1] if effects.exists() else []
        began = sum(line.startswith("began") for line in lines)
        done = sum(line.startswith("done") for line in lines)
        if began > 1 or done > 1:
            raise Wrong(f"{record.id} ran more than once: {lines}")
        if record.state == "succeeded" and not done:
            raise Wrong(f"{record.id} is said to have succeeded; its code did not finish")

    def _judge_published(self, record: JobRecord) -> None:
        folders = self.scene.bench.folders
        ends = [
            (read_json(folders.attempt(record.id, number) / "end.json") or {}).get("state")
            for number in folders.attempts(record.id)
        ]
        if ends.count("succeeded") != (record.state == "succeeded"):
            raise Wrong(f"{record.id} is {record.state}; its attempts ended {ends}")
        judge_output(record)


def sample(backend: str, place: Place, root: Path, rounds: int = 6) -> None:
    """A few rounds, for ``make test``: what a loaded machine makes late is no failure here."""
    campaign = BatchCampaign(root, backend, place, seed=2026, true_within=STUCK_AFTER)
    try:
        campaign.run(rounds)
    finally:
        campaign.end()
    assert campaign.kills
    took_part(f"kill -9 on {backend}", f"{rounds} rounds, {campaign.told()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign and print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=200)
    parser.add_argument("--on", choices=NAMES, default="slurm")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--true-within", type=float, default=10.0, help="seconds")
    given = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    place, system = start(given.on)
    try:
        with tempfile.TemporaryDirectory(
            prefix="mlinfn-faults-", ignore_cleanup_errors=True
        ) as folder:
            began = time.monotonic()
            campaign = BatchCampaign(
                Path(folder), given.on, place, seed, true_within=given.true_within
            )
            try:
                campaign.run(given.rounds, tell=True)
            finally:
                campaign.end()
                system.clear()
            took = time.monotonic() - began
        print(f"{given.on}, seed {seed}: {given.rounds} rounds in {took:.0f} s")
        print(f"0 lost, 0 handed over twice, 0 published twice, 0 stuck; {campaign.told()}")
    finally:
        system.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
