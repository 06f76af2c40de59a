"""Jobs on Kubernetes, in a folder that their pods see too.

A Job's pod runs :mod:`jupyter_mlinfn.jobs.batch` in the image and with the mounts of the template
(see :mod:`.template`). With Kueue the Job is made suspended, and Kueue starts it, takes its place
back and starts it again; without Kueue it starts when the cluster has room.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from jupyter_mlinfn.jobs.backends.arrays import ArrayBackend
from jupyter_mlinfn.jobs.backends.evictable import told_queues
from jupyter_mlinfn.jobs.backends.handing import Handing
from jupyter_mlinfn.jobs.backends.kubernetes import offloading, parsing, room, seen, where
from jupyter_mlinfn.jobs.backends.kubernetes.calls import ACCOUNT, Absent, Calls, Exists
from jupyter_mlinfn.jobs.backends.kubernetes.manifest import Place, labels_of, manifest, sweep
from jupyter_mlinfn.jobs.backends.kubernetes.offer import Offer
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import KubernetesJob
from jupyter_mlinfn.jobs.backends.kubernetes.staging import Staging
from jupyter_mlinfn.jobs.backends.kubernetes.template import Template
from jupyter_mlinfn.jobs.backends.kubernetes.where import Where
from jupyter_mlinfn.jobs.backends.limits import WIDEST
from jupyter_mlinfn.jobs.backends.protocol import BackendContext, Elsewhere, Observation
from jupyter_mlinfn.jobs.backends.told import Doubt, Word
from jupyter_mlinfn.jobs.sweeps.handing import Array, Arrays
from jupyter_mlinfn.model.errors import MlinfnError, Problem, Refused, Unavailable
from jupyter_mlinfn.model.jobs import Forecast, JobId, JobRecord, JobSpec, Resources
from jupyter_mlinfn.model.kubernetes import JOB, NAME, OWNER, owner
from jupyter_mlinfn.model.offer import Queue
from jupyter_mlinfn.model.sweeps import MAX_POINTS

_log = logging.getLogger(__name__)


class KubernetesBackend(ArrayBackend):
    """Implements :class:`~jupyter_mlinfn.jobs.backends.protocol.Backend` for Kubernetes."""

    name: ClassVar[str] = "kubernetes"
    title: ClassVar[str] = "Kubernetes"

    patience: ClassVar[Mapping[Doubt, float]] = {"absent": 3.0, "not-again": 10.0, "no-word": 5.0}
    """A list of Kubernetes is never old."""

    def __init__(self, context: BackendContext) -> None:
        settings = context.kubernetes
        super().__init__(context, poll=settings.poll)
        self._site = settings.options
        self._template_file = settings.template
        self._user = settings.user
        self._brokered = bool(settings.broker)
        # the broker says where pods go, and knows no other site's machines
        self._offload = None if self._brokered else settings.offload
        self._calls = Calls(settings.kubeconfig, settings.namespace, settings.broker)
        self._staging: Staging | None = None
        if settings.staging is not None:
            self._staging = Staging(settings.staging, self._calls, context.folders)
        self._offer = Offer(self._calls, self._site, context.gpu_types)
        self._wanted: frozenset[JobId] = frozenset()
        # a name is taken once: nothing can arrive twice
        self._handing = Handing(self.name, self.title, on_its_way=0.0)

    # --- what there is --------------------------------------------------------------------------

    @property
    def evictable_queues(self) -> tuple[str, ...]:
        """Kueue's queue that the site has for jobs that may be evicted."""
        return told_queues(self._site.get("evictable_queue"))

    def missing(self) -> str:
        """Whether somebody can be asked, and whether it is known how a job's pod looks."""
        if why := self._calls.missing():
            return why
        if not (self._brokered or self._template_file or (ACCOUNT / "token").exists()):
            return (
                "Kubernetes could be asked, but nobody has said in which image jobs run there "
                "(setting kubernetes_template)."
            )
        return self._staging.missing() if self._staging is not None else ""

    def queues(self) -> tuple[Queue, ...]:
        """Kueue's queues of the namespace; none without Kueue."""
        found, default = self._offer.queues(), self._offer.default()
        return room.offered(found, default, self._context.gpu_types)

    def limits(self) -> Resources:
        """The largest quota; all there can be where nobody tells."""
        try:
            return room.limits(self._offer.queues())
        except MlinfnError:
            return WIDEST

    def check(
        self, resources: Resources, queue: str | None = None, charge: str | None = None
    ) -> tuple[Problem, ...]:
        """What can never be had here. A silent Kubernetes is no problem: the job waits for it."""
        if missing := self.missing():
            return (Problem(code="backend-missing", text=missing, field="backend"),)
        if charge is not None and queue is not None and charge != queue:
            text = (
                "On Kubernetes the queue is what pays. Name the queue or whom to charge, not two."
            )
            return (Problem(code="unknown-charge", text=text, field="charge"),)
        try:
            found = self._offer.queues()
            if not self._offer.kueue():
                return self._without_kueue(queue or charge)
        except MlinfnError:
            return ()
        place = queue or charge or self._offer.default()
        return tuple(room.problems(found, resources, place, self._context.gpu_types))

    def forecast(self, resources: Resources, queue: str | None = None) -> Forecast:
        """Whether there is quota now, and how many wait for it. Raises :class:`Unavailable`."""
        here = self._offer.here(queue)
        return room.forecast(here, resources, self._offer.gpu(here, resources))

    @property
    def carries_secrets(self) -> bool:
        """Declared secrets go as a Secret of the job, which its pod alone mounts."""
        return self._staging is not None

    @property
    def travels(self) -> bool:
        """Whether no pod here sees our folders."""
        return self._staging is not None and self._staging.settings.jobs == "all"

    @property
    def sweeps(self) -> bool:
        """A pod of a sweep would need addresses of its own."""
        return not self.travels

    def elsewhere(self) -> Elsewhere | None:
        """What interLink's virtual nodes stand for, where the site lets jobs go there."""
        if self._offload is None:
            return None
        try:
            volumes = offloading.volumes(self._offer.pod(self._template_file))
        except Unavailable:
            volumes = ()  # whoever cannot be asked now is no reason to refuse a job
        return Elsewhere(tuple(self._offload.folders), volumes, staged=self._staging is not None)

    # --- jobs -----------------------------------------------------------------------------------

    def query(self, records: Sequence[JobRecord]) -> Mapping[JobId, Observation]:
        """As for every system; of jobs given to another cluster nothing is said."""
        now = self._now()
        here = [one for one in records if not self._is_elsewhere(one, now)]
        self._wanted = frozenset(one.id for one in here)
        return super().query(here)

    def _words(self, records: Sequence[JobRecord]) -> Mapping[JobId, Word]:
        kueue = self._offer.kueue()
        found = seen.look(self._calls, self._selector(), self._wanted, kueue, self._arrays_of)
        self._elements = found.elements
        if self._staging is not None:
            self._unsaid = frozenset(self._staging.look(records, found.words))
            return self._staging.settled(records, found.words)
        return found.words

    def _find(self, spec: JobSpec, *, going: bool) -> str | None:
        mine = [one for one in self._named(spec) if one.token == spec.token]
        if going:  # what is over is what is handed over again
            mine = [one for one in mine if one.over is None and not one.deleting]
        found = seen.current(mine, {spec.id}).get(spec.id)
        return found.name if found else None

    def _give(self, spec: JobSpec, folder: Path) -> str:
        name = _next_name(spec.id, self._note(spec.id).id)
        pod, place, staging = self._pod(spec), self._place(spec), self._staging
        if not place.staged or staging is None:
            return self._make(manifest(name, spec, folder, pod, place), folder, spec.token)
        labels = labels_of(spec, place.owner)
        staging.send(spec.id, name, labels)
        self._make(manifest(name, spec, folder, pod, place), folder, spec.token)
        made = parsing.job(self._calls.job(name))
        its_job = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": made.uid}
        staging.belongs(spec.id, labels, its_job)
        return name

    def _place(self, spec: JobSpec) -> Place:
        """Where this job goes. Raises :class:`Refused`."""
        place, staging = self._offer.place(spec), self._staging
        if staging is None or not (self.travels or (spec.offload and self._offload)):
            return place
        return replace(place, staged=staging.settings.python or sys.executable)

    def _end(self, number: str, *, gently: bool) -> None:
        if not gently:  # our program in the pod sees the word ``cancel`` in the folder
            self._calls.delete(number)

    def cancel(self, record: JobRecord) -> None:
        """As ever; where the job's folder is elsewhere, the word is left there first."""
        if self._staging is not None and self._staging.holds(record.id):
            self._staging.cancel(record.id)
        super().cancel(record)

    def heal(self) -> None:
        """As ever; and nothing stays in the bucket of jobs that are home."""
        super().heal()
        if self._staging is not None:
            unfinished = self._context.store.unfinished
            self._staging.tidy(lambda: [one.id for one in unfinished(self.name)])

    def _ended(self, record: JobRecord, word: Word | None) -> None:
        if word is not None and word.phase == "waits":
            # evicted at its end: Kueue would start it again for nothing
            self._quietly(lambda: self._calls.delete(word.id))
        if self._staging is not None:
            self._staging.remove(record.id)

    def _lost(self, record: JobRecord, doubt: Doubt) -> Observation:
        """Kubernetes forgets no Job: one that is not there was removed by somebody."""
        name = self._note(record.id).id
        if doubt != "absent" or name is None:
            return super()._lost(record, doubt)
        try:
            self._calls.job(name)
        except Absent:
            return self._tell.cancelled(record)
        # it came back into the list, or it has lost the label that finds it
        return Observation(state=record.state, attempt=record.attempts, reason=record.reason)

    # --- sweeps ---------------------------------------------------------------------------------

    def largest(self) -> tuple[int, int]:
        """One Job may have as many points as a sweep may have."""
        return MAX_POINTS, MAX_POINTS

    def give(self, spec: JobSpec, folder: Path, array: Array, token: str, after: str | None) -> str:
        """Make one indexed Job; its name."""
        name = f"{NAME}{spec.id}-a{token.rpartition('.')[2]}"
        pod, place = self._pod(spec), self._offer.place(spec)
        made = sweep(name, spec, folder, pod, place, array, token)
        return self._make(made, folder, token)

    def find(self, spec: JobSpec, token: str) -> str | None:
        """The name of the Job with this token."""
        return next((one.name for one in self._named(spec) if one.token == token), None)

    def _end_elements(self, array: str, indexes: Sequence[int] | None, *, gently: bool) -> None:
        # what runs is told by its folder; what waits finds the word there when it starts
        if indexes is None:
            self._calls.delete(array)

    def _arrays_of(self, job: JobId) -> Arrays:
        return self._arrays.note(self._context.folders.job(job))

    # --- inside ---------------------------------------------------------------------------------

    def _pod(self, spec: JobSpec) -> Template:
        """How the pod of this job looks. Raises :class:`Unavailable`."""
        pod = self._offer.pod(self._template_file)
        return offloading.admitted(pod, self._offload) if spec.offload and self._offload else pod

    def _named(self, spec: JobSpec) -> tuple[KubernetesJob, ...]:
        """All Jobs of one job."""
        labels = f"{self._selector()},{JOB}={spec.id}"
        try:
            return parsing.jobs(self._calls.jobs(labels))
        except ValueError as error:
            raise seen.unreadable(error) from error

    def _make(self, made: Mapping[str, Any], folder: Path, token: str) -> str:
        """Make a Job, or find that it was made before; its name."""
        place, name = self._calls.place, str(made["metadata"]["name"])
        where.note(folder, Where(server=place.server, namespace=place.namespace))
        try:
            self._calls.create(made)
        except Exists:
            self._must_be_ours(name, token)
        except Absent as error:
            text = f"Kubernetes does not take this job: {error.text}."
            raise Refused(text, code="refused-by-system") from error
        return name

    def _must_be_ours(self, name: str, token: str) -> None:
        """An earlier call made it. Raises :class:`Refused` when it is somebody else's."""
        if parsing.job(self._calls.job(name)).token != token:
            text = f"There is another job called {name} in this namespace already."
            raise Refused(text, code="refused-by-system")

    def _selector(self) -> str:
        """Selects all jobs and pods of the person. Raises :class:`Unavailable`."""
        return f"{OWNER}={self._calls.owner or owner(self._user)}"

    def _now(self) -> Where | None:
        """Where jobs go now; ``None`` while nobody tells."""
        try:
            place = self._calls.place
        except Unavailable:
            return None
        return Where(server=place.server, namespace=place.namespace)

    def _is_elsewhere(self, record: JobRecord, now: Where | None) -> bool:
        """Whether the job was given to another cluster or namespace than the one of now."""
        told = where.noted(self._context.folders.job(record.id))
        return told is not None and now is not None and told != now

    def _without_kueue(self, queue: str | None) -> tuple[Problem, ...]:
        if queue is None:
            return ()
        text = "This cluster has no Kueue, so there are no queues. Leave it out."
        return (Problem(code="unknown-queue", text=text, field="queue"),)

    def _quietly(self, do: Callable[[], None]) -> None:
        """What may fail without harm: the system clears up by itself later."""
        try:
            do()
        except MlinfnError as error:
            _log.info("Kubernetes was not told: %s", error)


def _next_name(job: JobId, before: str | None) -> str:
    """``mlinfn-<id>``, then ``mlinfn-<id>-2``, …"""
    if before is None:
        return NAME + job
    number = before.removeprefix(f"{NAME}{job}").removeprefix("-")
    return f"{NAME}{job}-{int(number) + 1 if number.isdecimal() else 2}"
