"""Gives a draft its place: the one that was named, or where it starts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.jobs.backends.naming import not_here
from jupyter_mlinfn.jobs.backends.protocol import (
    Backend,
    carries_secrets,
    elsewhere,
    travels,
)
from jupyter_mlinfn.jobs.choosing import AUTO, Places, why
from jupyter_mlinfn.jobs.visibility import Need, Sight, needs
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Problem, Refused
from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.model.places import Outlook

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.drafting import Prepared

_MISSING: Final = frozenset({"not-visible", "environment-not-packed", "needs-shared-folder"})
_INPUT: Final = frozenset({"queue", "charge", "resources.gpu_model", "offload"})


class Placing:
    """``data`` is the folder of jobs, which a back-end's machines must see too."""

    def __init__(
        self, backends: Mapping[str, Backend], places: Places, sight: Sight, data: Path
    ) -> None:
        self._backends = backends
        self._places = places
        self._sight = sight
        self._data = data

    def place(self, prepared: Prepared, *, everywhere: bool) -> None:
        """Fill in back-end, outlooks and problems; ``everywhere``: ask also places that the job
        will not go to, so that the person can compare them.

        Raises :class:`PartMissing` for a back-end that is not here.
        """
        named = prepared.request.backend
        if named != AUTO:
            self._check_is_here(named)
        elif len(allowed := self._places.allowed()) == 1:
            named = allowed[0]
        needed = self._needed(prepared)
        if named != AUTO and not everywhere:
            self._take(prepared, named, needed)
            return
        outlooks = self._look(prepared, named, needed, everywhere=everywhere)
        prepared.outlooks = outlooks if everywhere else ()
        if named == AUTO:
            self._choose(prepared, outlooks)
        else:
            outlook = next(one for one in outlooks if one.backend == named)
            prepared.outlook = outlook
            prepared.errors += _errors(outlook.problems)
            prepared.backend = self._backends[named]
        if prepared.backend is not None:
            self._take_queue(prepared, prepared.backend)
            prepared.notes += self._sight.notes(prepared.backend, needed)

    def _look(
        self, prepared: Prepared, named: str, needed: Sequence[Need], *, everywhere: bool
    ) -> tuple[Outlook, ...]:
        request = prepared.request
        also = partial(self._against, prepared, needed)
        asked = (prepared.resources, request.queue, request.charge, also)
        if not everywhere and (here := self._places.at_once(*asked)) is not None:
            return (here,)
        return self._places.look(
            *asked,
            chosen=named,
            names=None if everywhere else self._places.allowed(),
            recent=not everywhere,
            within=prepared.within,
        )

    def _take(self, prepared: Prepared, name: str, needed: Sequence[Need]) -> None:
        """The named place, asked only whether it could ever run the job."""
        backend, request = self._backends[name], prepared.request
        prepared.backend = backend
        self._take_queue(prepared, backend)
        found = [*backend.check(prepared.resources, prepared.queue, request.charge)]
        found += self._against(prepared, needed, backend)
        prepared.errors += _errors(found)

    def _take_queue(self, prepared: Prepared, backend: Backend) -> None:
        request = prepared.request
        try:
            taken = self._places.queues.take(backend, request.queue, evictable=request.evictable)
            prepared.queue = taken
        except InputError as error:
            # a place that was asked in full has told it with its other problems
            if error.code not in {one.code for one in prepared.problems}:
                prepared.errors.append(error)

    def _against(
        self, prepared: Prepared, needed: Sequence[Need], backend: Backend
    ) -> list[Problem]:
        """What speaks against a place though it could run such a job."""
        request = prepared.request
        found = self._sight.problems(backend, needed, prepared.environment)
        if request.offload:
            found += self._sight.problems_elsewhere(backend, needed, prepared.environment)
        refused = (_no_sweeps, _no_offload, _no_secrets)
        return [*found, *(one for check in refused for one in check(request, backend))]

    def _choose(self, prepared: Prepared, outlooks: Sequence[Outlook]) -> None:
        chosen = self._places.first(outlooks)
        if chosen is None:
            allowed = [one for one in outlooks if one.allowed]
            prepared.errors += _errors(_nowhere(allowed, self._places.unknown()))
            return
        prepared.outlook = chosen
        prepared.backend = self._backends[chosen.backend]
        prepared.why = why(chosen, outlooks)

    def _check_is_here(self, name: str) -> None:
        backend = self._backends.get(name)
        absent = backend.missing() if backend else not_here(name, self._backends)
        if absent:
            there = ", ".join(sorted(self._places.usable()))
            raise PartMissing(
                f"{absent} Jobs can go to: {there}.", code="backend-missing", field="backend"
            )

    def _needed(self, prepared: Prepared) -> tuple[Need, ...]:
        if prepared.source is None:
            return ()
        inputs = [one.path for one in prepared.inputs]
        folder = prepared.source.path.parent
        return needs(folder, inputs, prepared.environment, self._data)


