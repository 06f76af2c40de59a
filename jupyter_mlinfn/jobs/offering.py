"""Where a job may run: what the submit form offers of the back-ends that can be used here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from jupyter_mlinfn.jobs.backends.protocol import Backend
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import JobRequest, Resources
from jupyter_mlinfn.model.offer import BackendChoice, Queue

LOCAL: Final = "local"

_log = logging.getLogger(__name__)


def offer(backends: Mapping[str, Backend]) -> tuple[BackendChoice, ...]:
    """Every back-end that can be used here, this machine first.

    One that cannot is left out: ``mlinfn doctor`` names it.
    """
    here = [backend for backend in backends.values() if not backend.missing()]
    return tuple(map(_choice, sorted(here, key=lambda one: (one.name != LOCAL, one.title))))


def usable(backends: Mapping[str, Backend]) -> list[str]:
    """The names of those back-ends, in alphabetical order."""
    return sorted(name for name, backend in backends.items() if not backend.missing())


def last_place(last: JobRequest, choices: Sequence[BackendChoice]) -> dict[str, str | None]:
    """``backend``, ``queue`` and ``charge`` as used last, as far as they are still offered."""
    choice = _named(last.backend, choices)
    if choice is None:
        return {"backend": LOCAL, "queue": None, "charge": None}
    # a silent system does not tell its queues: what was chosen stays chosen
    known = choice.limits is None or last.queue in {queue.name for queue in choice.queues}
    return {
        "backend": last.backend,
        "queue": last.queue if known else None,
        "charge": last.charge,
    }


def limits_at(name: str, choices: Sequence[BackendChoice]) -> Resources:
    """The most one job may ask for at ``name``; while that is silent, on this machine."""
    for choice in (_named(name, choices), _named(LOCAL, choices)):
        if choice is not None and choice.limits is not None:
            return choice.limits
    return Resources()


def _named(name: str, choices: Iterable[BackendChoice]) -> BackendChoice | None:
    return next((choice for choice in choices if choice.name == name), None)


def _choice(backend: Backend) -> BackendChoice:
    """A back-end as the form shows it; a silent one is shown without what it did not say."""
    queues: tuple[Queue, ...] = ()
    limits: Resources | None = None
    missing = ""
    try:
        queues = backend.queues()
        limits = backend.limits()
    except MlinfnError as error:
        missing = error.text
        _log.info("The back-end %s does not say what it offers: %s", backend.name, error)
    except Exception:
        # a site's own back-end may fail in any way; the others are offered all the same
        missing = f"{backend.title} cannot say what it offers."
        _log.exception("The back-end %s cannot say what it offers", backend.name)
    return BackendChoice(
        name=backend.name,
        title=backend.title,
        missing=missing,
        queues=queues,
        limits=limits,
        shares_folder=backend.shares_folder,
    )
