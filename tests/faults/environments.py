"""Kill -9 of the engine at random points: ``python -m tests.faults.environments N [--seed S]``.

Each round starts one task (create, clone, add, remove, go back) and kills its engine, with all its
children, at a random moment. It passes when afterwards the environment is exactly the old one or
the new one (every file as its manifest says, its program runs), the task's end is told truly, and
the next task is not kept out and clears up what was left.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.model.environment_tasks import (
    Alter,
    Clone,
    Create,
    Restore,
    Task,
    TaskRequest,
)
from jupyter_mlinfn.process.locks import held
from tests.channel.build import CACHE
from tests.environments.engine.house import House, run

LONGEST = 1.0
"""Seconds after which the engine is killed at the latest; a task here takes about half of it."""
TRUE_WITHIN = 20.0


class Wrong(AssertionError):
    """A promise was broken."""


class Campaign:
    """Rounds in one data folder: whatever a round leaves, the next one has to live with."""

    def __init__(self, root: Path, channel: Path, seed: int) -> None:
        self.house = House(root / "data", channel.as_uri())
        self.chance = random.Random(seed)
        self.seen: Counter[str] = Counter()
        self.house.create("base", "python", "greeting <2")
        self.house.create("mine", "python", "greeting <2")
        self.house.done(Alter(name="mine", update=("greeting>=2",)))

    def rounds(self, number: int) -> Counter[str]:
        """Run so many; the counts of how they ended. Raises :class:`Wrong`."""
        for one in range(number):
            request = self._request(one)
            moment = self.chance.uniform(0.0, LONGEST)
            print(
                f"round {one}: {request.action} {request.name}, kill after {moment:.3f} s", end=""
            )
            try:
                end = self._round(request, moment)
            except AssertionError as error:
                raise Wrong(f"round {one} ({request}, {moment:.3f} s): {error}") from error
            print(f": {end}", flush=True)
            self.seen[end] += 1
        return self.seen

    def _request(self, number: int) -> TaskRequest:
        mine = self._record("mine")
        assert mine is not None
        greets = "greeting" in self.house.versions("mine")
        choices: list[TaskRequest] = [
            Create(name=f"new-{number}", packages=("python", "greeting <2")),
            Clone(name=f"clone-{number}", source="base"),
            Alter(name="mine", remove=("greeting",))
            if greets
            else Alter(name="mine", add=("greeting",)),
            Restore(name="mine", digest=self.chance.choice(mine.history).digest),
        ]
        return self.chance.choice(choices)

    def _round(self, request: TaskRequest, moment: float) -> str:
        before = self._record(request.name)
        started = time.monotonic()
        task = self.house.tasks.start(request)
        time.sleep(max(0.0, started + moment - time.monotonic()))
        killed = kill_engine(self.house, task)
        after = self._settled(task)
        end = self._judge(request, task, before, after)
        if request.name != "mine" and after is not None:
            self._forget(request.name)
        return f"{end}, {'killed' if killed else 'had ended'}"

    def _settled(self, task: Task) -> EnvironmentRecord | None:
        until = time.monotonic() + TRUE_WITHIN
        while self.house.tasks.read(task.id).state == "running":
            assert time.monotonic() < until, "the task is still shown as running"
            time.sleep(0.05)
        return self._record(task.name)

    def _judge(
        self,
        request: TaskRequest,
        task: Task,
        before: EnvironmentRecord | None,
        after: EnvironmentRecord | None,
    ) -> str:
        result = self.house.finished(task)
        changed = after is not None and any(e.task == task.id for e in after.history)
        assert changed or after == before, "neither old nor new"
        assert result.state in {"succeeded", "interrupted"}, result.text
        nothing_to_do = "Nothing was changed" in result.text
        assert changed or nothing_to_do or result.state == "interrupted", "said to be done"
        if result.state == "interrupted":
            said = "it was done" in result.text
            assert said == changed, f"untrue: {result.text}"
        assert not held(self.house.place(request.name).lock), "a lock that blocks"
        if after is not None:
            self._works(request.name)
        self._next_task(request.name, after)
        return "new" if changed else "old"

    def _works(self, name: str) -> None:
        assert self.house.is_whole(name), "files are not as they were recorded"
        versions = self.house.versions(name)
        if "greeting" in versions:
            told = run(self.house.prefix(name) / "bin" / "greet")
            assert told == f"Hello from greeting {versions['greeting']}", told

    def _next_task(self, name: str, record: EnvironmentRecord | None) -> None:
        """One that takes the lock: it is not kept out, and clears up."""
        if record is not None:
            self.house.done(Restore(name=name, digest=record.digest))
        else:
            self.house.done(Clone(name=name, source="base"))
            self._works(name)
            self._forget(name)
        left = [path for path in self.house.leftovers() if path.parent.name == name]
        assert not left, f"left behind: {left}"

    def _record(self, name: str) -> EnvironmentRecord | None:
        return self.house.record(name) if self.house.place(name).record.exists() else None

    def _forget(self, name: str) -> None:
        import shutil

        shutil.rmtree(self.house.place(name).folder)


def kill_engine(house: House, task: Task) -> bool:
    """Kill the engine of ``task`` and its children; whether there was one."""
    folder = os.fsencode(house.layout.task(task.id))
    victims = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _is(p, folder)]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return bool(victims)


def _is(process: Path, folder: bytes) -> bool:
    try:
        words = (process / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return folder in words or any(word.startswith(folder + b"/") for word in words)


def main() -> int:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        seen = Campaign(Path(folder), CACHE / "small", seed).rounds(given.rounds)
    print(", ".join(f"{number} {end}" for end, number in sorted(seen.items())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
