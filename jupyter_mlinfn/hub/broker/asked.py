"""What may be asked in a query: a few parameters, each once, each of a known form. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from jupyter_mlinfn.hub.broker.persons import Person
from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.model.kubernetes import JOB, OWNER

PAGE: Final = 500

_WHOLE: Final = r"[1-9][0-9]{0,8}"
_FORMS: Final[Mapping[str, str]] = {
    "limit": r"[1-9][0-9]?|[1-4][0-9]{2}|500",
    "continue": r"[A-Za-z0-9+/=_.-]{1,4096}",
    "labelSelector": rf"{OWNER}=[0-9a-f]{{20}}(,{JOB}=[a-z2-7]{{10}})?",
    "fieldSelector": r"status\.phase!=Succeeded",
    "fieldValidation": r"Strict|Warn|Ignore",
    "fieldManager": r"[A-Za-z0-9._-]{1,128}",
    "follow": r"true|false",
    "tailLines": _WHOLE,
    "limitBytes": _WHOLE,
}  # fmt: skip

LISTS: Final = frozenset({"limit", "continue", "labelSelector"})
LOGS: Final = frozenset({"follow", "tailLines", "limitBytes"})


def parameters(told: Mapping[str, Sequence[bytes]], allowed: frozenset[str]) -> dict[str, str]:
    """The parameters of a request. Raises :class:`InputError` naming each that is wrong."""
    found, problems = {}, []
    for name, values in told.items():
        text = values[-1].decode("utf-8", "replace")
        if name not in allowed:
            problems.append(_problem(name, "This cannot be asked here."))
        elif len(values) != 1 or not re.fullmatch(_FORMS[name], text, re.ASCII):
            problems.append(_problem(name, "It has another form, or is there twice."))
        found[name] = text
    if problems:
        raise InputError(problems[0].text, problems=problems[:20])
    return found


def own(asked: Mapping[str, str], who: Person) -> dict[str, str]:
    """The parameters of a list of what is hers alone. Raises :class:`InputError` where another's
    is asked for."""
    selected = asked.get("labelSelector", "")
    mine = f"{OWNER}={who.owner}"
    if selected and selected.partition(",")[0] != mine:
        raise InputError("This label is another person's.", field="labelSelector")
    return {"limit": str(PAGE), **asked, "labelSelector": selected or mine}


def _problem(name: str, text: str) -> Problem:
    return Problem(code="bad-input", field=ascii(name)[1:-1][:100], text=text)
