"""What HTCondor says of the points of sweeps: those in the queue, and those still to come. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from jupyter_mlinfn.jobs.backends.htcondor import states
from jupyter_mlinfn.jobs.backends.htcondor.parsing import Cluster, CondorJob
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array, Arrays
from jupyter_mlinfn.model.jobs import JobId, Reason


def elements(
    found: Iterable[CondorJob], clusters: Iterable[Cluster], note: Callable[[JobId], Arrays]
) -> dict[JobId, list[Element]]:
    """By job. ``note`` tells which points its clusters have."""
    told: dict[JobId, list[Element]] = {}
    for one in found:
        if one.point is not None:
            told.setdefault(one.job, []).append(element(one))
    for cluster in clusters:
        if (array := _array(note(cluster.job), str(cluster.cluster))) is not None:
            rest = [number - array.offset for number in array.numbers()[cluster.made :]]
            come = partial(_to_come, str(cluster.cluster))
            more = Element(str(cluster.cluster), rest, "to come", "waits", come)
            told.setdefault(cluster.job, []).append(more)
    return told


def element(job: CondorJob) -> Element:
    """One point that is in the queue, or in the history."""
    word = states.word(job)
    state = f"{job.status}.{job.hold}.{job.starts}.{job.news}"
    return Element(str(job.cluster), (job.point or 0,), state, word.phase, lambda: word)


def by_number(note: Arrays, job: JobId, found: Iterable[CondorJob]) -> dict[int, CondorJob]:
    """The ads of a sweep's points; of one in several clusters the newest cluster counts."""
    newest = note.newest()
    places = {one.id: (position, one) for position, one in enumerate(note.arrays) if one.id}
    told = {}
    for one in found:
        position, array = places.get(str(one.cluster), (-1, None))
        if one.job == job and array is not None and one.point is not None:
            number = one.point + array.offset
            if newest.get(number) == position:
                told[number] = one
    return told


def absent(
    note: Arrays, unfinished: Mapping[int, object], told: Sequence[Element]
) -> dict[str, list[int]]:
    """The indexes, by cluster, of points that have not ended and that nothing is said of."""
    present = {(one.array, index) for one in told for index in one.indexes}
    found: dict[str, list[int]] = {}
    newest = note.newest()
    for number in unfinished:
        array = note.arrays[newest[number]] if number in newest else None
        if array is not None and array.id is not None:
            index = number - array.offset
            if (array.id, index) not in present:
                found.setdefault(array.id, []).append(index)
    return found


def _array(note: Arrays, number: str) -> Array | None:
    return next((one for one in note.arrays if one.id == number), None)


def _to_come(number: str) -> Word:
    text = "Waits for other points of its sweep: so many may wait or run at once."
    return Word(number, "waits", waits=Reason(code="waits-in-queue", text=text))
