"""Reads what is submitted: a notebook or a script, once, as the bytes that will be bundled."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from jupyter_mlinfn.jobs.cells import source_of
from jupyter_mlinfn.model.errors import InputError, NotFound
from jupyter_mlinfn.model.quantities import show_memory

LARGEST_SOURCE: Final = 100 * 2**20
"""Bytes of the largest notebook taken; outputs make them large, and they are not needed."""

Kind = Literal["notebook", "cell", "script", "command"]


@dataclass(frozen=True)
class Source:
    """What runs: ``content`` is what goes into the bundle, ``mtime`` when it was saved.

    ``notebook`` is the parsed document (nbformat 4), ``None`` for a script. ``kernel`` and
    ``language`` are what the notebook says of itself, ``None`` when it says nothing.
    """

    path: Path
    kind: Kind
    content: bytes
    mtime: float
    notebook: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def kernel(self) -> str | None:
        """The kernel spec's name in the notebook."""
        name = self._spec.get("name")
        return name if isinstance(name, str) and name else None

    @property
    def language(self) -> str | None:
        """The language in the notebook, in lower case."""
        told = self._spec.get("language") or self._metadata.get("language_info", {}).get("name")
        return told.lower() if isinstance(told, str) else None

    @property
    def texts(self) -> tuple[str, ...]:
        """The code: every code cell, or the script."""
        if self.notebook is None:
            return (self.content.decode("utf-8", "replace"),)
        cells = self.notebook["cells"]
        return tuple(source_of(cell) for cell in cells if cell["cell_type"] == "code")

    @property
    def file_name(self) -> str:
        """The name in the bundle."""
        return "script.py" if self.kind == "script" else "notebook.ipynb"

    @property
    def _metadata(self) -> Mapping[str, Any]:
        return {} if self.notebook is None else self.notebook["metadata"]

    @property
    def _spec(self) -> Mapping[str, Any]:
        spec = self._metadata.get("kernelspec", {})
        return spec if isinstance(spec, dict) else {}


def check_path(text: str, field: str = "source") -> Path:
    """The absolute path that ``text`` names. Raises :class:`InputError` for no usable path."""
    if not _printable(text):
        raise InputError(
            "This path holds characters that cannot be shown, such as a line break. "
            "Rename the file.",
            code="bad-path",
            field=field,
        )
    if not os.path.isabs(text):  # noqa: PTH117 - a text that may be no path at all
        raise InputError(f"{text} is not a full path.", code="bad-path", field=field)
    return Path(os.path.normpath(text))


def _printable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return all(char.isprintable() or char == "\u00a0" for char in text)


def read_source(path: Path, cell: str | None = None) -> Source:
    """Read a ``.ipynb`` or ``.py`` file; with ``cell``, a notebook of that one cell.

    Raises :class:`NotFound`, or :class:`InputError` (``bad-source``, ``bad-notebook``).
    """
    kind = {".ipynb": "notebook", ".py": "script"}.get(path.suffix.lower())
    if kind is None:
        raise InputError(
            f"{path.name} is neither a notebook (.ipynb) nor a Python script (.py).",
            code="bad-source",
            field="source",
        )
    content, mtime = _read(path)
    if kind == "script":
        return Source(path=path, kind="script", content=content, mtime=mtime)
    notebook, notes = parse_notebook(content, path.name)
    if notes:
        content = _dump(notebook)
    if cell is None:
        return Source(path, "notebook", content, mtime, notebook, notes)
    alone = _one_cell(notebook, cell)
    return Source(path, "cell", _dump(alone), mtime, alone, notes)


def _read(path: Path) -> tuple[bytes, float]:
    try:
        # a FIFO must not make us wait, and what is opened is what is checked
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound(
            f"There is no file {path}.", code="source-missing", field="source"
        ) from error
    except OSError as error:
        raise _bad(path, f"cannot be read: {os.strerror(error.errno or errno.EIO)}") from error
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode):  # fdopen would refuse a folder in its own words
        os.close(handle)
        raise _bad(path, "is not a file")
    with os.fdopen(handle, "rb") as stream:
        if facts.st_size > LARGEST_SOURCE:
            raise _bad(
                path,
                f"has {show_memory(facts.st_size)}; up to {show_memory(LARGEST_SOURCE)} are taken. "
                "Clear its outputs and save it",
            )
        return stream.read(LARGEST_SOURCE + 1), facts.st_mtime


def _bad(path: Path, text: str) -> InputError:
    return InputError(f"{path.name} {text}.", code="bad-source", field="source")


def parse_notebook(content: bytes, name: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The document, and notes when it had to be changed (an older format is upgraded).

    Checks what running it depends on; loading nbformat for its schema would cost a second.
    """
    try:
        notebook = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _broken(name, "it is not JSON") from error
    if not isinstance(notebook, dict) or not isinstance(notebook.get("nbformat"), int):
        raise _broken(name, "it says no format")
    if notebook["nbformat"] < 3 or notebook["nbformat"] > 4:
        raise _broken(name, f"its format {notebook['nbformat']} is not 3 or 4")
    notes: tuple[str, ...] = ()
    if notebook["nbformat"] == 3:
        notebook = _upgraded(notebook, name)
        notes = ("The notebook has the old format 3; the job runs a copy in format 4.",)
    problem = _problem(notebook)
    if problem:
        raise _broken(name, problem)
    return notebook, notes


def _broken(name: str, why: str) -> InputError:
    return InputError(
        f"{name} cannot be run: {why}. Open it in JupyterLab and save it again.",
        code="bad-notebook",
        field="source",
    )


def _problem(notebook: Mapping[str, Any]) -> str | None:
    if not isinstance(notebook.get("metadata"), dict):
        return "its metadata are missing"
    if not isinstance(notebook["metadata"].get("language_info", {}), dict):
        return "its language_info is damaged"
    if not isinstance(notebook.get("cells"), list):
        return "it has no cells"
    for number, cell in enumerate(notebook["cells"], start=1):
        if not isinstance(cell, dict) or cell.get("cell_type") not in ("code", "markdown", "raw"):
            return f"cell {number} is of no known kind"
        source = cell.get("source")
        lines = source if isinstance(source, list) else [source]
        if not all(isinstance(line, str) for line in lines):
            return f"cell {number} has no text"
        metadata = cell.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("tags", []), list):
            return f"the metadata of cell {number} are damaged"
    return None


def _upgraded(notebook: dict[str, Any], name: str) -> dict[str, Any]:
    import nbformat

    try:
        changed = nbformat.convert(nbformat.from_dict(notebook), 4)
        return json.loads(json.dumps(changed))  # type: ignore[no-any-return]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _broken(name, "it has the old format 3 and cannot be upgraded") from error


def _one_cell(notebook: Mapping[str, Any], source: str) -> Mapping[str, Any]:
    minor = int(notebook.get("nbformat_minor", 0))
    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source,
    }
    if minor >= 5:
        cell["id"] = "cell"
    return {**notebook, "cells": [cell]}


def _dump(notebook: Mapping[str, Any]) -> bytes:
    return json.dumps(notebook, ensure_ascii=False, indent=1).encode("utf-8", "surrogatepass")
