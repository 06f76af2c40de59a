"""What is offered in one namespace: asked now and then, and remembered for a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.backends.kubernetes import parsing, room, seen, template
from jupyter_mlinfn.jobs.backends.kubernetes.calls import Absent, Calls
from jupyter_mlinfn.jobs.backends.kubernetes.manifest import Place
from jupyter_mlinfn.jobs.backends.kubernetes.parsing import LocalQueue
from jupyter_mlinfn.jobs.backends.remembering import Remembered
from jupyter_mlinfn.model.errors import Refused, Unavailable
from jupyter_mlinfn.model.jobs import JobSpec, Resources

_OFFER_FOR: Final = 10.0
_KUEUE_FOR: Final = 300.0


class Offer:
    """``site`` are the settings' defaults, ``sizes`` the bytes of GPUs by the owner's word."""

    def __init__(self, calls: Calls, site: Mapping[str, str], sizes: Mapping[str, int]) -> None:
        self._calls = calls
        self._site = site
        self._sizes = sizes
        self._template: template.Template | None = None
        self._version: tuple[float, str] = (0.0, "")
        self._found = Remembered[tuple[LocalQueue, ...]](self._ask, "kubernetes-silent")

    def kueue(self) -> str:
        """The version of Kueue's API; empty: there is none. Raises :class:`Unavailable`."""
        asked_at, version = self._version
        fresh = _KUEUE_FOR if version else _OFFER_FOR
        if not asked_at or time.monotonic() - asked_at > fresh:
            # a server that has just started may not know its groups yet: Kueue does not go away
            version = self._calls.kueue() or version
            self._version = (time.monotonic(), version)
        return version

    def queues(self) -> tuple[LocalQueue, ...]:
        """The queues of the namespace; none without Kueue. Raises :class:`Unavailable`."""
        return self._found.get()

    def default(self) -> str | None:
        """Where jobs go that name no queue."""
        return room.default_queue(self.queues(), self._site)

    def here(self, queue: str | None) -> LocalQueue | None:
        """The queue of this name, or the default one."""
        named = queue or self.default()
        return next((one for one in self.queues() if one.name == named), None)

    def gpu(self, here: LocalQueue | None, resources: Resources) -> str:
        """The resource such GPUs are called."""
        return room.gpu(here, resources, self._site, self._sizes)

    def place(self, spec: JobSpec) -> Place:
        """Where a job goes. Raises :class:`Refused` where nobody says which queue."""
        if not self.kueue():
            gpu = self._site.get("gpu_resource", room.GPU)
            return Place(queue=None, gpu=gpu, owner=self._calls.owner)
        named = spec.queue or spec.charge
        if named is None and spec.evictable:
            named = self._site.get("evictable_queue")
        here = self.here(named)
        queue = named or (here.name if here else None)
        if queue is None:
            text = "Kueue has no queue of its own choice here. Choose one."
            raise Refused(text, code="queue-needed")
        priority = self._site.get("evictable_priority" if spec.evictable else "priority")
        gpu = self.gpu(here, spec.resources)
        return Place(queue, priority, gpu, owner=self._calls.owner)

    def pod(self, file: str) -> template.Template:
        """How a job's pod looks: as the hub's broker says, as ``file`` says, else as this session's
        own. Raises :class:`Unavailable`."""
        if (told := self._calls.session_pod()) is not None:
            return template.derived(told, template.this_session(told_by_hub=True))
        if file:
            return template.read(Path(file))
        if self._template is None:
            try:
                own = self._calls.pod(os.environ.get("HOSTNAME", ""))
            except (Absent, Refused) as error:
                text = f"This session's own pod cannot be read: {error.text}"
                raise Unavailable(text, code="kubernetes-template") from error
            self._template = template.derived(own, template.this_session())
        return self._template

    def _ask(self) -> tuple[LocalQueue, ...]:
        version = self.kueue()
        if not version:
            return ()
        try:
            behind = self._calls.cluster_queues(version)
            return parsing.local_queues(self._calls.local_queues(version), behind)
        except ValueError as error:
            raise seen.unreadable(error) from error
