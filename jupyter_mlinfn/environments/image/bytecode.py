"""Compiled modules by package: compiled once, then linked into every prefix and image.

rattler compiles nothing, and a read-only image never could. A package's modules are compiled by
the environment's own Python and kept under the package's digest and that of the Python package;
files that an installation altered (they hold the prefix) are part of the key by their content.

Two variants differ in one bit of PEP 552's flags (bytes 4 to 8). In a prefix the file is valid
while its source has the hash noted in it (*checked*): people edit their prefix. In an image,
where nothing can change, it is valid as it is (*unchecked*): times are all 0 there, and Python
need not read the sources. Tracebacks name ``/env/…``, true in an image; elsewhere Python puts the
real name in when it loads the module.

::

    <cache>/<python package>/<digest>/{checked,unchecked}/<n>.pyc   n-th module, in sorted order
    <cache>/<python package>/<digest>/failed.json                   numbers that do not compile
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.environments.image.children import Children
from jupyter_mlinfn.environments.image.files import FINAL_PREFIX
from jupyter_mlinfn.environments.image.modules import Group, Python, find_groups, find_python
from jupyter_mlinfn.model.errors import Unavailable

Variant = Literal["checked", "unchecked"]
Progress = Callable[[int, int], None]
"""Called with the modules compiled so far, and how many there are to compile."""

_FLAGS: Final = {"checked": 0b11, "unchecked": 0b01}
_PER_INTERPRETER: Final = 50
"""Fewer modules than this are not worth another interpreter's start."""


@dataclass(frozen=True)
class Applied:
    """What :func:`apply` did: ``compiled`` modules were new to the cache."""

    modules: int
    compiled: int
    failed: int


@dataclass
class _Draft:
    """A package on its way into the cache."""

    group: Group
    folder: Path
    left: int
    failed: list[int] = field(default_factory=list)


