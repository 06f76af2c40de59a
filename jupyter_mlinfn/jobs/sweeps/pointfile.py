"""``points.jsonl``: line k holds the parameters of point k, for good.

Standard library only: the program of every point reads it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

NAME: Final = "points.jsonl"

_encode: Final = json.JSONEncoder(ensure_ascii=True).encode


def written(points: Sequence[Mapping[str, Any]]) -> tuple[bytes, str]:
    """The file's bytes and their SHA-256."""
    # ASCII, so that no text in it holds anything that ends a line
    content = "".join(_encode(point) + "\n" for point in points).encode()
    return content, hashlib.sha256(content).hexdigest()


def read(job_folder: Path, sha256: str | None) -> list[dict[str, Any]]:
    """The parameters of all points. Raises OSError, and ValueError for a file that is not the
    one that was written."""
    return [json.loads(line) for line in _lines(job_folder, sha256)]


def parameters_of(job_folder: Path, sha256: str | None, point: int) -> dict[str, Any]:
    """The parameters of one point. Raises as :func:`read`, and ValueError for no such point."""
    lines = _lines(job_folder, sha256)
    if not 0 <= point < len(lines):
        raise ValueError(f"the sweep has no point {point}")
    found: dict[str, Any] = json.loads(lines[point])
    return found


def _lines(job_folder: Path, sha256: str | None) -> list[bytes]:
    content = (job_folder / NAME).read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{NAME} was changed after the sweep was submitted")
    return content.splitlines()
