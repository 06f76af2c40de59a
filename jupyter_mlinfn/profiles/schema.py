"""The JSON Schema of ``profiles.toml``, for editors: docs/profiles.schema.json.

It knows every key, type and fixed word; what stands between tables (ceilings, names, folders) is
``mlinfn hub check``'s.
"""

from __future__ import annotations

import json
from typing import Any

from jupyter_mlinfn.profiles.document import Document

NAME = "profiles.schema.json"


def json_schema() -> dict[str, Any]:
    """The schema, in the form of JSON Schema 2020-12."""
    made = _closed(Document.model_json_schema(mode="validation", by_alias=True))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": NAME,
        **made,
        "title": "profiles.toml of jupyter_mlinfn, schema 1",
    }


def _closed(part: Any) -> Any:
    """Tables whose names have a pattern hold no other names: pydantic leaves that open."""
    if isinstance(part, list):
        return [_closed(item) for item in part]
    if not isinstance(part, dict):
        return part
    closed = {"additionalProperties": False} if "patternProperties" in part else {}
    return {key: _closed(value) for key, value in part.items()} | closed


def text() -> str:
    """The schema as the file that is published."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