def apply(
    prefix: Path,
    cache: Path,
    variant: Variant,
    *,
    cpus: int | None = None,
    report: Progress = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Applied:
    """Give every module of ``prefix`` its compiled file; compile what ``cache`` does not hold.

    A prefix without Python stays as it is. In a prefix (*checked*), packages that brought valid
    compiled files keep them. Raises :class:`Unavailable` when the prefix's Python does not run,
    :class:`Conflict` (``cancelled``), and OSError.
    """
    python = find_python(prefix)
    if python is None:
        return Applied(0, 0, 0)
    groups = find_groups(prefix, python, trust_compiled=variant == "checked")
    store = cache / python.identity
    missing: list[Group] = []
    present: list[Group] = []
    for group in groups:
        (present if (store / group.key).is_dir() else missing).append(group)

    def link(some: Sequence[Group]) -> int:
        return sum(_link(prefix, python, store / group.key, group, variant) for group in some)

    with ThreadPoolExecutor(max_workers=1) as pool:
        linking = pool.submit(link, present)  # while interpreters compile the others
        if missing:
            store.mkdir(parents=True, exist_ok=True)
            _compile(prefix, python, store, missing, cpus or _available(), report, cancelled)
        failed = linking.result() + link(missing)
    compiled = sum(len(group.modules) for group in missing)
    return Applied(sum(len(group.modules) for group in groups), compiled, failed)


def _available() -> int:
    return len(os.sched_getaffinity(0))


def _compile(
    prefix: Path,
    python: Python,
    store: Path,
    missing: Sequence[Group],
    cpus: int,
    report: Progress,
    cancelled: Callable[[], bool],
) -> None:
    token = secrets.token_hex(4)
    drafts = [
        _Draft(group, store / f".{group.key}.{token}", len(group.modules)) for group in missing
    ]
    work = [(draft, number) for draft in drafts for number in range(len(draft.group.modules))]
    jobs = store / f".jobs.{token}"
    shares = max(1, min(cpus, len(work) // _PER_INTERPRETER))
    try:
        for draft in drafts:
            (draft.folder / "checked").mkdir(parents=True)
        jobs.mkdir()
        _work_off(prefix, python, jobs, [work[n::shares] for n in range(shares)], report, cancelled)
    finally:
        for draft in drafts:
            shutil.rmtree(draft.folder, ignore_errors=True)
        shutil.rmtree(jobs, ignore_errors=True)


_Work = list[tuple[_Draft, int]]


def _work_off(
    prefix: Path,
    python: Python,
    jobs: Path,
    shares: Sequence[_Work],
    report: Progress,
    cancelled: Callable[[], bool],
) -> None:
    """Every share by an interpreter of its own; whole packages are kept as they get ready."""
    program = files(__package__).joinpath("compile_modules.py").read_text(encoding="utf-8")
    total, done = sum(map(len, shares)), 0
    said: list[str] = []
    with Children(cancelled) as children:
        for number, share in enumerate(shares):
            list_of = jobs / str(number)
            list_of.write_text(
                "\0".join(_job(prefix, *one) for one in share), "utf-8", "surrogateescape"
            )
            argv = (str(python.program), "-s", "-S", "-B", "-W", "ignore", "-c", program)
            # a set of texts is written in the order of their hashes before Python 3.11
            environ = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
            children.start((*argv, str(list_of)), env=environ, cwd=jobs)
        turns = [iter(share) for share in shares]
        for number, line in children.lines():
            if line not in {"+", "-"}:
                said.append(line)
                continue
            _note(*next(turns[number]), compiled=line == "+")
            done += 1
            report(done, total)
        codes = children.ended()
    if any(codes) or done < total:
        raise Unavailable(
            f"The environment's Python cannot compile its modules: {' '.join(said[-3:]) or codes}.",
            code="python-broken",
            hint="Check that its Python runs on this machine.",
        )


def _job(prefix: Path, draft: _Draft, number: int) -> str:
    module = draft.group.modules[number].path
    target = draft.folder / "checked" / f"{number}.pyc"
    return f"{prefix / module}\0{target}\0{FINAL_PREFIX}/{module}"


def _note(draft: _Draft, number: int, *, compiled: bool) -> None:
    """One module is done; the last one of a package puts the package into the cache."""
    draft.left -= 1
    if not compiled:
        draft.failed.append(number)
    if draft.left:
        return
    for path in (draft.folder / "checked").iterdir():
        path.chmod(0o444)
    (draft.folder / "failed.json").write_text(json.dumps(sorted(draft.failed)))
    _put(draft.folder, draft.folder.with_name(draft.group.key))


def _put(draft: Path, folder: Path) -> None:
    """Move ``draft`` to its name; another process that was faster had the same."""
    try:
        draft.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(draft)


def _link(prefix: Path, python: Python, entry: Path, group: Group, variant: Variant) -> int:
    """Link a package's compiled files into ``prefix``; how many modules have none."""
    source = _variant(entry, variant)
    failed = set(json.loads((entry / "failed.json").read_bytes()))
    made: set[str] = set()
    for number, module in enumerate(group.modules):
        folder, _, name = module.path.rpartition("/")
        caches = f"{prefix}/{folder}/__pycache__"
        target = f"{caches}/{name[:-3]}.{python.tag}.pyc"
        if number in failed:
            Path(target).unlink(missing_ok=True)  # a stale one of the package
            continue
        if caches not in made:
            os.makedirs(caches, exist_ok=True)  # noqa: PTH103 - thousands of them
            made.add(caches)
        _place(f"{source}/{number}.pyc", target)
    return len(failed)


def _place(source: str, target: str) -> None:
    """A hard link, or a copy where links cannot be made; never written through the old file."""
    try:
        os.link(source, target)
    except FileExistsError:
        Path(target).unlink()
        _place(source, target)
    except OSError:
        shutil.copyfile(source, target)  # another file system, or too many links


def _variant(entry: Path, variant: Variant) -> Path:
    """The folder with this variant; the unchecked one is made from the checked one."""
    wanted = entry / variant
    if wanted.is_dir():
        return wanted
    draft = entry / f".{variant}.{secrets.token_hex(4)}"
    draft.mkdir()
    try:
        for path in (entry / "checked").iterdir():
            content = bytearray(path.read_bytes())
            content[4] = _FLAGS[variant]
            target = draft / path.name
            target.write_bytes(content)
            target.chmod(0o444)
        _put(draft, wanted)
    except BaseException:
        with suppress(FileNotFoundError):
            shutil.rmtree(draft)
        raise
    return wanted
