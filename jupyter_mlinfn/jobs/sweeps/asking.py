"""From a request's sweep to the parameters of its points: all problems at once."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from jupyter_mlinfn.jobs.literals import assignments
from jupyter_mlinfn.jobs.parameters import checked
from jupyter_mlinfn.jobs.sweeps.spelling import values_of
from jupyter_mlinfn.jobs.sweeps.tables import read_table
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Problem
from jupyter_mlinfn.model.jobs import Parameter
from jupyter_mlinfn.model.sweeps import MAX_POINTS, Sweep, SweepDraft

LARGEST: Final = 64 * 2**20
"""Bytes that the parameters of all points may take together."""

_SHOWN: Final = 5
_MOST_PROBLEMS: Final = 20

_LARGE: Final = 2**63
"""A number below can be written in every language, without a try: of most sweeps it is all."""

Points = list[dict[str, JsonValue]]


@dataclass
class Asked:
    """What a sweep is checked against.

    ``check`` raises :class:`InputError` for a name that cannot be a parameter of this notebook;
    ``language`` writes the values (empty: they are not written into code); ``fixed`` are the
    names that are equal for all points.
    """

    sweep: Sweep
    folder: Path
    known: Mapping[str, Parameter]
    check: Callable[[str], None]
    language: str
    fixed: Collection[str]
    problems: list[Problem] = field(default_factory=list)

    def points(self) -> Points:
        """The parameters of every point, in order; raises one :class:`InputError` with all that
        is wrong."""
        axes = self._axes()
        names, rows = self._rows()
        for name in dict.fromkeys((*names, *axes)):
            self._look_at(name, also=name in names and name in axes)
        number = max(1, len(rows)) * math.prod(len(values) for values in axes.values())
        if not axes and not rows and not self.problems:
            self._refuse("The sweep is over nothing: give an axis or a table.", "sweep")
        if number > MAX_POINTS:
            text = f"This sweep has {number:,} points; it can have {MAX_POINTS:,}."
            self._refuse(text, "sweep")
        elif not self.problems and self._size(axes, rows, number) > LARGEST:
            text = f"The parameters of all points take more than {LARGEST // 2**20} MiB together."
            self._refuse(text, "sweep")
        self._raise()
        combinations = [dict(zip(axes, values, strict=True)) for values in product(*axes.values())]
        return [{**row, **values} for row in rows or [{}] for values in combinations]

    def _axes(self) -> dict[str, list[JsonValue]]:
        found: dict[str, list[JsonValue]] = {}
        for name, text in self.sweep.raw_axes.items():
            try:
                found[name] = values_of(name, text, self.known.get(name))
            except MlinfnError as error:
                self.problems += error.problems
            else:
                self._write(found[name], name, f"sweep.raw_axes.{name}")
        for name, values in self.sweep.axes.items():
            if name in self.sweep.raw_axes:
                self._refuse(f"{name} is given twice as an axis.", f"sweep.axes.{name}")
            if not values:
                self._refuse(f"The axis {name} has no values.", f"sweep.axes.{name}")
            where = f"sweep.axes.{name}"
            typed = (self._checked(name, one, where, n) for n, one in enumerate(values, 1))
            found[name] = list(typed)
            self._write(found[name], name, where)
        return found

    def _rows(self) -> tuple[tuple[str, ...], Points]:
        rows = [dict(row) for row in self.sweep.rows]
        if self.sweep.file is not None and rows:
            self._refuse("Give the table as rows or as a file, not both.", "sweep.file")
            return (), rows
        if self.sweep.file is not None:
            return self._table(self.sweep.file)
        names = tuple(dict.fromkeys(name for row in rows for name in row))
        for number, row in enumerate(rows):
            where = f"sweep.rows.{number}"
            for name, value in row.items():
                row[name] = self._checked(name, value, f"{where}.{name}", number + 1)
                self._write([row[name]], name, f"{where}.{name}", number + 1)
        return names, rows

    def _table(self, file: str) -> tuple[tuple[str, ...], Points]:
        try:
            names, rows, problems = read_table(self.folder / file, self.known)
        except MlinfnError as error:
            self.problems += error.problems
            return (), []
        self.problems += problems
        for number, row in enumerate(rows, 1):
            for name, value in row.items():
                self._write([value], name, "sweep.file", number)
        return names, rows

    def _look_at(self, name: str, *, also: bool) -> None:
        where = f"sweep.axes.{name}"
        try:
            self.check(name)
        except InputError as error:
            self._refuse(error.text, where, error.hint)
        if also:
            self._refuse(f"{name} is an axis and a column of the table.", where)
        if name in self.fixed:
            text = f"{name} is swept over and also given one value for all points. Give it once."
            self._refuse(text, where)

    def _checked(self, name: str, value: JsonValue, where: str, number: int) -> JsonValue:
        try:
            return checked(value, self.known.get(name))
        except InputError as error:
            self._refuse(f"Value {number} of {name}: {error.text}", where)
            return None

    def _write(self, values: list[JsonValue], name: str, where: str, first: int = 1) -> None:
        """Refuse what no file can hold and what the notebook's language cannot write."""
        for number, value in enumerate(values, first):
            if isinstance(value, int | float) and abs(value) < _LARGE:
                continue
            try:
                json.dumps(value, ensure_ascii=False).encode()
                if self.language:
                    assignments({name: value}, self.language)
            except (UnicodeEncodeError, RecursionError):
                self._refuse(f"Value {number} of {name} is no text that can be written.", where)
            except InputError as error:
                self._refuse(f"Value {number} of {name}: {error.text}", where)

    def _size(self, axes: Mapping[str, list[JsonValue]], rows: Points, number: int) -> float:
        each = sum(len(json.dumps(values)) / len(values) for values in axes.values())
        return number * (each + len(json.dumps(rows)) / max(1, len(rows)))

    def _refuse(self, text: str, where: str, hint: str | None = None) -> None:
        self.problems.append(Problem(code="bad-sweep", text=text, field=where, hint=hint))

    def _raise(self) -> None:
        if not self.problems:
            return
        shown = self.problems[:_MOST_PROBLEMS]
        if len(self.problems) > len(shown):
            text = f"And {len(self.problems) - len(shown):,} more such problems."
            shown.append(Problem(code="bad-sweep", text=text, field="sweep"))
        raise InputError(
            "\n".join(problem.text for problem in shown),
            code=shown[0].code,
            field=shown[0].field,
            problems=shown,
        )


def draft_of(points: Points) -> SweepDraft:
    """What people are shown of a sweep before it is submitted."""
    varied = tuple(dict.fromkeys(name for point in points for name in point))
    return SweepDraft(points=len(points), varied=varied, first=tuple(points[:_SHOWN]))
