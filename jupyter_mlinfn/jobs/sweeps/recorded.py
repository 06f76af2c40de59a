"""The values that a point's code recorded: the newest of each name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from pydantic import JsonValue

from jupyter_mlinfn.jobs.backends.protocol import Observation
from jupyter_mlinfn.jobs.follow import documents, tail_documents
from jupyter_mlinfn.jobs.sweeps.rows import plain

_MOST: Final = 100
_LONGEST_NAME: Final = 100
_LONGEST: Final = 2000
_HEAD: Final = 64 * 2**10


def recorded_values(attempt: Path) -> dict[str, JsonValue]:
    """What ``mlinfn.record`` wrote in this attempt's folder, from the two ends of its file.

    The job's code can write that file: what is no value is left out, and so is what is more than
    a table can hold.
    """
    found: dict[str, JsonValue] = {}
    path = attempt / "values.jsonl"
    for document in (*documents(_head(path)), *tail_documents(path)):
        values = document.get("values")
        if not isinstance(values, dict):
            continue
        for name, value in values.items():
            if name in found or len(found) < _MOST:
                found[_text(name[:_LONGEST_NAME])] = value
    return {name: kept for name, value in found.items() if (kept := _kept(value)) is not None}


def with_values(seen: Observation, attempt: Path) -> Observation:
    """What is seen of a point, and what its code recorded instead of how far it came."""
    return seen.model_copy(update={"values": recorded_values(attempt), "progress": None})


def _kept(value: Any) -> JsonValue:
    text = _text(json.dumps(plain(value), ensure_ascii=False))
    kept: JsonValue = text[:_LONGEST] if len(text) > _LONGEST else json.loads(text)
    return kept


def _text(text: str) -> str:
    """A lone surrogate is no text that a database can hold."""
    return text.encode("utf-8", "replace").decode()


def _head(path: Path) -> list[bytes]:
    """What was recorded first, in a file so long that its end does not hold all."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD).split(b"\n")[:-1]
    except OSError:
        return []
