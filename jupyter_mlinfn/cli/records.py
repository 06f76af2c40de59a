"""Jobs in words and tables: states, progress, times and reasons as people read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from jupyter_mlinfn.cli.evictions import eviction_rows, lost_words
from jupyter_mlinfn.cli.exactness import exact_rows
from jupyter_mlinfn.cli.sweeps import counts_words
from jupyter_mlinfn.cli.terminal import console, inert, table
from jupyter_mlinfn.model.jobs import ENDED, WAITING
from jupyter_mlinfn.model.quantities import show_duration, show_memory

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from jupyter_mlinfn.model.jobs import JobDetails, JobRecord, JobRequest, Progress, Resources
    from jupyter_mlinfn.model.releasing import Amendment

MARKS = {
    "queued": ("◌", "cyan"),
    "starting": ("◔", "cyan"),
    "running": ("●", "green"),
    "evicted": ("◐", "yellow"),
    "succeeded": ("✓", "green"),
    "failed": ("✕", "red"),
    "cancelled": ("–", "dim"),
}
LOCAL = "local"
ROOMY = 110
"""Columns from which a terminal has room for everything."""


def ago(moment: datetime, now: datetime | None = None) -> str:
    """``3 min ago``; the date when it is more than a week."""
    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 1:
        return "just now"
    if seconds > 7 * 86400:
        return f"{moment.astimezone():%Y-%m-%d}"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def clock(moment: datetime | None) -> str:
    """Local date and time with its zone; ``–`` for none."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S %Z}" if moment else "–"


def took(record: JobRecord) -> str:
    """How long it has run, or ran."""
    if record.started_at is None:
        return "–"
    end = record.ended_at or datetime.now(UTC)
    return show_duration(max(0.0, (end - record.started_at).total_seconds()))


def state_words(record: JobRecord) -> str:
    """``running``, or ``cancelling`` until a job that is being cancelled has ended."""
    return "cancelling" if record.cancelling and record.state not in ENDED else record.state


def state_text(record: JobRecord) -> Text:
    """The state with its mark and colour; the word says all that the colour says."""
    from rich.text import Text

    mark, colour = MARKS[record.state]
    if record.unknown_since:
        mark, colour = "?", "yellow"
    return Text(f"{mark} {state_words(record)}", style=colour)


def what_happens(record: JobRecord) -> str:
    """Since when it is unknown, why it is as it is, how far it has come: what there is of it."""
    words = []
    if record.unknown_since:
        words.append(f"unknown since {record.unknown_since.astimezone():%H:%M}")
    if record.sweep and record.state not in (*WAITING, *ENDED):
        words.append(counts_words(record.sweep))
    if record.reason:
        words.append(record.reason.text)
    elif record.progress and record.state not in ENDED:
        words += progress_words(record.progress)
    return inert(" · ".join(words))


def progress_words(progress: Progress) -> Iterator[str]:
    """``cell 7/12``, and the values recorded last or the last line printed."""
    if progress.cells_total:
        cell = min(progress.cells_done + 1, progress.cells_total)
        yield f"cell {cell}/{progress.cells_total}"
    if progress.values:
        yield ", ".join(f"{name}={value}" for name, value in progress.values.items())
    elif progress.last_line:
        yield progress.last_line


def progress_text(record: JobRecord) -> str:
    """One line for somebody who waits: name, state, time, progress."""
    words = [inert(record.name), state_words(record)]
    if record.started_at:
        words.append(took(record))
    if happening := what_happens(record):
        words.append(happening)
    return " · ".join(words)


def shortened(text: str, width: int) -> str:
    """``text`` in at most ``width`` characters; the end counts more than the beginning."""
    return text if len(text) <= width else "…" + text[1 - width :]


def place(record: JobRecord) -> str:
    """``slurm/opportunistic 1234``: back-end, queue, and the number the system itself uses."""
    where = f"{record.backend}/{record.queue}" if record.queue else record.backend
    known = record.backend_id if record.backend_id != record.id else None
    return f"{where} {known}" if known else where


def asked_place(request: JobRequest, backend: str | None) -> str:
    """``slurm/opportunistic, charged to cms``, as far as it was asked for or chosen."""
    name = backend or request.backend
    where = f"{name}/{request.queue}" if request.queue else name
    return f"{where}, charged to {request.charge}" if request.charge else where


def jobs_table(records: Sequence[JobRecord]) -> Table:
    """One row a job; a narrow terminal has no room for since when, nor for where when all are
    on this machine.
    """
    roomy = console().width >= ROOMY
    places = roomy or any(record.backend != LOCAL for record in records)
    more = (*(("WHERE",) if places else ()), *(("SUBMITTED",) if roomy else ()))
    made = table(("JOB", "NAME", "STATE", *more, "TOOK", "NOW"), right=("TOOK",))
    for record in records:
        made.add_row(
            record.id,
            shortened(inert(record.name), 32 if roomy else 16),
            state_text(record),
            *((inert(place(record)),) if places else ()),
            *((ago(record.submitted_at),) if roomy else ()),
            took(record),
            what_happens(record),
        )
    return made


