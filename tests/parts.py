"""Which real parts took part in a test run: a table at the end of ``make test``.

A test that talks to a real part says so with :func:`took_part`; one that cannot, with
:func:`missed`, before it skips. ``python -m tests.parts`` prints what the last run wrote.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent / ".build" / "parts"


def _write(name: str, real: bool, note: str) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / (re.sub(r"[^A-Za-z0-9]+", "-", name) + ".json")
    if not real and file.exists():
        return
    file.write_text(json.dumps({"name": name, "real": real, "note": note}), encoding="utf-8")


def took_part(name: str, note: str) -> None:
    """The part ``name`` was real in this run; ``note`` is its version or place."""
    _write(name, True, note)


def missed(name: str, why: str) -> None:
    """The part ``name`` could not be had in this run, because of ``why``."""
    _write(name, False, why)


def table() -> str:
    """The table for people; a sentence when no test said anything."""
    rows = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))]
    if not rows:
        return "No test recorded a real part in this run."
    width = max(len(row["name"]) for row in rows)
    lines = ["Real parts in this run", "-" * 60]
    for row in rows:
        lines.append(
            f"{row['name']:<{width}}  {'real   ' if row['real'] else 'MISSING'}  {row['note']}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
