"""The text of notebook cells, and Python cells without what only IPython understands."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any, Final

_MAGIC: Final = re.compile(r"(\s*)(?:[%!?].*|\w+(?:\s*,\s*\w+)*\s*=\s*[%!].*|[\w.]+\?{1,2}\s*)")
"""A line only IPython understands: ``%magic``, ``!shell``, ``x = !ls``, ``?help``, ``help?``."""

FOREIGN_CELL: Final = re.compile(
    r"\s*%%(?:bash|sh|script|perl|ruby|html|HTML|javascript|js|latex|markdown|svg|R|julia|writefile|"
    r"file|cmd|system|sx|!|cython|cpp|rust)\b"
)


def source_of(cell: Mapping[str, Any]) -> str:
    """A cell's text; old files keep it as a list of lines."""
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(source)


def plain_python(source: str) -> str:
    """``source`` with lines of magics replaced by ``pass``, line numbers kept.

    A whole cell in another language becomes empty. Source that is plain Python stays as it is.
    """
    if FOREIGN_CELL.match(source):
        return ""
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return _without_magics(source)
    return source


def _without_magics(source: str) -> str:
    # a magic may go on over lines that end in a backslash
    lines, going_on = [], False
    for line in source.split("\n"):
        found = _MAGIC.fullmatch(line)
        if going_on or found:
            indent = found.group(1) if found and not going_on else ""
            lines.append("" if going_on else f"{indent}pass")
            going_on = line.endswith("\\")
        else:
            lines.append(line)
    return "\n".join(lines)
