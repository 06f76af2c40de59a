"""The small detached program that starts waiting jobs on this machine, also without a server.

One per person and data folder (a lock says so). Started by whoever submits, and by any supervisor
that misses it; ends when nothing waits or runs. It may be killed at any moment.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.backends import attempts, starting
from jupyter_mlinfn.jobs.backends.capacity import measure
from jupyter_mlinfn.jobs.backends.local import free_accelerators
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Observation
from jupyter_mlinfn.jobs.errands import Errands
from jupyter_mlinfn.jobs.sweeps.following import as_record
from jupyter_mlinfn.jobs.sweeps.recorded import with_values
from jupyter_mlinfn.jobs.waking import LOG, drain, given_lock, listen, take_lock
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import ENDED, JobRecord, Reason
from jupyter_mlinfn.process.detach import collect
from jupyter_mlinfn.process.identity import this_machine

LINGER = 5.0
_LOOK_EVERY = 1.0
_SETTLES_WITHIN = 2.0
_MAX_PAUSE = 60.0
_DEVICES_EVERY = 5.0
_LARGEST_LOG = 2**20
_MANY = 200
_MAX_ATTEMPTS = 10

_Key = tuple[str, int | None, int]
"""Job, point of a sweep, attempt."""

_log = logging.getLogger(__name__)


def run(context: BackendContext, *, linger: float = LINGER) -> None:
    """Dispatch until nothing has waited or run for ``linger`` seconds; at once when one lives."""
    context.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = given_lock(os.environ)
    if lock is None:
        lock = take_lock(context.state_dir)
    while lock is not None:
        _rotate(context.state_dir / LOG)
        logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
        pipe = listen(context.state_dir)
        dispatcher = Dispatcher(context, pipe)
        signal.signal(signal.SIGTERM, dispatcher.end)
        dispatcher.work(linger)
        os.close(pipe)
        os.close(lock)
        # whoever submitted just before the lock was given up saw a living dispatcher
        if dispatcher.ending or not context.store.unfinished(starting.BACKEND):
            return
        lock = take_lock(context.state_dir)


class Dispatcher:
    """The loop. Everything it knows is in the index and the job folders."""

    def __init__(self, context: BackendContext, pipe: int) -> None:
        self.context = context
        self.ending = False
        self._pipe = pipe
        self._revision = -1
        self._started: dict[_Key, tuple[float, float]] = {}
        self._devices: tuple[float, tuple[FreeAccelerator, ...]] = (0.0, ())
        self._told: set[str] = set()
        self._errands = Errands(context.store, context.folders)

    def end(self, *_: object) -> None:
        """For SIGTERM: end at the next look. Jobs go on; supervisors start another dispatcher."""
        self.ending = True

    def work(self, linger: float) -> None:
        """Look, start, wait, until there has been nothing to do for ``linger`` seconds."""
        idle_since = time.monotonic()
        while not self.ending:
            try:
                if self.look():
                    idle_since = time.monotonic()
            except (MlinfnError, OSError) as error:
                # a locked index or a full disk passes; the jobs that run go on meanwhile
                self._warn(str(error))
                idle_since = time.monotonic()
            if time.monotonic() - idle_since > linger:
                return
            self._wait()

    def look(self) -> bool:
        """One look at everything; whether anything waits or runs."""
        collect()
        active = self.context.store.active(starting.BACKEND)
        self._tend(active)
        self._errands.look()
        store = self.context.store
        waits = bool(store.counts().queued) or store.points.waiting(starting.BACKEND)
        if waits:
            self._start_what_fits()
        return bool(active or waits)

    def _warn(self, text: str) -> None:
        """Log trouble once, not at every look of a life of weeks."""
        if text not in self._told and len(self._told) < _MANY:
            self._told.add(text)
            _log.warning("%s", text)

    def _wait(self) -> None:
        ready, _, _ = select.select([self._pipe], [], [], _LOOK_EVERY)
        if ready:
            drain(self._pipe)

    # --- what runs ------------------------------------------------------------------------------

    def _tend(self, active: list[JobRecord]) -> None:
        """Record what is true of the attempts; have each looked after by a supervisor."""
        seen: dict[str, Observation] = {}
        alive: set[_Key] = set()
        for record in active:
            if record.sweep is not None:
                points = dict(self._points(record, alive))
                seen[record.id] = Observation(state=record.state, points=points)
            elif (told := self._look_at(record, None, alive)) is not None:
                seen[record.id] = told
        self.context.store.observe_all(seen)
        self._started = {key: value for key, value in self._started.items() if key in alive}

    def _points(self, record: JobRecord, alive: set[_Key]) -> Iterator[tuple[int, Observation]]:
        """The points of a sweep that run, each as a job of its own."""
        for point in self.context.store.points.active(record.id):
            one = as_record(record, point)
            if (told := self._look_at(one, point.index, alive)) is not None:
                folder = starting.newest_folder(self.context, one, point.index)
                yield point.index, with_values(told, folder.path)

    def _look_at(
        self, record: JobRecord, point: int | None, alive: set[_Key]
    ) -> Observation | None:
        alive.add((record.id, point, record.attempts))
        folder = starting.newest_folder(self.context, record, point)
        try:
            seen = attempts.observe(folder, record)
            if seen.state in ENDED:
                return seen
            found = attempts.life(folder)
            if found == "returned":
                return self._take_back(record, folder)
            if found == "unsupervised":
                self._supervise(record, folder)
        except OSError as error:
            # one folder on a bad disk must not stop the others
            self._warn(f"Job {record.id} cannot be looked after: {error}")
            return None
        return seen

    def _take_back(self, record: JobRecord, folder: AttemptFolder) -> Observation:
        """Let a job that could not begin wait for another attempt, but not for ever."""
        told = (read_json(folder.returned) or {}).get("reason")
        try:
            reason = Reason.model_validate(told) if told else None
        except ValidationError:
            reason = None
        if record.attempts < _MAX_ATTEMPTS:
            number = record.attempts
            self.context.store.requeue(record.id, number, reason, point=folder.point)
            return Observation(state="queued", attempt=record.attempts, reason=reason)
        text = f"It could not begin {_MAX_ATTEMPTS} times. {reason.text if reason else ''}"
        return Observation(
            state="failed",
            attempt=record.attempts,
            reason=Reason(code="not-started", text=text.strip()),
        )

    def _supervise(self, record: JobRecord, folder: AttemptFolder) -> None:
        """Start a supervisor, ever more seldom where each dies at once.

        Who has just written the claim is about to start one that has its accelerators' locks.
        """
        key = (record.id, folder.point, record.attempts)
        last, pause = self._started.get(key, (0.0, 0.0))
        age = time.time() - folder.claim.stat().st_mtime if folder.claim.exists() else 0.0
        if not last and 0.0 <= age < _SETTLES_WITHIN and folder.claim.exists():
            return
        if time.monotonic() - last < pause:
            return
        if not folder.claim.exists() and not self._write_claim(record, folder.point):
            return
        starting.start_supervisor(folder)
        self._started[key] = (time.monotonic(), min(_MAX_PAUSE, 2 * pause or _SETTLES_WITHIN))

    def _write_claim(self, record: JobRecord, point: int | None) -> bool:
        """Finish what a process began that died between claiming a slot and writing it down."""
        for claim in self.context.store.claims(this_machine().host):
            mine = (record.id, point, record.attempts)
            if (claim.job, claim.point, claim.attempt) == mine:
                starting.write_claim(self.context, claim)
                return True
        reason = Reason(code="not-started", text="The machine stopped before the job could start.")
        self.context.store.requeue(record.id, record.attempts, reason, point=point)
        return False

    # --- what waits -----------------------------------------------------------------------------

    def _start_what_fits(self) -> None:
        """Start jobs in the order of the queue, unless nothing has changed since the last try."""
        revision = self.context.store.revision()
        free = self._free_accelerators()
        if revision == self._revision and not free:
            return
        capacity = measure(self.context.local)
        while starting.start_next(self.context, capacity, free) is not None and not self.ending:
            continue
        self._revision = self.context.store.revision()

    def _free_accelerators(self) -> tuple[FreeAccelerator, ...]:
        """Asked for only when a job wants one, and not at every look."""
        store = self.context.store
        many = store.counts().queued > _MANY
        waiting = store.unfinished(starting.BACKEND)
        if not many and not any(record.resources.gpus for record in waiting):
            return ()
        asked_at, free = self._devices
        if not asked_at or time.monotonic() - asked_at > _DEVICES_EVERY:
            free = free_accelerators(self.context)
            self._devices = (time.monotonic(), free)
        return free


def _rotate(log: Path) -> None:
    """Keep one old log of the dispatcher when the current one has grown large."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        log.replace(log.with_suffix(".log.1"))
