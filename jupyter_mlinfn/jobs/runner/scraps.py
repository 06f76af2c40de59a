"""Values that a notebook glues with scrapbook count as recorded ones."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_mlinfn.jobs.attempt import now
from jupyter_mlinfn.process.durable import append_line

_KINDS = ("application/scrapbook.scrap.json+json", "application/scrapbook.scrap.text+json")
_LONGEST = 100_000


def note_scrap(values: Path, message: Mapping[str, Any]) -> None:
    """Append what ``scrapbook.glue(name, value)`` displayed to ``values.jsonl``.

    Other messages are passed over, and so are scraps too large to be a value of a table.
    """
    if message["msg_type"] != "display_data":
        return
    data = message["content"].get("data", {})
    for kind in _KINDS:
        scrap = data.get(kind)
        if not isinstance(scrap, dict) or not isinstance(scrap.get("name"), str):
            continue
        line = json.dumps({"at": now(), "values": {scrap["name"]: scrap.get("data")}})
        if len(line) < _LONGEST:
            # a full disk must not end a run for the sake of its table
            with contextlib.suppress(OSError):
                append_line(values, line)
