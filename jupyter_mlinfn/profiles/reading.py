"""Reads ``profiles.toml``: one document, or every mistake of the file at once, with its line.

What is no TOML at all is the one exception: the parser stops at the first such place.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from jupyter_mlinfn.profiles.checking import check
from jupyter_mlinfn.profiles.document import Book, Document
from jupyter_mlinfn.profiles.places import Places, ProfilesError, failed
from jupyter_mlinfn.profiles.positions import positions
from jupyter_mlinfn.profiles.saying import say

LARGEST = 2**20
"""Bytes of a file: a site with a thousand profiles needs a third of it."""

_AT = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


@dataclass(frozen=True)
class Reading:
    """A file that is right, and where its keys stand."""

    book: Book
    places: Places


def load(path: Path) -> Book:
    """The document in ``path``. Raises :class:`ProfilesError` with every problem of the file."""
    return read(path).book


def read(path: Path) -> Reading:
    """As :func:`load`, with the places of its keys."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise _at_line(path.name, 1, f"The file cannot be read: {error.strerror}.") from error
    if len(data) > LARGEST:
        raise _at_line(path.name, 1, "The file is larger than 1 MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _at_line(path.name, line, "The file is not UTF-8 from here on.") from error
    return read_text(text, path.name)


def read_text(text: str, file: str) -> Reading:
    """As :func:`read`, for a text that is at hand; ``file`` is what messages call it."""
    raw, places = _parse(text, file)
    problems = []
    try:
        Document.model_validate(raw)
    except ValidationError as error:
        problems = [say(places, entry) for entry in error.errors(include_url=False)]
    problems += check(raw, places)
    if problems:
        raise failed(file, problems)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
    return Reading(book=Book.model_validate({**raw, "digest": digest}), places=places)


def _parse(text: str, file: str) -> tuple[dict[str, Any], Places]:
    try:
        raw = tomllib.loads(text)
        return raw, Places(file, raw, positions(text))
    except tomllib.TOMLDecodeError as error:
        found = _AT.fullmatch(str(error))
        what = found.group(1) if found else str(error)
        line = int(found.group(2)) if found and found.group(2) else text.count("\n") + 1
        raise _at_line(file, line, f"This is not TOML: {what[:200]}.") from error
    except RecursionError as error:
        raise _at_line(file, 1, "Lists are nested too deep.") from error


def _at_line(file: str, line: int, text: str) -> ProfilesError:
    return failed(file, [Places(file, {}, {("",): line}).problem(("",), text)])
