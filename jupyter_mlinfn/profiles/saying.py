"""What pydantic found wrong with the shape of a file, said for an admin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.nearness import did_you_mean
from jupyter_mlinfn.profiles.document import (
    Accelerator,
    Backup,
    Ceiling,
    CountableResource,
    Document,
    Image,
    Profile,
    Times,
    Volume,
)
from jupyter_mlinfn.profiles.nearness import listed, shown
from jupyter_mlinfn.profiles.places import Places
from jupyter_mlinfn.profiles.positions import KeyPath
from jupyter_mlinfn.profiles.values import LONGEST_NAME

TABLES: dict[str, type[BaseModel]] = {
    "image": Image,
    "accelerator": Accelerator,
    "resource": CountableResource,
    "volume": Volume,
    "profile": Profile,
}

_NOT_HERE = (
    "There is nothing like it here, and nothing that stands for it: a session is never privileged. "
    'What there is: privileges = ["fuse", "userns"], each alone, in a profile.'
)
_WITHOUT = {
    **dict.fromkeys(
        (
            "privileged", "cap_add", "capabilities", "security_opt", "allow_privilege_escalation",
            "devices", "pid", "pid_mode", "ipc", "ipc_mode", "network", "network_mode",
            "hostNetwork", "host_network", "userns_mode", "run_as_user", "runAsUser", "sudo",
        ),
        _NOT_HERE,
    ),
    **dict.fromkeys(
        ("token", "password", "secret", "client_secret", "secrets"),
        "Secrets have no place in this file: every session could show them.",
    ),
    "gpus": "One session has one accelerator; how large it may be is [ceiling] slices, in "
    "sevenths of a GPU.",
    "namespace": "Namespaces are set where the hub is, not by a profile.",
    "allowed_images": "Images are tables, [image.NAME], and a profile lists their names: images.",
    "image": "A profile lists names of images: images = [\"NAME\"].",
}  # fmt: skip


def say(places: Places, error: ErrorDetails) -> Problem:
    """The problem that one of pydantic's errors stands for, with its line."""
    path = tuple(part for part in error["loc"] if part != "[key]")
    write = _WORDS.get(error["type"])
    if write is not None:
        text = write(path, error)
    elif error["type"] == "profiles":
        text = error["msg"]
    else:
        text = f"{error['msg']}."
    return places.problem(path, text, code=_CODES.get(error["type"], "bad-value"))


def table_of(path: KeyPath) -> type[BaseModel]:
    """The class of the table that the last part of ``path`` is a key of."""
    if len(path) <= 1:
        return Document
    if path[0] == "ceiling":
        return Ceiling
    if len(path) >= 4 and path[2] == "time":
        return Times
    if len(path) >= 4 and path[2] == "backup":
        return Backup
    return TABLES.get(str(path[0]), Document)


def keys_of(table: type[BaseModel]) -> list[str]:
    """The keys that a table may have, as they are written."""
    return [field.alias or name for name, field in table.model_fields.items()]


def _missing(path: KeyPath, _: ErrorDetails) -> str:
    return f"'{path[-1]}' is missing."


def _unknown(path: KeyPath, _: ErrorDetails) -> str:
    key = str(path[-1])
    allowed = keys_of(table_of(path))
    text = f"There is no key {shown(key)} here."
    if key in _WITHOUT:
        return f"{text} {_WITHOUT[key]}"
    return f"{text}{did_you_mean(key, allowed)} There are: {listed(allowed)}."


def _not_one_of(path: KeyPath, error: ErrorDetails) -> str:
    expected = _literals(path) or [error["ctx"]["expected"]]
    value = error["input"]
    text = f"{shown(value)} is not one of: {listed(expected)}.{did_you_mean(value, expected)}"
    return f"{text} {_NOT_HERE}" if len(path) > 2 and path[2] == "privileges" else text


def _literals(path: KeyPath) -> list[str]:
    """What the ``Literal`` of a key allows."""
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    whole = path[: path.index(key) + 1] if key in path else path
    field = table_of(whole).model_fields.get(key)
    return list(_texts_in(field.annotation)) if field is not None else []


def _texts_in(annotation: object) -> Mapping[str, None]:
    found: dict[str, None] = {}
    for part in get_args(annotation):
        found |= {part: None} if isinstance(part, str) else _texts_in(part)
    return found


def _no_name(path: KeyPath, error: ErrorDetails) -> str:
    value = shown(error["input"])
    if len(path) > 2 and path[2] == "mig":
        return f"{value} is no shape of a MIG slice. Write it as NVIDIA does, such as '1g.10gb'."
    if len(path) > 2 and path[2] == "queues":
        return f"{value} is no name of a queue."
    if path[-1] == "keep":
        return f"{value} is no rule. Write it like 'all=2d,daily=14,weekly=8,monthly=6'."
    return (
        f"{value} is no name. A name begins with a letter and has small letters, digits and single "
        f"dashes, {LONGEST_NAME} at most."
    )


def _kind(noun: str) -> Callable[[KeyPath, ErrorDetails], str]:
    def write(_: KeyPath, error: ErrorDetails) -> str:
        return f"{shown(error['input'])} is not what belongs here: write {noun}."

    return write


def _range(_: KeyPath, error: ErrorDetails) -> str:
    limits = error["ctx"]
    if "ge" in limits:
        return f"{shown(error['input'])} is too small: {limits['ge']} or more."
    return f"{shown(error['input'])} is too large: {limits['le']} or less."


def _empty(_: KeyPath, __: ErrorDetails) -> str:
    return "The list is empty: it has one entry or more."


_WORDS: dict[str, Callable[[KeyPath, Any], str]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _not_one_of,
    "string_pattern_mismatch": _no_name,
    "string_too_long": lambda _, e: f"The text is longer than {e['ctx']['max_length']} characters.",
    "string_type": _kind("a text in quotes"),
    "int_type": _kind("a whole number without quotes"),
    "bool_type": _kind("true or false"),
    "dict_type": _kind("a table"),
    "model_type": _kind("a table"),
    "greater_than_equal": _range,
    "less_than_equal": _range,
    "too_short": _empty,
}
_CODES = {"missing": "missing-key", "extra_forbidden": "unknown-key"}
