"""Where a job would start first: all places asked side by side, and one chosen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from jupyter_mlinfn.jobs.asking import SideBySide
from jupyter_mlinfn.jobs.backends.protocol import Backend
from jupyter_mlinfn.jobs.queues import EVERY, OfferedQueues
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Problem, Refused
from jupyter_mlinfn.model.jobs import Resources
from jupyter_mlinfn.model.places import Outlook
from jupyter_mlinfn.model.quantities import show_moment

AUTO: Final = "auto"
LOCAL: Final = "local"

WITHIN: Final = 2.0
"""Seconds for all places together: a person waits for the answer."""

_STILL_TRUE: Final = 5.0
"""Seconds for which the answers to a draft count for the submit that follows it."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_log = logging.getLogger(__name__)

Also = Callable[[Backend], Sequence[Problem]]
"""What else speaks against a back-end: something the job needs is not there."""


class Places:
    """The places of this installation. ``preferred``: where the automatic choice may go, the best
    first; empty: everywhere, this machine first. ``within``: seconds they all have to answer.
    ``queues`` are those that may be taken anywhere.
    """

    def __init__(
        self,
        backends: Mapping[str, Backend],
        preferred: Sequence[str] = (),
        *,
        within: float = WITHIN,
        queues: OfferedQueues = EVERY,
    ) -> None:
        self._backends = backends
        self._preferred = tuple(preferred)
        self.within = within
        self.queues = queues
        self._asking: SideBySide[Outlook] = SideBySide()
        self._known: tuple[float, object, dict[str, Outlook]] = (0.0, None, {})

    def usable(self) -> list[str]:
        """The names of the back-ends that can be used here, the preferred first."""
        there = [name for name, backend in self._backends.items() if not backend.missing()]
        return sorted(there, key=self._rank)

    def allowed(self) -> list[str]:
        """Those of them that the automatic choice may take."""
        return [name for name in self.usable() if self._is_allowed(name)]

    def unknown(self) -> list[str]:
        """The names among the preferred that no back-end here has."""
        return [name for name in self._preferred if name not in self._backends]

    def look(
        self,
        asked: Resources,
        queue: str | None,
        charge: str | None,
        also: Also,
        *,
        chosen: str = AUTO,
        names: Collection[str] | None = None,
        recent: bool = False,
        within: float | None = None,
    ) -> tuple[Outlook, ...]:
        """What every place says, in the order of preference; ``names``: only these.

        ``queue`` and ``charge`` were named for ``chosen``: other places are asked without them,
        unless the choice is the automatic one. ``recent``: an answer of a moment ago will do;
        ``within``: seconds for all of them, if not the usual ones.
        """
        key = (asked, queue, charge, chosen)
        told_at, known, outlooks = self._known
        if not (recent and known == key and time.monotonic() - told_at < _STILL_TRUE):
            told_at, outlooks = time.monotonic(), {}
        wanted = [name for name in self.usable() if names is None or name in names]
        questions = {}
        for name in wanted:
            # this machine costs nothing to ask, and what runs here changes by one's own hand
            if name not in outlooks or name == LOCAL:
                here = (queue, charge) if chosen in (AUTO, name) else (None, None)
                backend = self._backends[name]
                questions[name] = partial(self._outlook, backend, asked, *here)
        outlooks = {**outlooks, **self._asking.ask(questions, within or self.within)}
        self._known = (told_at, key, outlooks)
        found = [outlooks.get(name) or self._silent(self._backends[name]) for name in wanted]
        return tuple(_against(one, also(self._backends[one.backend])) for one in found)

    def at_once(
        self, asked: Resources, queue: str | None, charge: str | None, also: Also
    ) -> Outlook | None:
        """What this machine says if the job starts here now and no place is preferred to it: then
        no other can start it earlier, and nobody else needs to be asked."""
        if self.allowed()[:1] != [LOCAL]:
            return None
        backend = self._backends[LOCAL]
        said = _against(self._outlook(backend, asked, queue, charge), also(backend))
        return said if said.ok and said.starts_now else None

    def first(self, outlooks: Sequence[Outlook]) -> Outlook | None:
        """Where it starts first, of the places that may be chosen; ``None``: nowhere it can.

        Of places alike the preferred one; one that tells no time comes after those that do. One
        that is silent is never chosen: nobody knows whether it would take the job.
        """
        there = [one for one in outlooks if one.ok and one.allowed and not one.silent]
        return min(there, key=_when, default=None)

    def _outlook(
        self, backend: Backend, asked: Resources, queue: str | None, charge: str | None
    ) -> Outlook:
        """One back-end's own answer."""
        try:
            queue = self.queues.take(backend, queue)
            if problems := backend.check(asked, queue, charge):
                text = problems[0].text
                return self._of(backend, ok=False, text=text, problems=tuple(problems))
            said = backend.forecast(asked, queue)
        except (InputError, Refused) as error:
            return self._of(backend, ok=False, text=error.text, problems=error.problems)
        except MlinfnError as error:
            return self._of(backend, ok=True, silent=True, text=error.text)
        except Exception:
            # a site's own back-end may fail in any way; the others are asked all the same
            _log.exception("The back-end %s cannot say what it would do", backend.name)
            return self._silent(backend)
        return self._of(
            backend,
            ok=True,
            text=said.text,
            starts_now=said.starts_now,
            expected_start=said.expected_start,
            position=said.position,
        )

    def _silent(self, backend: Backend) -> Outlook:
        text = f"{backend.title} does not answer now. A job submitted there waits until it does."
        return self._of(backend, ok=True, silent=True, text=text)

    def _of(self, backend: Backend, **told: object) -> Outlook:
        own = {"backend": backend.name, "title": backend.title}
        return Outlook.model_validate({**own, "allowed": self._is_allowed(backend.name), **told})

    def _is_allowed(self, name: str) -> bool:
        return not self._preferred or name in self._preferred

    def _rank(self, name: str) -> tuple[int, bool, str]:
        known = self._preferred
        at = known.index(name) if name in known else len(known)
        return at, name != LOCAL, name


def why(chosen: Outlook, outlooks: Sequence[Outlook]) -> str:
    """Which place was chosen, and what the places that people would rather have say."""
    name = "this machine" if chosen.backend == LOCAL else chosen.title
    if chosen.starts_now:
        told = f"Goes to {name}: starts now."
    elif chosen.expected_start is not None:
        when = show_moment(chosen.expected_start, datetime.now(UTC))
        told = f"Goes to {name}: starts first there, about {when}."
    else:
        told = f"Goes to {name}: it would wait, and no place tells an earlier start."
    before = [one for one in outlooks[: outlooks.index(chosen)] if one.allowed]
    return " ".join((told, *(f"{one.title}: {one.text}" for one in before)))


def _against(outlook: Outlook, problems: Sequence[Problem]) -> Outlook:
    if not problems:
        return outlook
    told = outlook.text if outlook.problems else problems[0].text
    every = (*outlook.problems, *problems)
    update = {"ok": False, "starts_now": False, "text": told, "problems": every}
    return outlook.model_copy(update=update)


def _when(outlook: Outlook) -> tuple[int, datetime]:
    if outlook.starts_now:
        return 0, _NEVER
    return (1, outlook.expected_start) if outlook.expected_start else (2, _NEVER)