def _is_sent(request: JobRequest, backend: Backend) -> bool:
    """Whether the job's folder travels there."""
    return travels(backend) or _is_handed_on(request, backend)


def _is_handed_on(request: JobRequest, backend: Backend) -> bool:
    there = elsewhere(backend) if request.offload else None
    return there is not None and there.staged


def _no_secrets(request: JobRequest, backend: Backend) -> list[Problem]:
    if not request.secrets or not _is_sent(request, backend) or carries_secrets(backend):
        return []
    text = (
        f"{backend.title} sees none of your folders, and what is sent there others could read. "
        "Leave the secrets out and use what you have there, or choose another place."
    )
    return [Problem(code="secrets-stay", text=text, field="secrets.0")]


def _no_sweeps(request: JobRequest, backend: Backend) -> list[Problem]:
    if request.sweep is None or (backend.sweeps and not _is_handed_on(request, backend)):
        return []
    text = f"{backend.title} cannot run sweeps. Choose another place for this one."
    return [Problem(code="no-sweeps", text=text, field="backend")]


def _no_offload(request: JobRequest, backend: Backend) -> list[Problem]:
    """The place that was named must be able to hand it on; it is no reason to choose another."""
    if not request.offload or request.backend != backend.name or elsewhere(backend) is not None:
        return []
    text = f"{backend.title} hands no job on to machines elsewhere here. Leave that out."
    return [Problem(code="no-offload", text=text, field="offload")]


def _nowhere(outlooks: Sequence[Outlook], unknown: Sequence[str]) -> list[Problem]:
    """What every place says, each with its name, and which did not say anything.

    ``unknown``: the names in the setting ``places`` that nothing offered here has.
    """
    found = [
        one.model_copy(update={"text": f"{place.title}: {one.text}"})
        for place in outlooks
        for one in place.problems
    ]
    if silent := [place for place in outlooks if place.silent]:
        names = " and ".join(place.title for place in silent)
        text = (
            f"Whether the job could run elsewhere is not known: {names} cannot be asked now. "
            f"Name the place (--backend {silent[0].backend}), and the job waits for it."
        )
        found.append(Problem(code="place-silent", text=text, field="backend"))
    return found or [
        Problem(
            code="no-place",
            text="No place may be chosen automatically here. Name one, or change the setting "
            f"'places'{_naming(unknown)}.",
            field="backend",
        )
    ]


def _naming(unknown: Sequence[str]) -> str:
    return f", which names only {', '.join(map(repr, unknown))}" if unknown else ""


def _errors(problems: Sequence[Problem]) -> list[MlinfnError]:
    """The problems as errors of the tree: to be corrected, missing, refused."""
    kinds: dict[type[MlinfnError], list[Problem]] = {}
    for one in problems:
        kinds.setdefault(_kind(one), []).append(one)
    return [
        kind(
            "\n".join(one.text for one in found),
            code=found[0].code,
            field=found[0].field,
            hint=found[0].hint,
            problems=found,
        )
        for kind, found in kinds.items()
    ]


def _kind(problem: Problem) -> type[MlinfnError]:
    if problem.code in _MISSING:
        return PartMissing
    return InputError if problem.field in _INPUT or problem.code == "no-place" else Refused
