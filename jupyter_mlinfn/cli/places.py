"""What every place says to a draft, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.quantities import show_moment

if TYPE_CHECKING:
    from jupyter_mlinfn.model.jobs import Draft
    from jupyter_mlinfn.model.places import Outlook


def place_lines(draft: Draft) -> Iterator[str]:
    """One line a place, the chosen one marked; none where there is only one place."""
    if len(draft.places) < 2:
        return
    yield "Places:"
    width = max(len(one.title) for one in draft.places)
    for one in draft.places:
        mark = "→" if one.backend == draft.backend else " "
        yield f"{mark} {one.title.ljust(width)}  {standing(one)}"


def standing(one: Outlook) -> str:
    """``starts now``, ``expected 17:40, 12 before it`` or why not."""
    if one.silent:
        return "does not answer"
    if not one.ok:
        return f"cannot run there: {one.text}"
    words = []
    if one.starts_now:
        words.append("starts now")
    elif one.expected_start is not None:
        words.append(f"expected {show_moment(one.expected_start, datetime.now(UTC))}")
    if one.position:
        words.append(f"{one.position} before it")
    return ", ".join(words) or one.text
