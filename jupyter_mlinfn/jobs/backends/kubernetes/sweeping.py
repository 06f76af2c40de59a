"""What Kubernetes says of the points of a sweep, which is one Indexed Job. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from jupyter_mlinfn.jobs.backends.kubernetes import states
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import KubernetesJob, Pod
from jupyter_mlinfn.jobs.backends.told import Word
from jupyter_mlinfn.jobs.sweeps import ranges
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.jobs import Reason


def elements(job: KubernetesJob, array: Array, pods: Sequence[Pod], whole: Word) -> list[Element]:
    """By point. ``pods`` are the job's, the oldest first; ``whole`` is what is said of the job.

    Kubernetes counts the points of a job from 0, without gaps. Raises ValueError for what it
    tells of them and cannot be read.
    """
    numbers = array.numbers()
    found: list[Element] = []

    def add(positions: Sequence[int], state: str, word: Word) -> None:
        indexes = [numbers[at] - array.offset for at in positions if at < len(numbers)]
        if indexes:
            found.append(Element(job.name, indexes, state, word.phase, partial(_same, word)))

    newest = {pod.index: pod for pod in pods if pod.index is not None and pod.owner == job.name}
    done, failed = _indexes(job.completed), _indexes(job.failed)
    add(done, "completed", states.over(job, None))
    for at in failed:
        add((at,), "failed", states.over(job, newest.get(at)))
    ended = {*done, *failed}
    told = [at for at in newest if at not in ended and at < len(numbers)]
    for at in told:
        word = whole if whole.phase == "over" else states.of_pod(job, newest[at])
        add((at,), f"{word.phase}.{newest[at].name}", word)
    rest = [at for at in range(len(numbers)) if at not in ended and at not in newest]
    add(rest, whole.phase, whole if whole.phase in ("over", "unclear") else _waits(job, whole))
    return found


def _waits(job: KubernetesJob, whole: Word) -> Word:
    """A point that has no pod."""
    if job.suspended and whole.waits is not None:
        return Word(id=job.name, phase="waits", waits=whole.waits)
    text = "Waits for other points of its sweep: so many may run at once."
    return Word(id=job.name, phase="waits", waits=Reason(code="waits-in-queue", text=text))


def _indexes(text: str) -> tuple[int, ...]:
    return ranges.read(text) if text else ()


def _same(word: Word) -> Word:
    return word
