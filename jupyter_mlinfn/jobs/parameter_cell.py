"""Reads the cell tagged ``parameters``: names, kinds, defaults and help, without running it.

Papermill's rules: the first code cell with the tag counts; an annotation or a ``# type:`` comment
beats the type of the default; a comment behind the assignment is its help.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from pydantic import JsonValue

from jupyter_mlinfn.jobs.cells import plain_python, source_of
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.jobs import PARAMETER_NAME, Parameter

Kind = Literal["int", "float", "str", "bool", "none", "list", "dict", "expression"]

TAG: Final = "parameters"
INJECTED_TAG: Final = "injected-parameters"

_KINDS: Final[Mapping[str, Kind]] = {
    "int": "int",
    "float": "float",
    "str": "str",
    "bool": "bool",
    "list": "list",
    "List": "list",
    "tuple": "list",
    "dict": "dict",
    "Dict": "dict",
}
_TYPE_COMMENT: Final = re.compile(r"type:\s*([\w.\[\], |]+?)\s*(?:#\s*(.*))?")


def tagged(cells: Sequence[Mapping[str, Any]], tag: str) -> int | None:
    """The index of the first code cell with ``tag``."""
    for index, cell in enumerate(cells):
        if cell.get("cell_type") == "code" and tag in cell.get("metadata", {}).get("tags", ()):
            return index
    return None


def read_parameters(notebook: Mapping[str, Any], language: str) -> tuple[Parameter, ...] | None:
    """The parameters of a notebook in the order of its cell; ``None`` without such a cell.

    Languages other than Python, R and Julia give an empty tuple.
    Raises :class:`InputError` (``bad-parameters-cell``) when the cell is no Python.
    """
    index = tagged(notebook["cells"], TAG)
    if index is None:
        return None
    source = source_of(notebook["cells"][index])
    if language.lower() == "python":
        found = _python(source)
    elif language.lower() in _LINES:
        found = _by_lines(source, language.lower())
    else:
        return ()
    # the last assignment to a name is the one that counts
    return tuple({parameter.name: parameter for parameter in found}.values())


def _python(source: str) -> Iterator[Parameter]:
    plain = plain_python(source)
    try:
        tree = ast.parse(plain)
    except SyntaxError as error:
        raise InputError(
            f"The parameters cell has a syntax error in line {error.lineno}: {error.msg}. "
            "Correct it, then submit again.",
            code="bad-parameters-cell",
            field="source",
        ) from error
    comments = _comments(plain)
    for node in tree.body:
        comment = comments.get(node.end_lineno or 0)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield from _parameter(node.target, node.value, _annotated(node.annotation), comment)
        elif isinstance(node, ast.Assign):
            for target, value in _pairs(node):
                yield from _parameter(target, value, None, comment)


def _pairs(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        both = isinstance(target, ast.Tuple | ast.List), isinstance(node.value, ast.Tuple)
        if all(both) and len(target.elts) == len(node.value.elts):  # type: ignore[attr-defined]
            yield from zip(target.elts, node.value.elts, strict=True)  # type: ignore[attr-defined]
        else:
            yield target, node.value


def _parameter(
    target: ast.expr, value: ast.expr, kind: Kind | None, comment: str | None
) -> Iterator[Parameter]:
    if not isinstance(target, ast.Name) or not PARAMETER_NAME.fullmatch(target.id):
        return
    if comment and (typed := _TYPE_COMMENT.fullmatch(comment)):
        kind, comment = kind or _named(typed.group(1)), typed.group(2)
    try:
        default, own = _literal(ast.literal_eval(value))
    except (ValueError, TypeError, MemoryError, RecursionError):
        default, own = None, "expression"
    yield Parameter(
        name=target.id,
        kind=own if own == "expression" else _agreed(kind, own),
        default=default,
        source=ast.unparse(value),
        help=comment or None,
    )


def _agreed(wanted: Kind | None, own: Kind) -> Kind:
    """The annotated kind, unless the default could not be of it (``x: int = "a"``)."""
    fits = own == "none" or wanted == own or (wanted, own) == ("float", "int")
    return wanted if wanted and fits else own


def _annotated(annotation: ast.expr) -> Kind | None:
    return _named(ast.unparse(annotation))


def _named(text: str) -> Kind | None:
    text = text.strip("\"' ").removeprefix("typing.")
    if text.startswith("Optional["):
        text = text[len("Optional[") : -1]
    names = [part.strip() for part in text.split("|") if part.strip() != "None"]
    return _KINDS.get(names[0].split("[")[0]) if len(names) == 1 else None


def _literal(value: Any) -> tuple[JsonValue, Kind]:
    """A Python literal as a JSON value. Raises :class:`ValueError` when JSON has no such value."""
    if value is None:
        return None, "none"
    if isinstance(value, list | tuple):
        return [_literal(item)[0] for item in value], "list"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys that are no text")
        return {key: _literal(item)[0] for key, item in value.items()}, "dict"
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("no JSON number")
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return value, _KINDS[kind.__name__]
    raise ValueError("no JSON value")


def _comments(source: str) -> dict[int, str]:
    """Comments by line, without their sign."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("#").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


_VALUE: Final = r"""("[^"\\]*"|'[^'\\]*'|.+?)\s*;?\s*(?:#+\s*(.*))?"""
"""A text without escapes, which may hold a ``#``, or anything else; then a comment."""
_LINES: Final = {
    "r": re.compile(rf"\s*(\w+)\s*(?:<-|=)\s*{_VALUE}"),
    "julia": re.compile(rf"\s*(?:const\s+)?(\w+)(?:::\w+)?\s*=\s*{_VALUE}"),
}
_WORDS: Final[Mapping[str, tuple[JsonValue, Kind]]] = {
    "TRUE": (True, "bool"),
    "FALSE": (False, "bool"),
    "true": (True, "bool"),
    "false": (False, "bool"),
    "NULL": (None, "none"),
    "nothing": (None, "none"),
}
_INT: Final = re.compile(r"[+-]?[0-9]{1,18}L?", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
_STRING: Final = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")


def _by_lines(source: str, language: str) -> Iterator[Parameter]:
    """One assignment of a plain literal a line; anything else is an expression."""
    for line in source.splitlines():
        found = _LINES[language].fullmatch(line)
        if not found or not PARAMETER_NAME.fullmatch(found.group(1)):
            continue
        name, text, help_text = found.groups()
        default, kind = _word(text)
        if language == "r" and kind == "int" and not text.endswith("L"):
            kind = "float"  # 1 is a double in R; whole numbers are written 1L
        if language == "julia" and kind == "str" and "$" in text:
            default, kind = None, "expression"  # $ stands for a value of the moment
        yield Parameter(name=name, kind=kind, default=default, source=text, help=help_text or None)


def _word(text: str) -> tuple[JsonValue, Kind]:
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text.rstrip("L")), "int"
    if _FLOAT.fullmatch(text):
        return float(text), "float"
    if found := _STRING.fullmatch(text):
        return found.group(1) if found.group(1) is not None else found.group(2), "str"
    return None, "expression"
