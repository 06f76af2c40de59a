"""The values of ``profiles.toml``: how each is written, what it becomes, what is refused.

TOML has types, so nothing is guessed from another one: ``cpu = "2"`` is a mistake, not a two.
Memory becomes bytes and times become seconds when the file is read.
"""

from __future__ import annotations

import posixpath
import re
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.quantities import parse_duration, parse_memory

NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*", re.ASCII)
LONGEST_NAME = 40
EVERYONE = "*"
"""As a group: everybody who can log in."""

_GROUP_PART = re.compile(r"[^\s,/\x00-\x1f\x7f](?:[^,/\x00-\x1f\x7f]*[^\s,/\x00-\x1f\x7f])?")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]")
_LABEL_PART = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"(?:[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?/)?{_LABEL_PART}", re.ASCII)
_LABEL_VALUE = re.compile(_LABEL_PART, re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
_OWNED = re.compile(
    r"(?:LD_|DYLD_|PYTHON|JUPYTER|JPY_|MLINFN_|NVIDIA_|CUDA_VISIBLE|KUBERNETES_|NB_).*"
    r"|PATH|HOME|USER|SHELL|IFS|BASH_ENV|ENV"
)
_ADDRESS = re.compile(r"(https?)://(\[[0-9a-f:]+\]|[a-z0-9][a-z0-9.-]{0,252})(:[0-9]{1,5})?")
_THIS_MACHINE = ("localhost", "127.0.0.1", "[::1]")
_SECRET = re.compile(r"(?i).*(?:TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY).*")


def wrong(text: str) -> PydanticCustomError:
    """The error of a value that cannot be used; ``text`` is a whole sentence for the admin."""
    return PydanticCustomError("profiles", "{text}", {"text": text})


def _memory(value: object) -> int:
    if not isinstance(value, str):
        raise wrong('An amount of memory is a text with a unit, such as "8GiB".')
    try:
        return parse_memory(value)
    except InputError as error:
        raise wrong(error.text) from error


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise wrong('A time is a text with a unit, such as "12h" or "90min".')
    try:
        return parse_duration(value)
    except InputError as error:
        raise wrong(error.text) from error


def _list(value: object) -> object:
    if isinstance(value, dict):
        raise wrong("This is a list of tables: each begins with its name in two brackets, [[…]].")
    if not isinstance(value, list):
        raise wrong(f"This is a list: write [{_as_toml(value)}].")
    return tuple(value)


def _as_toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _cpu(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("A number of CPUs is written without quotes, such as 2 or 0.5.")
    if not 0.1 <= value <= 4096:  # also what a NaN ends at
        raise wrong(f"{value} CPUs are outside of 0.1 to 4096.")
    if round(value, 2) != value:
        raise wrong("A number of CPUs has two decimals at most, such as 0.25.")
    return float(value)


def _text(value: str) -> str:
    if _CONTROLS.search(value) or value != value.strip() or not value:
        raise wrong("A text is one line, not empty, without spaces at its ends.")
    return value


def _group(value: str) -> str:
    if value == EVERYONE:
        return value
    if value.startswith("/"):
        raise wrong(f"'{value}' begins with a slash. Groups are written without: '{value[1:]}'.")
    parts = value.split("/")
    if len(value) > 255 or any(
        not _GROUP_PART.fullmatch(part) or part in {".", "..", EVERYONE} for part in parts
    ):
        raise wrong(
            f"'{value[:80]}' is no path of a group. Write one group as its full path, such as "
            "'users/ai-infn'; several are a list."
        )
    return value


def _folder(value: str) -> str:
    if not value.startswith("/") or posixpath.normpath(value) != value or ":" in value:
        raise wrong(
            f"'{value[:80]}' is no folder of a session. Write its whole path, plainly and without "
            "a colon."
        )
    return value


def _label_key(value: str) -> str:
    if not _LABEL_KEY.fullmatch(value):
        raise wrong(f"'{value[:80]}' is no name of a Kubernetes label (63 characters at most).")
    return value


def _label_value(value: str) -> str:
    if not _LABEL_VALUE.fullmatch(value):
        raise wrong(f"'{value[:80]}' is no value of a Kubernetes label (63 characters at most).")
    return value


def _address(value: str) -> str:
    parts = _ADDRESS.fullmatch(value)
    if parts is None:
        raise wrong(
            f"'{value[:80]}' is no address of a service. Write it with its host alone, such as "
            "'https://s3.example.org'."
        )
    host = parts[2]
    near = host in _THIS_MACHINE or not set(".:") & set(host)
    if parts[1] == "http" and not near and not host.endswith((".svc", ".svc.cluster.local")):
        raise wrong(
            f"'{value[:80]}' is no https address: tokens would travel in clear. http is for this "
            "machine and for names inside the engine's or the cluster's own network."
        )
    return value


def _role(value: str) -> str:
    if not re.fullmatch(r"arn:[\x21-\x7e]{16,2044}", value):
        raise wrong(
            f"'{value[:80]}' is no role. Write its ARN, such as 'arn:aws:iam::1234:role/people'."
        )
    return value


def _region(value: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,40}", value):
        raise wrong(f"'{value[:80]}' is no region. Write it like 'us-east-1'.")
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise wrong(f"'{value[:80]}' cannot be the name of a variable.")
    if _OWNED.fullmatch(value):
        raise wrong(f"{value} cannot be set here: it belongs to the system or to the hub.")
    if _SECRET.fullmatch(value):
        raise wrong(
            f"{value} looks like a secret. This file holds none: every session would show it."
        )
    return value


Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_text)]
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=f"^{NAME.pattern}$")]
Group = Annotated[str, AfterValidator(_group)]
Memory = Annotated[
    int,
    BeforeValidator(_memory),
    WithJsonSchema(
        {"type": "string", "examples": ["8GiB"], "pattern": r"^[0-9.]+ ?[kKmMgGtTpP]?[iI]?[bB]?$"}
    ),
]
Duration = Annotated[
    int,
    BeforeValidator(_duration),
    WithJsonSchema(
        {"type": "string", "examples": ["12h", "90min"], "pattern": r"^[0-9][0-9.a-z:-]*$"}
    ),
]
Cpu = Annotated[
    float,
    BeforeValidator(_cpu),
    WithJsonSchema({"type": "number", "minimum": 0.1, "maximum": 4096}),
]
Folder = Annotated[str, StringConstraints(max_length=1000), AfterValidator(_folder)]
Queue = Annotated[str, StringConstraints(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._/@-]*$")]
LabelKey = Annotated[str, AfterValidator(_label_key)]
LabelValue = Annotated[str, AfterValidator(_label_value)]
Variable = Annotated[str, AfterValidator(_variable)]
Address = Annotated[str, AfterValidator(_address)]
Region = Annotated[str, AfterValidator(_region)]
Role = Annotated[str, AfterValidator(_role)]
Sevenths = Annotated[int, Field(strict=True, ge=1, le=7)]
Port = Annotated[int, Field(strict=True, ge=1024, le=65535)]
Count = Annotated[int, Field(strict=True, ge=1, le=1000)]
Flag = Annotated[bool, Field(strict=True)]

ListOf = BeforeValidator(_list)
