"""Where a job may run: what the submit form offers of the back-ends that can be used here."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from jupyter_mlinfn.jobs.asking import SideBySide
from jupyter_mlinfn.jobs.backends.protocol import Backend, TellsShapes, elsewhere
from jupyter_mlinfn.jobs.choosing import AUTO, LOCAL
from jupyter_mlinfn.jobs.queues import EVERY, OfferedQueues
from jupyter_mlinfn.model.errors import MlinfnError
from jupyter_mlinfn.model.jobs import Forecast, JobRequest, JobSpec, Resources
from jupyter_mlinfn.model.offer import BackendChoice, GpuShape, Queue
from jupyter_mlinfn.model.places import Outlook

_asking: Final[SideBySide[BackendChoice]] = SideBySide()

_log = logging.getLogger(__name__)


def offer(
    backends: Mapping[str, Backend],
    usable: Sequence[str],
    within: float,
    queues: OfferedQueues = EVERY,
) -> tuple[BackendChoice, ...]:
    """What the back-ends named ``usable`` offer, in their order, asked side by side for ``within``
    seconds; of their queues those among ``queues``.

    One that cannot be used here is not among them: ``mlinfn doctor`` names it.
    """
    questions = {name: partial(_choice, backends[name], queues) for name in usable}
    said = _asking.ask(questions, within)
    return tuple(said.get(name) or _mute(backends[name]) for name in usable)


def last_place(last: JobRequest, choices: Sequence[BackendChoice]) -> dict[str, str | None]:
    """``backend``, ``queue`` and ``charge`` as used last, as far as they are still offered."""
    choice = _named(last.backend, choices)
    if choice is None:
        known = last.backend == AUTO
        return {"backend": AUTO, "queue": None, "charge": last.charge if known else None}
    # a silent system does not tell its queues: what was chosen stays chosen
    known = choice.limits is None or last.queue in {queue.name for queue in choice.queues}
    return {
        "backend": last.backend,
        "queue": last.queue if known else None,
        "charge": last.charge,
    }


def limits_at(name: str, choices: Sequence[BackendChoice], allowed: Collection[str]) -> Resources:
    """The most one job may ask for at ``name``; while that is silent, on this machine.

    For the automatic choice the most of each that any place of ``allowed`` has.
    """
    if name == AUTO:
        there = [one.limits for one in choices if one.limits and one.name in allowed]
        most = {
            field: max((getattr(one, field) for one in there), default=None)
            for field in ("cpus", "memory", "gpus", "time")
        }
        return Resources(**{field: value for field, value in most.items() if value is not None})
    for choice in (_named(name, choices), _named(LOCAL, choices)):
        if choice is not None and choice.limits is not None:
            return choice.limits
    return Resources()


def in_its_place(request: JobRequest, spec: JobSpec) -> JobRequest:
    """A recorded request whose place was chosen automatically, with the place that was chosen."""
    if request.backend != AUTO:
        return request
    return request.model_copy(update={"backend": spec.backend, "queue": spec.queue})


def forecast_of(outlook: Outlook | None) -> Forecast | None:
    """What the chosen place says, as a draft tells it."""
    if outlook is None:
        return None
    told = outlook.model_dump(include=set(Forecast.model_fields))
    return Forecast.model_validate(told)


def _named(name: str, choices: Iterable[BackendChoice]) -> BackendChoice | None:
    return next((choice for choice in choices if choice.name == name), None)


def _choice(backend: Backend, offered: OfferedQueues) -> BackendChoice:
    """A back-end as the form shows it; a silent one is shown without what it did not say."""
    queues: tuple[Queue, ...] = ()
    shapes: tuple[GpuShape, ...] = ()
    limits: Resources | None = None
    missing, offloads = "", False
    try:
        offloads = elsewhere(backend) is not None
        queues = offered.among(backend.queues())
        limits = backend.limits()
        shapes = backend.gpu_shapes() if isinstance(backend, TellsShapes) else ()
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
        gpu_shapes=shapes,
        shares_folder=backend.shares_folder,
        offloads=offloads,
    )


def _mute(backend: Backend) -> BackendChoice:
    """A back-end that did not say in time what it offers."""
    return BackendChoice(
        name=backend.name,
        title=backend.title,
        missing=f"{backend.title} does not answer.",
        shares_folder=backend.shares_folder,
    )
