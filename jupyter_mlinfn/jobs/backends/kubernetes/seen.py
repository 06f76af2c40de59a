"""One look at the cluster: the jobs, and the pods and workloads where a job's state needs them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from jupyter_mlinfn.jobs.backends.kubernetes import parsing, states, sweeping
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import KubernetesJob, Pod, Workload
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Arrays
from jupyter_mlinfn.model.errors import MlinfnError, Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobId


@dataclass(frozen=True)
class Seen:
    """What Kubernetes says: of jobs, and of the points of sweeps."""

    words: Mapping[JobId, Word]
    elements: Mapping[JobId, Sequence[Element]]


def look(
    calls: Calls,
    selector: str,
    wanted: Collection[JobId],
    kueue: str,
    arrays_of: Callable[[JobId], Arrays],
) -> Seen:
    """What Kubernetes says of the jobs ``wanted``; those it does not know are left out.

    ``kueue`` is the version of its API, empty: there is none; ``arrays_of`` tells which points
    each Job of a sweep has. Raises :class:`Unavailable`.
    """
    try:
        present = [one for one in parsing.jobs(calls.jobs(selector)) if one.job in wanted]
        found = [*current([one for one in present if not one.indexed], wanted).values()]
        found += [one for one in present if one.indexed]
        pods = _pods(calls, selector, found)
        waiting = [job for job in found if job.suspended and job.over is None]
        workloads = _workloads(calls, kueue) if waiting and kueue else ()
        return _told(found, pods, workloads, arrays_of)
    except ValueError as error:
        raise unreadable(error) from error
    except MlinfnError as error:
        raise _not_told(error) from error


def _told(
    jobs: Sequence[KubernetesJob],
    pods: Sequence[Pod],
    workloads: Sequence[Workload],
    arrays_of: Callable[[JobId], Arrays],
) -> Seen:
    by_uid = {one.job_uid: one for one in workloads}
    words: dict[JobId, Word] = {}
    elements: dict[JobId, list[Element]] = {}
    for job in jobs:
        own, workload = [pod for pod in pods if pod.job == job.job], by_uid.get(job.uid)
        word = states.word(job, own, workload, _position(workload, workloads))
        if not job.indexed:
            words[job.job] = word
            continue
        for array in arrays_of(job.job).arrays:
            if array.id == job.name:
                told = sweeping.elements(job, array, own, word)
                elements.setdefault(job.job, []).extend(told)
    return Seen(words, elements)


def current(jobs: Sequence[KubernetesJob], wanted: Collection[JobId]) -> dict[JobId, KubernetesJob]:
    """Of several Jobs of one job the one that counts: one that is not over, else the newest."""
    found: dict[JobId, KubernetesJob] = {}
    for job in sorted(jobs, key=lambda one: (one.over is None, len(one.name), one.name)):
        if job.job in wanted:
            found[job.job] = job
    return found


def unreadable(error: Exception) -> Unavailable:
    """Silence of another kind."""
    text = f"Kubernetes does not answer (its answer cannot be read: {str(error)[:200]})."
    return Unavailable(text, code="kubernetes-silent")


def _not_told(error: MlinfnError) -> MlinfnError:
    """A right that is missing, or a group that is not served now, is silence about the jobs."""
    if isinstance(error, (Refused, Absent)):
        text = f"Kubernetes does not tell how the jobs are: {error.text}"
        return Unavailable(text, code="kubernetes-silent")
    return error


def _pods(calls: Calls, selector: str, jobs: Collection[KubernetesJob]) -> tuple[Pod, ...]:
    if not any(not job.suspended or job.over is not None for job in jobs):
        return ()
    return parsing.pods(calls.pods(selector))


def _workloads(calls: Calls, kueue: str) -> tuple[Workload, ...]:
    return parsing.workloads(calls.workloads(kueue))


def _position(one: Workload | None, among: Sequence[Workload]) -> tuple[int, int] | None:
    """Its number among those of the namespace that wait in its queue, and how many these are."""
    if one is None or not one.pending:
        return None
    waiting = [other for other in among if other.queue == one.queue and other.pending]
    ahead = [other for other in waiting if _rank(other) < _rank(one)]
    return len(ahead) + 1, len(waiting)


def _rank(one: Workload) -> tuple[int, str]:
    return -one.priority, one.created.isoformat()
