"""A table of points from a CSV file, typed by the notebook's defaults."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from jupyter_mlinfn.jobs.bundle import open_regular
from jupyter_mlinfn.jobs.parameters import coerce
from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.model.jobs import PARAMETER_NAME, Parameter
from jupyter_mlinfn.model.sweeps import MAX_AXES, MAX_POINTS

LARGEST: Final = 16 * 2**20
"""Bytes of a table."""

Rows = list[dict[str, JsonValue]]


def read_table(
    path: Path, known: Mapping[str, Parameter]
) -> tuple[tuple[str, ...], Rows, list[Problem]]:
    """The names of the columns, one row a point, and all that cannot be used of them.

    The first line names the parameters; comma, semicolon or tab separate. An empty cell leaves
    the notebook's default. Raises :class:`InputError` for a file that is no such table at all.
    """
    text = _text(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    problems: list[Problem] = []
    rows: Rows = []
    try:
        names = _names(path, next(reader, []))
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            line = reader.line_num
            if len(cells) != len(names):
                what = f"Line {line} of {path.name} has {len(cells)} cells, not {len(names)}."
                problems.append(_problem(what))
                continue
            rows.append(dict(_typed(path, line, names, cells, known, problems)))
            if len(rows) > MAX_POINTS:
                raise _no_table(f"{path.name} has more than {MAX_POINTS:,} rows.")
    except csv.Error as error:
        raise _no_table(f"{path.name} cannot be read as CSV: {error}.") from error
    if not rows and not problems:
        raise _no_table(f"{path.name} holds no row below its first line.")
    return names, rows, problems


def _text(path: Path) -> str:
    try:
        with open_regular(path) as stream:
            content = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no path"
        raise _no_table(f"The table {path.name[:200]} cannot be read: {why}.") from error
    if len(content) > LARGEST:
        raise _no_table(f"{path.name} is larger than {LARGEST // 2**20} MiB.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_table(f"{path.name} is not UTF-8 text.") from error


def _separator(text: str) -> str:
    first = text.split("\n", 1)[0]
    return max(",;\t", key=first.count)


def _names(path: Path, header: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not names or len(names) > MAX_AXES:
        raise _no_table(f"The first line of {path.name} must name 1 to {MAX_AXES} parameters.")
    for column, name in enumerate(names, 1):
        if not PARAMETER_NAME.fullmatch(name):
            text = f"Column {column} of {path.name} is called {name[:80]!r}, which is no "
            raise _no_table(f"{text}parameter's name: use letters, digits and _.")
        if names.index(name) != column - 1:
            raise _no_table(f"{path.name} has two columns called {name}.")
    return names


def _typed(
    path: Path,
    line: int,
    names: tuple[str, ...],
    cells: list[str],
    known: Mapping[str, Parameter],
    problems: list[Problem],
) -> Iterator[tuple[str, JsonValue]]:
    for name, cell in zip(names, cells, strict=True):
        if not cell.strip():
            continue
        try:
            yield name, coerce(cell.strip(), known.get(name), name=name)
        except InputError as error:
            what = f"Line {line}, column {name} of {path.name}: {error.text}"
            problems.append(_problem(what))


def _problem(text: str) -> Problem:
    return Problem(code="bad-sweep", text=text, field="sweep.file")


def _no_table(text: str) -> InputError:
    return InputError(text, code="bad-sweep", field="sweep.file")
