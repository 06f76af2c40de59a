"""Makes the index say what is true, whoever was killed and whenever.

Any process may call it as often as it likes: observations only move jobs forward, handing a job
over is idempotent by its token, and nothing is done twice.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.accepting import hand_over
from jupyter_mlinfn.jobs.after import unfinished
from jupyter_mlinfn.jobs.backends.protocol import Backend, Observation
from jupyter_mlinfn.jobs.cancelling import cancel
from jupyter_mlinfn.jobs.errands import Errands
from jupyter_mlinfn.jobs.folders import JobFolders
from jupyter_mlinfn.jobs.history import with_losses
from jupyter_mlinfn.model.errors import MlinfnError, NotFound
from jupyter_mlinfn.model.jobs import WAITING, JobId, JobRecord

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.store import JobStore

GARBAGE_SECONDS: Final = 3600.0
"""A folder without commit is left alone so long: its submit may still be going on."""

_SUBMIT_TAKES: Final = timedelta(seconds=10)
_TIDY_EVERY: Final = 60.0
_LONGEST_PAUSE: Final = 60.0

_log = logging.getLogger(__name__)


class Reconciler:
    """Asks every back-end for all its jobs in one query, and heals what a crash left behind."""

    def __init__(
        self, store: JobStore, folders: JobFolders, backends: Mapping[str, Backend]
    ) -> None:
        self._store = store
        self._folders = folders
        self._backends = backends
        self._pauses: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._tidied: float | None = None
        self._held: frozenset[JobId] = frozenset()
        self.errands = Errands(store, folders)

    def run_once(self) -> int:
        """One look at everything; how many jobs changed. Only the store's own errors come out."""
        self._tidy_now_and_then()
        self._held = self._store.still_held()
        self.errands.look()
        return sum(self._look(name, backend) for name, backend in self._backends.items())

    def rebuild(self) -> int:
        """Take jobs into the index that are in the folders only; how many."""
        return self._store.adopt(self._folders, self._strangers())

    def _look(self, name: str, backend: Backend) -> int:
        if time.monotonic() < self._not_before.get(name, 0.0):
            return 0
        records = self._store.unfinished(name)
        if not records:
            return 0
        seen = self._query(name, backend, records)
        changed = self._store.observe_all(seen)
        if name in self._pauses:
            return changed
        for record in records:
            self._heal(backend, record)
        try:
            backend.heal()
        except Exception:
            _log.exception("The back-end %s could not start what waits", name)
        return changed

    def _query(
        self, name: str, backend: Backend, records: Sequence[JobRecord]
    ) -> dict[JobId, Observation]:
        """What the back-end says; about whom it is silent, that it is."""
        try:
            seen = dict(backend.query(records))
            self._pauses.pop(name, None)
            self._not_before.pop(name, None)
        except Exception as error:
            # a site's own back-end may fail in any way; silence never is a failure of the job
            _log.warning("The back-end %s does not answer: %s", name, error)
            pause = min(_LONGEST_PAUSE, 2 * self._pauses.get(name, 0.5))
            self._pauses[name] = pause
            self._not_before[name] = time.monotonic() + pause
            seen = {}
        now = datetime.now(UTC)
        for record in records:
            if record.id in seen:
                seen[record.id] = with_losses(self._folders, record, seen[record.id])
            elif record.backend_id or record.attempts:
                seen[record.id] = Observation(
                    state=record.state, attempt=record.attempts, unknown_since=now
                )
        return seen

    def _heal(self, backend: Backend, record: JobRecord) -> None:
        """Finish what a killed process began: handing over, or cancelling."""
        try:
            if record.cancelling:
                cancel(self._store, self._folders, backend, record)
            elif record.backend_id is None and record.state in WAITING and _is_old(record):
                if record.id in self._held and not self._awaits(backend, record):
                    return
                spec = self._folders.read_spec(record.id)
                hand_over(self._store, backend, spec)
        except NotFound as error:
            _log.warning("Job %s cannot be handed over: %s", record.id, error)
        except MlinfnError as error:
            _log.info("Job %s waits for its back-end: %s", record.id, error)

    def _awaits(self, backend: Backend, record: JobRecord) -> bool:
        # when they ended in this very look, the next one says whether it may run or never can
        going = unfinished(self._store, record)
        return bool(going) and backend.awaits(going, sweep=record.sweep is not None)

    def _strangers(self) -> set[str]:
        """The ids of job folders that have no row."""
        present = self._folders.all()
        return set(present) - self._store.known(present)

    def _tidy_now_and_then(self) -> None:
        now = time.monotonic()
        if self._tidied is not None and now - self._tidied < _TIDY_EVERY:
            return
        self._tidied = now
        self.rebuild()
        for folder in self._folders.garbage(GARBAGE_SECONDS, self._strangers()):
            self._folders.discard(folder)
        self._mark_again()

    def _mark_again(self) -> None:
        """Write the marker of jobs killed between their row's commit and it."""
        waiting = [job.id for name in self._backends for job in self._store.waiting(name)]
        gone = []
        for job in waiting:
            try:
                if not self._folders.committed(job):
                    self._folders.mark_committed(job)
            except FileNotFoundError:
                gone.append(job)
        if gone:
            _log.warning("The folders of %d waiting jobs are gone: %s …", len(gone), gone[0])


def _is_old(record: JobRecord) -> bool:
    # younger ones are just being handed over by who submitted them
    return datetime.now(UTC) - record.submitted_at > _SUBMIT_TAKES
