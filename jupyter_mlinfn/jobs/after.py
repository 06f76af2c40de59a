"""Jobs that come after other jobs: they are held until those have ended, or never can run.

Only jobs that are there can be named, so no two ever wait for each other. What is said of that
before and while a job waits; :mod:`jupyter_mlinfn.jobs.holding` lets it go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.jobs import ENDED, Forecast, JobRecord, JobSpec
from jupyter_mlinfn.model.wishes import Wishes

if TYPE_CHECKING:
    from jupyter_mlinfn.jobs.backends.protocol import Backend
    from jupyter_mlinfn.jobs.drafting import Prepared
    from jupyter_mlinfn.jobs.store import JobStore

NOT_OK: Final = {"failed": "it failed", "cancelled": "it was cancelled"}


def before(store: JobStore, wishes: Wishes) -> list[JobRecord]:
    """The jobs that come before, as far as they are still in the index."""
    found = []
    for job in dict.fromkeys((*wishes.after, *wishes.after_ok)):
        try:
            found.append(store.get(job))
        except NotFound:
            continue
    return found


def unfinished(store: JobStore, wishes: Wishes) -> list[JobRecord]:
    """Those of :meth:`before` that have not ended."""
    return [one for one in before(store, wishes) if one.state not in ENDED]


def waits_here(store: JobStore, backend: Backend, spec: JobSpec) -> bool:
    """Whether a job that was just committed is not to be handed over now: it is held back, or
    ended already because one before it did not succeed."""
    if not (spec.after or spec.after_ok):
        return False
    going = unfinished(store, spec)  # asked first: they may end meanwhile
    if spec.id in store.still_held():
        return not backend.awaits(going, sweep=bool(spec.points))
    return store.get(spec.id).state in ENDED


def check(store: JobStore, prepared: Prepared) -> None:
    """Add to a draft what is wrong with the jobs it names, and when it will start."""
    wishes = prepared.request
    there = {one.id: one for one in before(store, wishes)}
    for field, named in (("after", wishes.after), ("after_ok", wishes.after_ok)):
        for number, job in enumerate(named):
            _check_one(prepared, f"{field}.{number}", there.get(job), job, ok=field == "after_ok")
    going = [one for one in there.values() if one.state not in ENDED]
    if going and prepared.backend is not None:
        sweep = bool(prepared.points)
        itself = prepared.backend.awaits(going, sweep=sweep)
        prepared.notes.append(_note(prepared.backend.name, prepared.backend.title, going, itself))


def forecast(store: JobStore, wishes: Wishes) -> Forecast | None:
    """When a draft would start that comes after jobs which have not ended; else ``None``."""
    going = unfinished(store, wishes)
    if not going:
        return None
    return Forecast(starts_now=False, text=f"Starts after {_names(going)} has ended.")


def _check_one(
    prepared: Prepared, field: str, record: JobRecord | None, job: str, *, ok: bool
) -> None:
    if record is None:
        text = f"There is no job {job}, so nothing can come after it. Look at the list of jobs."
        prepared.errors.append(InputError(text, code="job-not-found", field=field))
    elif ok and record.state in NOT_OK:
        text = (
            f"The job {record.name} ({job}) had to succeed first, and {NOT_OK[record.state]}: "
            "this one would never start."
        )
        hint = "Name a job that can still succeed, or use --after, which asks only for its end."
        prepared.errors.append(InputError(text, code="dependency-failed", field=field, hint=hint))


def _note(name: str, title: str, going: Sequence[JobRecord], itself: bool) -> str:
    names = _names(going)
    if itself:
        who = "starts it" if name == "local" else "waits for that itself"
        return f"It starts after {names} has ended; {title} {who}, also while nobody looks."
    return (
        f"It waits here, and is given to {title} after {names} has ended: while JupyterLab is "
        "open, or at your next mlinfn command."
    )


def _names(records: Sequence[JobRecord]) -> str:
    first = f"{records[0].name} ({records[0].id})"
    return first if len(records) == 1 else f"the last of {len(records)} jobs, such as {first},"
