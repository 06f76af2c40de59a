"""What only Slurm's accounting knows: how jobs ended that slurmctld has forgotten.

An end is all that is believed of it: a job that slurmctld lost waits or runs there for ever. An
element of an array that was cancelled while it waited leaves no record at all, neither here nor
there, while the rest of its array is known.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_mlinfn.jobs.backends.slurm import states
from jupyter_mlinfn.jobs.backends.slurm.calls import Calls
from jupyter_mlinfn.jobs.backends.slurm.parsing import SlurmJob
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.model.jobs import JobId

_log = logging.getLogger(__name__)

_LONGEST_PAUSE: Final = 60.0

Place = tuple[str, int | None]
"""Slurm's number of a job; of an array with the index of one element."""


@dataclass(frozen=True)
class Told:
    """``ends``: those jobs and elements that are over, by job. ``withdrawn``: the elements that
    left the queue before they began. ``unsaid``: jobs of which only a silent accounting could
    tell."""

    ends: Mapping[JobId, Sequence[SlurmJob]] = field(default_factory=dict)
    withdrawn: Mapping[JobId, Sequence[Element]] = field(default_factory=dict)
    unsaid: frozenset[JobId] = frozenset()


class Accounting:
    """Asks ``sacct``, in one call for all; one that is silent is asked less and less often."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._not_before = 0.0
        self._pause = 0.0

    def tell(
        self,
        asked: Mapping[JobId, Sequence[Place]],
        present: Mapping[JobId, Sequence[SlurmJob]],
        prefix: str,
    ) -> Told:
        """What became of the jobs ``asked`` for, of which slurmctld does not know these places;
        ``present`` is what it does know. Jobs are called ``prefix`` and their id there."""
        if not asked:
            return Told()
        if time.monotonic() < self._not_before:
            return Told(unsaid=frozenset(asked))
        try:
            # an element that waits has no record but that of its array
            known = self._calls.accounted(
                sorted({place[0] for job in asked for place in asked[job]})
            )
        except Unavailable as error:
            _log.warning("Of %d jobs only the accounting could tell: %s", len(asked), error)
            self._pause = min(_LONGEST_PAUSE, max(1.0, 2 * self._pause))
            self._not_before = time.monotonic() + self._pause
            return Told(unsaid=frozenset(asked))
        self._pause = 0.0
        if known is None:
            return Told()
        records = {job: known.get(prefix + job, []) for job in asked}
        ends = {job: [one for one in records[job] if states.phase(one) == "over"] for job in asked}
        withdrawn = {
            job: list(_withdrawn(asked[job], present.get(job, ()), records[job])) for job in asked
        }
        return Told(ends=ends, withdrawn=withdrawn)


def _withdrawn(
    places: Sequence[Place], present: Sequence[SlurmJob], records: Sequence[SlurmJob]
) -> Sequence[Element]:
    """Those elements that slurmctld does not know and that never started, of arrays both know.

    The accounting goes on for a while to say that they wait.
    """
    both = {one.id for one in present} & {one.id for one in records}
    begun = [one for one in records if states.phase(one) != "waits"]
    recorded = {(one.id, index) for one in begun for index in one.indexes or ()}
    gone: dict[str, list[int]] = {}
    for array, index in places:
        if index is not None and array in both and (array, index) not in recorded:
            gone.setdefault(array, []).append(index)
    return [states.withdrawn(array, indexes) for array, indexes in gone.items()]
