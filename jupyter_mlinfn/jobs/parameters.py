"""Parameters of a notebook: typed text taken for values, and values put into the notebook."""

from __future__ import annotations

import ast
import copy
import json
import keyword
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue

from jupyter_mlinfn.jobs.literals import ASSIGNMENT, assignments
from jupyter_mlinfn.jobs.parameter_cell import INJECTED_TAG, TAG, tagged
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import Parameter

_INT: Final = re.compile(r"[+-]?[0-9]{1,4000}", re.ASCII)
_FLOAT: Final = re.compile(
    r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|inf|infinity|nan)",
    re.ASCII | re.IGNORECASE,
)
_BOOL: Final[Mapping[str, bool]] = {"true": True, "false": False, "1": True, "0": False}


def coerce(raw: str, parameter: Parameter | None, *, name: str = "") -> JsonValue:
    """The value of text typed as ``NAME=VALUE``, of the kind that the notebook's default has.

    Without a kind to go by (no parameter, default ``None`` or an expression) papermill's guess
    is taken: ``True``, ``False``, ``None``, a whole number, a number, else the text.
    Raises :class:`InputError` (``bad-parameter``, field ``parameters.NAME``).
    """
    kind = "none" if parameter is None else parameter.kind
    convert = _CONVERTERS.get(kind)
    if convert is None:
        return _guess(raw)
    try:
        return convert(raw)
    except ValueError:
        name = parameter.name if parameter else name
        raise InputError(
            f"{name} takes {_KIND_WORDS[kind]}, and '{raw[:60]}' is none. "
            f"Its default in the notebook is {parameter.source if parameter else ''}.",
            code="bad-parameter",
            field=f"parameters.{name}",
        ) from None


def checked(value: JsonValue, parameter: Parameter | None) -> JsonValue:
    """A JSON value (from a form or a program) if the default's kind takes it; ``null`` always is.

    Raises :class:`InputError` (``bad-parameter``, field ``parameters.NAME``).
    """
    kind = "none" if parameter is None else parameter.kind
    takes = _TAKES.get(kind)
    if parameter is None or takes is None or value is None:
        return value
    if kind == "int" and isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) is not (kind == "bool") or not isinstance(value, takes):
        raise InputError(
            f"{parameter.name} takes {_KIND_WORDS[kind]}. "
            f"Its default in the notebook is {parameter.source}.",
            code="bad-parameter",
            field=f"parameters.{parameter.name}",
        )
    return value


_TAKES: Final[Mapping[str, type | tuple[type, ...]]] = {
    "int": int,
    "float": (int, float),
    "str": str,
    "bool": bool,
    "list": list,
    "dict": dict,
}
_KIND_WORDS: Final[Mapping[str, str]] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "True or False",
    "list": "a list such as [1, 2]",
    "dict": 'a dictionary such as {"a": 1}',
}


def _guess(raw: str) -> JsonValue:
    words: dict[str, JsonValue] = {"True": True, "False": False, "None": None}
    if raw in words:
        return words[raw]
    if _INT.fullmatch(raw):
        return int(raw)
    return float(raw) if _FLOAT.fullmatch(raw) else raw


def _int(raw: str) -> JsonValue:
    if not _INT.fullmatch(raw):
        raise ValueError(raw)
    return int(raw)


def _float(raw: str) -> JsonValue:
    if not _FLOAT.fullmatch(raw):
        raise ValueError(raw)
    return float(raw)


def _bool(raw: str) -> JsonValue:
    if raw.lower() not in _BOOL:
        raise ValueError(raw)
    return _BOOL[raw.lower()]


def _structure(kind: type) -> Callable[[str], JsonValue]:
    def convert(raw: str) -> JsonValue:
        try:
            value = json.loads(raw)
        except (ValueError, RecursionError):
            value = _python_literal(raw)
        if isinstance(value, tuple):
            value = list(value)
        if not isinstance(value, kind):
            raise ValueError(raw)
        # what JSON cannot say (sets, bytes, keys that are no text) is no value for a job
        return json.loads(json.dumps(value))  # type: ignore[no-any-return]

    return convert


def _python_literal(raw: str) -> Any:
    try:
        value = ast.literal_eval(raw)
        json.dumps(value)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(raw) from error
    return value


_CONVERTERS: Final[Mapping[str, Callable[[str], JsonValue]]] = {
    "int": _int,
    "float": _float,
    "str": str,
    "bool": _bool,
    "list": _structure(list),
    "dict": _structure(dict),
}


def check_name(name: str, language: str) -> None:
    """Refuse names that would change the language itself. Raises :class:`InputError`."""
    special = name.startswith("__") and name.endswith("__")
    if special or (language == "python" and keyword.iskeyword(name)):
        raise InputError(
            f"{name} is a name with a special meaning and cannot be a parameter.",
            code="bad-parameter",
            field=f"parameters.{name}",
        )


def can_inject(language: str) -> bool:
    """Whether a cell that sets parameters can be written in this language."""
    return language.lower() in ASSIGNMENT


def inject(notebook: Mapping[str, Any], values: Mapping[str, JsonValue], language: str) -> Any:
    """A copy of the notebook with a cell that sets ``values``; papermill's rule for its place.

    In place of an earlier ``injected-parameters`` cell, else right after the ``parameters``
    cell, else first. Gives an nbformat ``NotebookNode``. Raises :class:`InputError` for a value
    that ``language`` cannot write.
    """
    import nbformat

    changed = nbformat.from_dict(copy.deepcopy(dict(notebook)))
    cell = _injected_cell(changed, assignments(values, language))
    earlier = tagged(changed.cells, INJECTED_TAG)
    if earlier is not None:
        changed.cells[earlier] = cell
    else:
        changed.cells.insert(_place(changed.cells), cell)
    return changed


def _place(cells: Sequence[Mapping[str, Any]]) -> int:
    parameters = tagged(cells, TAG)
    return 0 if parameters is None else parameters + 1


def _injected_cell(notebook: Any, source: str) -> Any:
    import nbformat

    cell: dict[str, Any] = {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {"tags": [INJECTED_TAG]},
        "outputs": [],
        "source": source,
    }
    if (notebook.nbformat, notebook.get("nbformat_minor", 0)) >= (4, 5):
        cell["id"] = secrets.token_hex(4)
    return nbformat.from_dict(cell)
