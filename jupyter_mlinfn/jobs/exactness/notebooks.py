"""What a notebook says apart from when it was said: code, text and outputs. Standard library only.

Two runs never write the same bytes, because times and counters are in the file. What is compared
leaves out those, the addresses of objects, and the random names of widgets.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_mlinfn.jobs.exactness.files import read_regular

LARGEST: Final = 64 * 2**20
"""Bytes of the largest notebook that is read for its content."""

_ADDRESS: Final = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_WIDGETS: Final = "application/vnd.jupyter.widget"


_INJECTED: Final = "injected-parameters"
"""The tag of the cell that a job's parameters were written into, as papermill names it."""


@dataclass(frozen=True)
class Cell:
    """One cell: ``output`` is what it printed and showed as text, ``shown`` all of it as JSON.

    ``injected``: it is not the person's, but holds the parameters of the job.
    """

    kind: str
    source: str
    output: str
    shown: str
    injected: bool = False

    @property
    def says(self) -> tuple[str, str, str]:
        """What makes two cells equal."""
        return (self.kind, self.source, self.shown)


def read_cells(path: Path) -> tuple[Cell, ...] | None:
    """The cells of a notebook file; ``None`` when it is not there, no notebook, or too large."""
    try:
        return cells_of(json.loads(read_regular(path, LARGEST)))
    except (OSError, ValueError, RecursionError):
        return None


def cells_of(document: Any) -> tuple[Cell, ...] | None:
    """The cells of a parsed notebook (nbformat 4); ``None`` when it is none."""
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        return None
    return tuple(_cell(cell) for cell in cells if isinstance(cell, dict))


def content_hash(path: Path) -> str | None:
    """SHA-256 of what the notebook in ``path`` says; ``None`` as :func:`read_cells`."""
    cells = read_cells(path)
    if cells is None:
        return None
    text = json.dumps([cell.says for cell in cells])
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _cell(cell: Mapping[str, Any]) -> Cell:
    outputs = cell.get("outputs")
    found = [one for one in outputs if isinstance(one, dict)] if isinstance(outputs, list) else []
    streams = {name: _stream(found, name) for name in ("stdout", "stderr")}
    shown = [one for output in found for one in _shown(output)]
    texts = [*streams.values(), *(_as_text(one) for one in shown)]
    return Cell(
        kind=str(cell.get("cell_type")),
        source=_joined(cell.get("source")),
        output="\n".join(text.rstrip("\n") for text in texts if text),
        shown=json.dumps([streams, shown], sort_keys=True),
        injected=_INJECTED in _tags(cell),
    )


def _tags(cell: Mapping[str, Any]) -> list[Any]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return tags if isinstance(tags, list) else []


def _stream(outputs: list[dict[str, Any]], name: str) -> str:
    """All that went to one stream; how it was cut into pieces depends on the moment."""
    pieces = (one for one in outputs if one.get("output_type") == "stream")
    text = "".join(_joined(one.get("text")) for one in pieces if one.get("name") == name)
    return _ADDRESS.sub("0x…", text)


def _shown(output: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    kind = output.get("output_type")
    if kind == "error":
        yield {"error": f"{output.get('ename')}: {output.get('evalue')}"}
    data = output.get("data")
    if kind in ("execute_result", "display_data") and isinstance(data, dict):
        yield {
            mime: _ADDRESS.sub("0x…", _joined(value))
            for mime, value in data.items()
            if not mime.startswith(_WIDGETS)
        }


def _as_text(shown: Mapping[str, str]) -> str:
    if "error" in shown:
        return shown["error"]
    if "text/plain" in shown:
        return shown["text/plain"]
    return f"({', '.join(sorted(shown))})" if shown else ""


def _joined(value: Any) -> str:
    """A text of a notebook, which may be cut into lines; what is no text as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "".join(value)
    return json.dumps(value, sort_keys=True)
