"""What a change of an environment adds, removes and changes, in words and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_mlinfn.cli.terminal import answer, inert, say, show, table
from jupyter_mlinfn.model.quantities import show_count, show_memory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from jupyter_mlinfn.model.environment_answers import Usage
    from jupyter_mlinfn.model.environment_tasks import Change, PackageChange, Task

SHOWN = 40
"""Rows of packages that people read; with --json there are all."""


def show_change(change: Change) -> None:
    """Every package that comes, goes or changes, then the sums."""
    rows = list(change_rows(change))
    if rows:
        made = table(("", "PACKAGE", "BEFORE", "AFTER"))
        for row in rows[:SHOWN]:
            made.add_row(*row)
        show(made)
        if len(rows) > SHOWN:
            answer(f"and {show_count(len(rows) - SHOWN, 'more package')} (all with --json)")
    answer(sums(change))
    if change.note:
        answer(inert(change.note))


def change_rows(change: Change) -> Iterable[tuple[str, str, str, str]]:
    """What is changed first, because people look for it; then what goes, then what comes."""
    parts = (("~", change.changed), ("-", change.removed), ("+", change.added))
    for mark, packages in parts:
        for package in sorted(packages, key=lambda one: one.name):
            yield mark, _name(package), inert(package.before or "–"), inert(package.after or "–")


def _name(package: PackageChange) -> str:
    return inert(package.name) + (" (pip)" if package.manager == "pip" else "")


def sums(change: Change) -> str:
    """``4 added, 1 changed. Download 12 MiB. Then 693 MiB in 18,871 files.``"""
    counted = [
        f"{len(packages):,} {word}"
        for packages, word in (
            (change.added, "added"),
            (change.removed, "removed"),
            (change.changed, "changed"),
        )
        if packages
    ]
    said = [", ".join(counted) if counted else "No package changes"]
    if change.download is not None:
        said.append(f"Download {show_memory(change.download)}")
    if change.size is not None:
        files = f" in {show_count(change.files, 'file')}" if change.files is not None else ""
        said.append(f"Then {show_memory(change.size)}{files}")
    return ". ".join(said) + "."


def is_empty(change: Change) -> bool:
    """Whether nothing would be other than before."""
    return not (change.added or change.removed or change.changed)


def tell_end(task: Task) -> None:
    """How a task ended: the sentence is the answer, what went wrong is said to people."""
    if task.result is None:
        return
    if task.state == "succeeded":
        answer(inert(task.result.text))
        return
    say(f"mlinfn: {inert(task.result.text)}")
    tell_problems(task)


def tell_problems(task: Task) -> None:
    """What the problems say, and what to do about them, beyond the sentence."""
    if task.result is None:
        return
    said = task.result.text
    for problem in task.result.problems:
        for text in (problem.text, problem.hint):
            if text and text not in said:
                say(f"    {inert(text)}")
                said += text


def users(used_by: Sequence[Usage]) -> str:
    """``job fit and kernel 1a2b3c4d``."""
    return joined([inert(f"job {one.name}" if one.kind == "job" else one.name) for one in used_by])


def joined(words: Sequence[str]) -> str:
    """``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