def resources_words(resources: Resources) -> str:
    """``2 CPUs, 8.0 GiB, 1 GPU, at most 8 h``."""
    words = [
        f"{resources.cpus} CPU{'s' * (resources.cpus > 1)}",
        show_memory(resources.memory),
    ]
    if resources.gpus:
        words.append(gpu_words(resources))
    return f"{', '.join(words)}, at most {show_duration(resources.time)}"


def gpu_words(resources: Resources) -> str:
    """``2 GPUs (A100, 40.0 GiB)``."""
    memory = show_memory(resources.gpu_memory) if resources.gpu_memory else None
    of = ", ".join(word for word in (resources.gpu_model, memory) if word)
    return f"{resources.gpus} GPU{'s' * (resources.gpus > 1)}" + (f" ({of})" if of else "")


def detail_rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    """All that people want to know of one job, in the order they ask."""
    record, spec = details.job, details.spec
    yield "Job", f"{record.id}  {record.name}"
    yield "State", state_words(record)
    if happening := what_happens(record):
        yield ("Reason" if record.reason else "Now"), happening
    if record.sweep:
        yield "Points", counts_words(record.sweep)
    yield "Source", record.source
    if record.parameters:
        yield "Parameters", ", ".join(f"{k}={v!r}" for k, v in record.parameters.items())
    locked = "locked" if spec.environment.locked else "inventoried, not locked"
    known = record.environment.digest
    about = f"{known} ({locked})" if known else "(its packages cannot be listed)"
    yield "Environment", f"{record.environment.name}  {about}"
    yield from asking_rows(details)
    if used := used_words(record):
        yield "Used", used
    yield "Where", place(record)
    if record.charge:
        yield "Charged to", record.charge
    yield "Submitted", clock(record.submitted_at)
    yield "Started", clock(record.started_at)
    yield "Ended", clock(record.ended_at)
    yield "Took", took(record)
    yield from eviction_rows(details)
    yield from attempt_rows(details)
    yield "Captured", f"{len(spec.files)} files: {', '.join(file.path for file in spec.files[:8])}"
    yield "Output", record.output or f"{record.output_folder} (when it ends)"
    if details.values:
        yield "Recorded", recorded_words(details.values[-1])
    if record.rerun_of:
        yield "Again of", f"{record.rerun_of}, exactly" if spec.exact else record.rerun_of
    yield from exact_rows(details)


def asking_rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    """What the job asks for; where that was changed, what it asked for at first and each change."""
    if not details.amendments:
        yield "Asked for", resources_words(details.job.resources)
        return
    yield "Asked at first", resources_words(details.spec.resources)
    for one in details.amendments:
        yield "Changed", f"{clock(one.at)}: {changed_words(one)}"
    yield "Asks now", resources_words(details.job.resources)


def changed_words(amendment: Amendment) -> str:
    """``memory 2.0 GiB → 4.0 GiB, disk → 10.0 GiB``."""
    shows: dict[str, Callable[[int], str]] = {
        "cpus": str,
        "memory": show_memory,
        "time": show_duration,
        "disk": show_memory,
    }
    words = []
    for name, show in shows.items():
        before, now = getattr(amendment.before, name), getattr(amendment.now, name)
        if before != now:
            words.append(f"{name} {show(before) if before else 'as usual'} → {show(now)}")
    return ", ".join(words)


def recorded_words(line: Mapping[str, Any]) -> str:
    """What ``mlinfn.record(...)`` noted last."""
    values = line.get("values")
    return ", ".join(f"{k}={v}" for k, v in values.items()) if isinstance(values, dict) else ""


def attempt_rows(details: JobDetails) -> Iterator[tuple[str, str]]:
    """One row an attempt, when there was more than one."""
    if len(details.attempts) < 2:
        return
    for attempt in details.attempts:
        why = f": {attempt.reason.text}" if attempt.reason else ""
        yield f"Attempt {attempt.number}", f"{attempt.state}{lost_words(attempt)}{why}"


def used_words(record: JobRecord) -> str:
    """Peak memory and CPU time, as far as they are known."""
    words = []
    if record.usage.peak_memory is not None:
        words.append(f"{show_memory(record.usage.peak_memory)} memory at most")
    if record.usage.cpu_seconds is not None:
        words.append(f"{show_duration(record.usage.cpu_seconds)} of CPU time")
    return ", ".join(words)
