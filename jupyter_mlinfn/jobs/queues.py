"""Which queues a session offers: those of its profile, where a hub names some. Pure.

A word to people, and no wall: what somebody may use is the batch system's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from jupyter_mlinfn.jobs.backends.evictable import evictable_queues
from jupyter_mlinfn.jobs.backends.protocol import Backend
from jupyter_mlinfn.model.errors import InputError, MlinfnError
from jupyter_mlinfn.model.offer import Queue


@dataclass(frozen=True)
class OfferedQueues:
    """``names`` of any back-end; none: whatever there is.

    A back-end without queues is not touched by this.
    """

    names: tuple[str, ...] = ()

    def among(self, queues: Sequence[Queue]) -> tuple[Queue, ...]:
        """Those of ``queues`` that are offered, in the order of the offer; one is the default."""
        if not self.names:
            return tuple(queues)
        there = {queue.name: queue for queue in queues}
        found = [there[name] for name in self.names if name in there]
        named = next((one.name for one in found if one.default), None)
        first = named or next((one.name for one in found), None)
        return tuple(one.model_copy(update={"default": one.name == first}) for one in found)

    def take(self, backend: Backend, queue: str | None, *, evictable: bool = False) -> str | None:
        """The queue of ``backend`` that a job goes to which named ``queue``; ``None``: the
        back-end's own choice.

        Raises :class:`InputError` (``queue-not-offered``; ``queue-needed`` while a silent system
        does not tell which of the offered ones it has).
        """
        if not self.names or queue in self.names:
            return queue
        try:
            there = backend.queues()
        except MlinfnError as error:
            if queue is None:
                text = f"{backend.title} does not tell its queues now: name one of {self._told()}."
                raise InputError(text, code="queue-needed", field="queue") from error
            raise self._not_offered(queue, self._told()) from error
        if not there:
            return queue
        offered = self.among(there)
        if queue is not None or not offered:
            own = ", ".join(one.name for one in offered) or f"none of {backend.title}"
            raise self._not_offered(queue, own)
        names = [one.name for one in offered]
        for named in evictable_queues(backend) if evictable else ():
            if named in names:
                return named
        return next(one.name for one in offered if one.default)

    def _told(self) -> str:
        return ", ".join(self.names)

    def _not_offered(self, queue: str | None, own: str) -> InputError:
        what = f"the queue {queue!r}" if queue is not None else "a queue there"
        text = f"Your profile does not offer {what}: it offers {own}."
        return InputError(text, code="queue-not-offered", field="queue")


EVERY: Final = OfferedQueues()
