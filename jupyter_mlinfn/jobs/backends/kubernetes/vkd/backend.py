"""Jobs that INFN's vkd makes of the session's own pod, in a folder that they see too."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

from jupyter_mlinfn.jobs.backends.arrays import ArrayBackend
from jupyter_mlinfn.jobs.backends.evictable import told_queues
from jupyter_mlinfn.jobs.backends.kubernetes import room, where
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import LocalQueue
from jupyter_mlinfn.jobs.backends.kubernetes.vkd import reading
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.asking import PRIORITIES, bunshin, priority
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.calls import Calls, Gone, silent
from jupyter_mlinfn.jobs.backends.kubernetes.vkd.reading import Ours, VkdJob
from jupyter_mlinfn.jobs.backends.kubernetes.where import Where
from jupyter_mlinfn.jobs.backends.limits import WIDEST
from jupyter_mlinfn.jobs.backends.protocol import (
    BackendContext,
    Elsewhere,
    Observation,
    VkdSettings,
)
from jupyter_mlinfn.jobs.backends.remembering import Remembered
from jupyter_mlinfn.jobs.backends.told import Doubt, Word
from jupyter_mlinfn.jobs.sweeps.following import Element
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.errors import MlinfnError, Problem, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobId, JobRecord, JobSpec, Reason, Resources
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.sweeps import MAX_POINTS
from jupyter_mlinfn.process.redaction import redact

_log = logging.getLogger(__name__)

_NO_LOGS_FOR: Final = 30.0
_LEFT_NO_WORD: Final = frozenset({"not-started", "runner-died"})


class VkdBackend(ArrayBackend):
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` by vkd's REST service."""

    name: ClassVar[str] = "kubernetes"
    title: ClassVar[str] = "Kubernetes"

    patience: ClassVar[Mapping[Doubt, float]] = {"absent": 15.0, "not-again": 30.0, "no-word": 30.0}
    """What vkd tells is a summary: a pod that failed may be followed by another one."""

    def __init__(self, context: BackendContext) -> None:
        settings = context.kubernetes
        super().__init__(context, poll=settings.poll)
        self._vkd = settings.vkd or VkdSettings()
        self._site = settings.options
        self._offload = settings.offload
        self._staged = settings.staging is not None
        self._calls = Calls(self._vkd)
        self._found = Remembered[tuple[LocalQueue, ...]](self._ask_queues, "vkd-silent")
        self._digests: dict[JobId, str] = {}
        self._wanted: Mapping[JobId, JobRecord] = {}
        self._removed: set[JobId] = set()
        self._no_logs_until = 0.0

    # --- what there is --------------------------------------------------------------------------

    @property
    def evictable_queues(self) -> tuple[str, ...]:
        """vkd's queue that the site has for jobs that may be evicted."""
        return told_queues(self._site.get("evictable_queue"))

    def missing(self) -> str:
        """What is wrong with the settings. Nobody is asked."""
        told = [priority(self._vkd, evictable=one) for one in (False, True)]
        for unknown in (one for one in told if one not in PRIORITIES):
            there = ", ".join(PRIORITIES)
            return f"kubernetes_vkd names the priority {unknown!r}. Jobs may have: {there}."
        if self._staged:
            return "Jobs that vkd makes do not travel: leave kubernetes_staging out."
        return self._calls.missing()

    def queues(self) -> tuple[Queue, ...]:
        """The cluster queues with their quotas, and what of them is free."""
        found = self._found.get()
        return room.offered(found, self._default(), self._context.gpu_types)

    def limits(self) -> Resources:
        """The largest quota; all there can be where nobody tells. One job has one GPU."""
        try:
            most = room.limits(self._found.get())
        except MlinfnError:
            most = WIDEST
        return most.model_copy(update={"gpus": min(1, most.gpus)})

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What can never be had here. A silent vkd is no problem: the job waits for it."""
        if missing := self.missing():
            return (Problem(code="backend-missing", text=missing, field="backend"),)
        if charge is not None and queue is not None and charge != queue:
            text = (
                "On Kubernetes the queue is what pays. Name the queue or whom to charge, not two."
            )
            return (Problem(code="unknown-charge", text=text, field="charge"),)
        found = _by_memory_only(resources)
        try:
            queues, default = self._found.get(), self._default()
        except MlinfnError:
            return tuple(found)
        plain = resources.model_copy(update={"gpu_model": None})
        place = queue or charge or default
        return (*found, *room.problems(queues, plain, place, self._context.gpu_types))

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether there is quota now. Raises :class:`Unavailable`."""
        named = queue or self._default()
        here = next((one for one in self._found.get() if one.name == named), None)
        sizes = self._context.gpu_types
        return room.forecast(here, resources, room.gpu(here, resources, self._site, sizes))

    def elsewhere(self) -> Elsewhere | None:
        """What virtual nodes stand for, where the site lets jobs go there."""
        return Elsewhere(tuple(self._offload.folders)) if self._offload is not None else None

    # --- jobs -----------------------------------------------------------------------------------

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """As for every system; of jobs that vkd was not given nothing is said."""
        here = [one for one in records if not self._is_elsewhere(one)]
        self._wanted = {one.id: one for one in here}
        return super().query(here)

    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        wanted = self._wanted
        words: dict[JobId, Word] = {}
        elements: dict[JobId, list[Element]] = {}
        found = [one for one in self._jobs() if one.ours.job in wanted]
        try:
            for one in sorted(found, key=lambda one: (not one.over, one.ours.number)):
                if wanted[one.ours.job].sweep is not None:
                    elements.setdefault(one.ours.job, []).extend(self._of_sweep(one))
                elif one.ours.digest == self._digest(one.ours.job):
                    words[one.ours.job] = reading.word(one)
        except ValueError as error:
            raise silent(f"its answer cannot be read: {error}") from error
        self._elements = elements
        return words

    def _of_sweep(self, one: VkdJob) -> list[Element]:
        arrays = self._arrays.note(self._context.folders.job(one.ours.job)).arrays
        mine = [array for array in arrays if array.id and reading.ours(array.id) == one.ours]
        return [element for array in mine for element in reading.elements(one, array)]

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        return self._named(spec.id, spec.token, going=going)

    def _give(self, spec: JobSpec, folder: Path) -> str:
        before = reading.ours(self._note(spec.id).id or "")
        number = before.number + 1 if before is not None else 1
        return self._make(spec, folder, Ours(spec.id, reading.digest(spec.token), number))

    def _end(self, number: str, *, gently: bool) -> None:
        if not gently:  # our program in the pod sees the word ``cancel`` in the folder
            self._calls.delete(number)
            if (ours := reading.ours(number)) is not None:
                self._removed.add(ours.job)

    def _lasts(self, job: JobId, doubt: Doubt) -> bool:
        """That a job is gone which was removed from here is no doubt."""
        return (doubt == "absent" and job in self._removed) or super()._lasts(job, doubt)

    def _ended(self, record: JobRecord, word: Word | None) -> None:
        self._digests.pop(record.id, None)
        self._removed.discard(record.id)
        if word is not None and word.phase == "waits":
            # evicted at its end: Kueue would start it again for nothing
            self._quietly(lambda: self._calls.delete(word.id))

    def _lost(self, record: JobRecord, doubt: Doubt) -> Observation:
        """vkd forgets no job before its time: one that is not there was removed by somebody."""
        if doubt != "absent" or self._note(record.id).id is None:
            return super()._lost(record, doubt)
        return self._tell.cancelled(record)

    def _observe(self, record: JobRecord, word: Word | None) -> Observation:
        """As ever; of a job that left no word of its own, what its pod said last."""
        seen = super()._observe(record, word)
        if word is None or seen.reason is None or seen.reason.code not in _LEFT_NO_WORD:
            return seen
        if time.monotonic() < self._no_logs_until:
            return seen
        try:
            said = reading.said(self._calls.logs(word.id, self._vkd.container))
        except (MlinfnError, ValueError) as error:
            _log.info("What job %s said last is not known: %s", record.id, error)
            # it may end many jobs in one look, and none of them needs this
            self._no_logs_until = time.monotonic() + _NO_LOGS_FOR
            return seen
        if not said:
            return seen
        text = f"{seen.reason.text} Its pod said last: {redact(said)}"
        return seen.model_copy(update={"reason": Reason(code=seen.reason.code, text=text)})

    # --- sweeps ---------------------------------------------------------------------------------

    def largest(self) -> tuple[int, int]:
        """As the settings say: Kueue starts one vkd job as a whole."""
        return self._vkd.points, MAX_POINTS

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Make one job with as many completions as there are points; its name."""
        if spec.throttle is not None and spec.throttle < spec.points:
            text = "vkd starts all points for which there is room. Leave the throttle out."
            raise Refused(text, code="no-throttle")
        self._must_have_room(spec, len(array.numbers()))
        return self._make(spec, folder, Ours(spec.id, reading.digest(token), 1), array.points)

    def find(self, spec: JobSpec, token: str) -> str | None:
        """The name of the job with this token."""
        return self._named(spec.id, token, going=False)

    def _end_elements(self, array: str, indexes: Sequence[int] | None, *, gently: bool) -> None:
        # what runs is told by its folder; what waits finds the word there when it starts
        if indexes is None:
            self._calls.delete(array)

    # --- inside ---------------------------------------------------------------------------------

    def _jobs(self) -> list[VkdJob]:
        """Raises :class:`Unavailable`: an address that is not there is silence about jobs."""
        try:
            return reading.jobs(self._calls.jobs())
        except (Gone, Refused) as error:
            raise silent(error.text) from error
        except ValueError as error:
            raise silent(f"its answer cannot be read: {error}") from error

    def _named(self, job: JobId, token: str, *, going: bool) -> str | None:
        mine = (job, reading.digest(token))
        found = [one for one in self._jobs() if (one.ours.job, one.ours.digest) == mine]
        found = [one for one in found if not (going and one.over)]
        newest = max(found, key=lambda one: one.ours.number, default=None)
        return newest.name if newest else None

    def _make(self, spec: JobSpec, folder: Path, ours: Ours, points: str = "") -> str:
        """Make a job; the name vkd gave it. One whose answer cannot be read may have been made."""
        asked = bunshin(reading.name(ours), spec, folder, self._queue(spec), self._vkd, points)
        where.note(folder, Where(server=self._calls.place))
        try:
            called = reading.made(self._calls.create(asked))
            if reading.ours(called) != ours:
                raise ValueError("it names another job")
        except Gone as error:
            raise silent(error.text) from error
        except ValueError as error:
            raise silent(f"its answer cannot be read: {error}") from error
        return called

    def _must_have_room(self, spec: JobSpec, many: int) -> None:
        """The points of one vkd job start together or not at all. Raises :class:`Refused` where
        that can never be."""
        asked, queue = spec.resources, self._queue(spec)
        together = {"cpus": many * asked.cpus, "memory": many * asked.memory}
        found = room.problems(
            self._found.get(), asked.model_copy(update=together), queue, self._context.gpu_types
        )
        if many > 1 and found:
            text = (
                f"vkd would start {many} points together: {found[0].text} Ask for less, or have "
                "'points' of kubernetes_vkd set lower."
            )
            raise Refused(text, code="refused-by-system")

    def _queue(self, spec: JobSpec) -> str:
        """Where a job goes. Raises :class:`Refused` where nobody says which queue."""
        named = spec.queue or spec.charge
        if named is None and spec.evictable:
            named = self._site.get("evictable_queue")
        queue = named or self._site.get("queue") or self._default()
        if queue is None:
            raise Refused("vkd has several queues. Choose one.", code="queue-needed")
        return queue

    def _default(self) -> str | None:
        return room.default_queue(self._found.get(), self._site)

    def _ask_queues(self) -> tuple[LocalQueue, ...]:
        try:
            return reading.queues(self._calls.queues(), self._context.gpu_types)
        except (Gone, Refused) as error:
            raise silent(error.text) from error
        except ValueError as error:
            raise silent(f"its answer cannot be read: {error}") from error

    def _digest(self, job: JobId) -> str:
        if job not in self._digests:
            self._digests[job] = reading.digest(self._context.folders.read_spec(job).token)
        return self._digests[job]

    def _is_elsewhere(self, record: JobRecord) -> bool:
        """Whether the job was given to something else than this vkd."""
        told = where.noted(self._context.folders.job(record.id))
        try:
            return told is not None and told != Where(server=self._calls.place)
        except Unavailable:
            return False

    def _quietly(self, do: Callable[[], None]) -> None:
        """What may fail without harm: the system clears up by itself later."""
        try:
            do()
        except MlinfnError as error:
            _log.info("vkd was not told: %s", error)


def _by_memory_only(asked: Resources) -> list[Problem]:
    """What vkd cannot be asked for: it is told an amount of GPU memory, and chooses the GPU."""
    found = []
    if asked.gpus > 1:
        text = f"vkd gives a job one GPU, not {asked.gpus}."
        found.append(Problem(code="asks-too-much", text=text, field="resources.gpus"))
    if asked.gpu_model is not None:
        text = "vkd chooses the GPU by its memory. Ask for GPU memory instead of a model."
        found.append(Problem(code="unknown-gpu-model", text=text, field="resources.gpu_model"))
    return found
