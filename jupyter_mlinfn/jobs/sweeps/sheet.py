"""A sweep's results as CSV, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable

from pydantic import JsonValue

from jupyter_mlinfn.model.sweeps import Point, PointColumns

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_of(points: Iterable[Point], columns: PointColumns) -> str:
    """One line a point: index, state, parameters, recorded values, then how it went.

    Of a name that is both, the value's column is called ``NAME (recorded)``. A text that a
    spreadsheet would take for a formula begins with an apostrophe. Times in ISO 8601.
    """
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n")
    taken = {*columns.parameters, *_FACTS, "index", "state"}
    values = [f"{name} (recorded)" if name in taken else name for name in columns.values]
    writer.writerow([*map(_cell, ("index", "state", *columns.parameters, *values)), *_FACTS])
    for point in points:
        given = [point.parameters.get(name) for name in columns.parameters]
        recorded = [point.values.get(name) for name in columns.values]
        cells = (point.index, point.state, *given, *recorded, *_facts(point))
        writer.writerow([_cell(cell) for cell in cells])
    return told.getvalue()


_FACTS = ("started_at", "ended_at", "seconds", "attempts", "host", "exit_code", "reason", "output")


def _facts(point: Point) -> tuple[JsonValue, ...]:
    began, ended = point.started_at, point.ended_at
    return (
        began.isoformat() if began else None,
        ended.isoformat() if ended else None,
        round((ended - began).total_seconds(), 3) if began and ended else None,
        point.attempts,
        point.host,
        point.exit_code,
        point.reason.text if point.reason else None,
        point.output,
    )


def _cell(value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return str(value)
