"""Two jobs beside each other, part by part. Pure: from facts to a difference.

A job compared with itself is equal throughout, and ``b`` against ``a`` is the mirror of ``a``
against ``b``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal

from jupyter_mlinfn.jobs.exactness.facts import Facts
from jupyter_mlinfn.jobs.exactness.items import ABSENT, Kind, item, known, mapping, section
from jupyter_mlinfn.jobs.exactness.lines import detail, paired
from jupyter_mlinfn.jobs.exactness.notebooks import Cell
from jupyter_mlinfn.jobs.exactness.outputs import same_file
from jupyter_mlinfn.model.exactness import (
    DiffItem,
    DiffSection,
    JobDiff,
    OutputFile,
    SectionName,
    Standing,
)
from jupyter_mlinfn.model.jobs import BundledFile, JobSpec

REQUEST: Final[frozenset[SectionName]] = frozenset(
    {"parameters", "environment", "packages", "code", "inputs"}
)
"""What determines the result; the commit does not, because the code itself is compared."""

RESULTS: Final[frozenset[SectionName]] = frozenset({"outputs", "printed", "values"})

_CELLS: Final = re.compile(r"cell ([0-9]{1,6}) / ([0-9]{1,6})")
_NAMED: Final = 3
_HEAD: Final = 200

_OF_GIT: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("folder", "folder", "text"),
    ("commit", "commit", "hash"),
    ("branch", "branch", "text"),
    ("dirty", "changed since", "value"),
    ("diff_sha256", "changes", "hash"),
)
_OF_RESOURCES: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("cpus", "CPUs", "value"),
    ("memory", "memory", "bytes"),
    ("gpus", "GPUs", "value"),
    ("gpu_memory", "memory of each GPU", "bytes"),
    ("gpu_model", "GPU model", "text"),
    ("time", "time limit", "seconds"),
)
_OF_NODE: Final = (
    ("cpu", "CPU"),
    ("cpus", "CPUs of the machine"),
    ("driver", "GPU driver"),
    ("kernel", "system"),
    ("python", "Python of the runner"),
)


def compare(a: Facts, b: Facts) -> JobDiff:
    """The difference between two jobs."""
    sections = (
        section("parameters", "Parameters", _parameters(a, b)),
        section("environment", "Environment", _environment(a.spec, b.spec)),
        section("packages", "Packages", mapping(a.packages, b.packages, "text")),
        section("code", "Code", _code(a, b)),
        section("git", "Repository", _git(a.spec, b.spec)),
        section("inputs", "Inputs", _inputs(a.spec, b.spec), _unhashed(a.spec, b.spec)),
        section("outputs", "Output files", _outputs(a, b), _no_outputs(a, b)),
        section("printed", "What the cells printed", _printed(a, b)),
        section("values", "Recorded values", mapping(a.values, b.values)),
        section("resources", "Asked for", _resources(a.spec, b.spec)),
        section("node", "Machine", _node(a, b)),
        section("timings", "Times and use", _timings(a, b)),
    )
    told = {one.name: one for one in sections}
    results = [told[name].same for name in sorted(RESULTS)]
    same_outputs = None
    if False in results:
        same_outputs = False
    elif told["outputs"].same is not None:
        same_outputs = True
    return JobDiff(
        a=a.job,
        b=b.job,
        text=_text(told, same_outputs),
        same_request=not any(told[name].same is False for name in REQUEST),
        same_outputs=same_outputs,
        sections=sections,
    )


def _parameters(a: Facts, b: Facts) -> Iterator[DiffItem]:
    yield from mapping(a.parameters, b.parameters)
    yield from known("seed (MLINFN_SEED)", a.spec.seed, b.spec.seed)


def _environment(a: JobSpec, b: JobSpec) -> Iterator[DiffItem]:
    before, now = a.environment, b.environment
    yield item("name", before.name, now.name, "text")
    yield item("kernel", before.kernel.display_name, now.kernel.display_name, "text")
    yield from known(
        "lock" if before.locked and now.locked else "digest", before.digest, now.digest, "hash"
    )
    yield item("locked", before.locked, now.locked)
    yield from known("image", before.image_digest, now.image_digest, "hash")
    yield item("command", list(before.kernel.argv), list(now.kernel.argv))
    yield from mapping(before.kernel.env, now.kernel.env, "text")


def _code(a: Facts, b: Facts) -> Iterator[DiffItem]:
    yield item("kind", a.spec.kind, b.spec.kind, "text")
    if a.spec.command or b.spec.command:
        yield item("command", list(a.spec.command), list(b.spec.command))
    single = a.spec.kind == b.spec.kind == "script"
    for one, other, name in _partners(a.code or (), b.code or ()):
        yield _texts("script" if single else name, _source(one), _source(other))
    for path in sorted(a.modules.keys() | b.modules.keys()):
        yield _module(path, a, b)


def _module(path: str, a: Facts, b: Facts) -> DiffItem:
    hashes = [_sha(one.spec, path) if path in one.modules else ABSENT for one in (a, b)]
    before, now = a.modules.get(path), b.modules.get(path)
    changed = hashes[0] != hashes[1] and before is not None and now is not None
    lines = detail(before or "", now or "") if changed else ()
    return item(path, hashes[0], hashes[1], "hash", detail=lines)


def _git(a: JobSpec, b: JobSpec) -> Iterator[DiffItem]:
    before, now = a.git, b.git
    for name, title, kind in _OF_GIT:
        old, new = before and getattr(before, name), now and getattr(now, name)
        yield from known(title, old, new, kind)


def _inputs(a: JobSpec, b: JobSpec) -> Iterator[DiffItem]:
    before, now = _by_path(a), _by_path(b)
    for path in sorted(before.keys() | now.keys()):
        yield item(path, _identity(before.get(path)), _identity(now.get(path)), "hash")


def _identity(file: BundledFile | None) -> object:
    if file is None:
        return ABSENT
    return file.sha256 or f"{file.size} bytes, {file.mtime:.6f}"


def _unhashed(a: JobSpec, b: JobSpec) -> str | None:
    files = {**_by_path(a), **_by_path(b)}
    large = sorted(path for path, file in files.items() if file.sha256 is None)
    return f"By size and time only: {_names(large)}." if large else None


def _outputs(a: Facts, b: Facts) -> Iterator[DiffItem]:
    before = {file.path: file for file in a.outputs or ()}
    now = {file.path: file for file in b.outputs or ()}
    for path in sorted(before.keys() | now.keys()):
        old, new = before.get(path), now.get(path)
        yield DiffItem(
            name=path,
            standing=_file_standing(old, new),
            a=old.size if old else None,
            b=new.size if new else None,
            kind="bytes",
        )


def _file_standing(a: OutputFile | None, b: OutputFile | None) -> Standing:
    if a is None or b is None:
        return "only-b" if a is None else "only-a"
    same = same_file(a.model_dump(), b.model_dump())
    return "unknown" if same is None else "equal" if same else "changed"


def _no_outputs(a: Facts, b: Facts) -> str | None:
    without = [one.job.id for one in (a, b) if one.outputs is None]
    if len(without) == 2:
        return "Neither has published anything, or it is gone."
    return f"Job {without[0]} has published nothing, or it is gone." if without else None


def _printed(a: Facts, b: Facts) -> Iterator[DiffItem]:
    for one, other, name in _partners(a.printed or (), b.printed or ()):
        texts = [None if cell is None else cell.output for cell in (one, other)]
        if any(texts):
            told = _texts(name, *texts)
            if told.standing == "equal" and one and other and one.shown != other.shown:
                lines = (" (the text is the same; a figure or another rich output differs)",)
                told = told.model_copy(update={"standing": "changed", "detail": lines})
            yield told


def _resources(a: JobSpec, b: JobSpec) -> Iterator[DiffItem]:
    before, now = a.resources.model_dump(), b.resources.model_dump()
    for name, title, kind in _OF_RESOURCES:
        yield from known(title, before[name], now[name], kind)
    yield item("place", a.backend, b.backend, "text")
    yield from known("queue", a.queue, b.queue, "text")
    yield from known("charged to", a.charge, b.charge, "text")
    yield item("may be evicted", a.evictable, b.evictable)
    if a.offload or b.offload:
        yield item("may run elsewhere", a.offload, b.offload)


def _node(a: Facts, b: Facts) -> Iterator[DiffItem]:
    yield from known("host", a.host, b.host, "text")
    before, now = a.node, b.node
    for name, title in _OF_NODE:
        yield from known(title, before and getattr(before, name), now and getattr(now, name))
    models = [", ".join(one.gpu_models) or None if one else None for one in (before, now)]
    yield from known("GPU models", models[0], models[1], "text")
    held = [", ".join(one.accelerators) or None for one in (a, b)]
    yield from known("accelerators", held[0], held[1], "text")


def _timings(a: Facts, b: Facts) -> Iterator[DiffItem]:
    yield from _about("waited", a.waited, b.waited, "seconds")
    yield from _about("ran", a.ran, b.ran, "seconds")
    yield from _about("CPU time", a.usage.cpu_seconds, b.usage.cpu_seconds, "seconds")
    yield from _about("memory at most", a.usage.peak_memory, b.usage.peak_memory, "bytes")
    for number in sorted(a.cell_seconds.keys() | b.cell_seconds.keys()):
        old, new = a.cell_seconds.get(number), b.cell_seconds.get(number)
        yield from _about(f"code cell {number}", old, new, "seconds")


def _about(
    name: str, a: float | None, b: float | None, kind: Literal["seconds", "bytes"]
) -> list[DiffItem]:
    """Two measurements, as exact as they are shown: hundredths of a second, tenths of a MiB."""
    unit = 0.01 if kind == "seconds" else 2**20 / 10
    old, new = (None if value is None else round(round(value / unit) * unit, 2) for value in (a, b))
    return known(name, old, new, kind)


def _partners(
    a: tuple[Cell, ...], b: tuple[Cell, ...]
) -> Iterator[tuple[Cell | None, Cell | None, str]]:
    """Cells that belong together, with a name for both."""
    for one, other in paired([_key(cell) for cell in a], [_key(cell) for cell in b]):
        numbers = dict.fromkeys(number + 1 for number in (one, other) if number is not None)
        name = f"cell {' / '.join(map(str, numbers))}"
        yield None if one is None else a[one], None if other is None else b[other], name


def _source(cell: Cell | None) -> str | None:
    return None if cell is None else cell.source


def _key(cell: Cell) -> str:
    return f"{cell.kind}\n{cell.source}"


def _texts(name: str, a: str | None, b: str | None) -> DiffItem:
    """Two texts: their first lines, and what differs line by line."""
    heads = [ABSENT if text is None else _head(text) for text in (a, b)]
    told = "equal" if a == b else "only-b" if a is None else "only-a" if b is None else "changed"
    lines = detail(a or "", b or "") if a != b else ()
    shown = item(name, heads[0], heads[1], "text", detail=lines)
    return shown.model_copy(update={"standing": told})


def _head(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.strip()[:_HEAD]


def _by_path(spec: JobSpec) -> dict[str, BundledFile]:
    return {file.path: file for file in spec.files if file.role == "input"}


def _sha(spec: JobSpec, path: str) -> str | None:
    found = (file for file in spec.files if file.role == "module" and file.path == path)
    return next((file.sha256 for file in found), None)


def _text(told: Mapping[SectionName, DiffSection], same_outputs: bool | None) -> str:
    differ = [part for name, part in told.items() if name in REQUEST and part.same is False]
    if differ:
        parts = "; ".join(f"{part.title.lower()} ({_changed(part)})" for part in differ)
        sentence = f"Different: {parts}."
    else:
        sentence = "The same was asked for: code, parameters, environment and inputs."
    if same_outputs is None:
        return f"{sentence} There are no outputs to compare."
    if same_outputs:
        return f"{sentence} The outputs are the same."
    parts = "; ".join(
        f"{part.title.lower()} ({_changed(part)})"
        for name, part in told.items()
        if name in RESULTS and part.same is False
    )
    return f"{sentence} Other results: {parts}."


def _changed(part: DiffSection) -> str:
    names = (one.name for one in part.items if one.standing not in ("equal", "unknown"))
    return _names(sorted(map(_either_way, names), key=_in_order))


def _either_way(name: str) -> str:
    """``cell 2 / 3`` for ``cell 3 / 2`` too: the sentence does not depend on the direction."""
    cells = _CELLS.fullmatch(name)
    return f"cell {' / '.join(sorted(cells.groups(), key=int))}" if cells else name


def _in_order(name: str) -> list[str | int]:
    """Sorts ``cell 2`` before ``cell 10``."""
    return [int(word) if word.isdecimal() else word for word in re.split(r"(\d+)", name)]


def _names(names: list[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
