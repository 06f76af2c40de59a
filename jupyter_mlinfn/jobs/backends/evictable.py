"""Queues that a site has for jobs that may be evicted: which, the back-end itself says."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jupyter_mlinfn.jobs.backends.protocol import Backend


@runtime_checkable
class HasEvictableQueues(Protocol):
    """A back-end with queues of its own for jobs that may be evicted."""

    @property
    def evictable_queues(self) -> tuple[str, ...]:
        """Their names, the one to take first at the beginning. The system is not asked."""
        ...


def evictable_queues(backend: Backend) -> tuple[str, ...]:
    """The queues of ``backend`` for jobs that may be evicted; none where it names none."""
    return backend.evictable_queues if isinstance(backend, HasEvictableQueues) else ()


def told_queues(queue: str | None) -> tuple[str, ...]:
    """What a setting of one queue, ``None`` or empty for none, says."""
    return (queue,) if queue else ()
