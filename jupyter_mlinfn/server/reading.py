"""What a request says, read strictly: JSON bodies, query parameters, the idempotency key.

Everything raises :class:`~jupyter_mlinfn.model.errors.InputError` or one of the two errors of
HTTP alone that are defined here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar, get_origin

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.model.errors import InputError, Problem
from jupyter_mlinfn.server.messages import CLIENT_MESSAGE, ClientMessage
from jupyter_mlinfn.server.table import MAX_BODY

MAX_DEPTH = 50
KEY = re.compile(r"[A-Za-z0-9._:-]{1,100}", re.ASCII)
OF_JUPYTER = frozenset({"token", "no_track_activity"})
"""Query parameters that Jupyter itself reads on every request."""

WORDS = {
    "union_tag_invalid": "There is no such action.",
    "union_tag_not_found": "Say what to do: give an action.",
}
"""Instead of sentences that would repeat what was sent."""

M = TypeVar("M", bound=BaseModel)


class TooLongError(InputError):
    """The body is longer than :data:`MAX_BODY`."""

    status = 413
    default_code = "body-too-long"


class NotJsonError(InputError):
    """The body is not declared to be JSON."""

    status = 415
    default_code = "not-json"


def read_body(model: type[M], body: bytes, content_type: str) -> M:
    """The body as ``model``; all problems at once."""
    if len(body) > MAX_BODY:
        raise TooLongError(f"The request is longer than {MAX_BODY // 2**20} MiB.")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise NotJsonError("Send the request as application/json.")
    return validated(model, read_json(body))


def read_json(body: bytes) -> Any:
    """JSON as RFC 8259 has it, in UTF-8, without duplicate names, NaN or endless nesting."""
    try:
        value = json.loads(
            body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant
        )
    except UnicodeDecodeError:
        raise InputError("The request is not UTF-8 text.", code="bad-encoding") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        position = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"The request is not JSON{position}.", code="bad-json") from None
    _check_depth(value)
    return value


def read_query(model: type[M], arguments: Mapping[str, Sequence[bytes]]) -> M:
    """The query string as ``model``. A name nobody knows is refused, not ignored.

    Jupyter's own parameters and the nameless number that browsers' clients add against caches
    are passed over.
    """
    values: dict[str, Any] = {}
    for name, given in arguments.items():
        if name in OF_JUPYTER or re.fullmatch(r"[0-9]+", name, re.ASCII):
            continue
        try:
            texts = [value.decode("utf-8") for value in given]
        except UnicodeDecodeError:
            raise InputError(
                f"The parameter '{name[:40]}' is not UTF-8 text.", code="bad-encoding"
            ) from None
        field = model.model_fields.get(name)
        many = field is not None and get_origin(field.annotation) is tuple
        if len(texts) > 1 and not many:
            raise InputError(f"'{name[:40]}' is given twice.", code="given-twice", field=name[:40])
        values[name] = texts if many else texts[0]
    return validated(model, values)


def read_message(message: str | bytes) -> ClientMessage:
    """One frame of a live client."""
    value = read_json(
        message.encode("utf-8", "surrogatepass") if isinstance(message, str) else message
    )
    try:
        return CLIENT_MESSAGE.validate_python(value)
    except ValidationError as error:
        raise refused(error) from None


def read_key(header: str | None) -> str | None:
    """The ``Idempotency-Key``: 1 to 100 letters, digits and ``. _ : -``."""
    if header is None or KEY.fullmatch(header):
        return header
    raise InputError(
        "An idempotency key has 1 to 100 letters, digits, dots, colons or dashes.",
        code="bad-key",
        field="Idempotency-Key",
    )


def validated(model: type[M], value: Any) -> M:
    """``value`` as ``model``, or one :class:`InputError` with every field at fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise refused(error, _chosen(value)) from None


def _chosen(value: Any) -> str | None:
    """Which of several models a request names (``action``); it is no field of that model."""
    chosen = value.get("action") if isinstance(value, dict) else None
    return chosen if isinstance(chosen, str) else None


def refused(error: ValidationError, chosen: str | None = None) -> InputError:
    """What pydantic found, in our words, without echoing the values given."""
    problems = tuple(
        Problem(
            code="bad-value" if found["type"] != "extra_forbidden" else "unknown-field",
            field=_field(found["loc"], chosen),
            text=WORDS.get(found["type"]) or _sentence(str(found["msg"])),
        )
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )
    names = ", ".join(sorted({problem.field for problem in problems if problem.field}))
    text = f"Please correct: {names[:300]}." if names else problems[0].text
    return InputError(text, code="bad-input", problems=problems)


def _field(place: tuple[int | str, ...], chosen: str | None) -> str | None:
    """The dotted name of the field at fault."""
    parts = place[1:] if chosen is not None and place[:1] == (chosen,) else place
    return ".".join(str(part)[:100] for part in parts if part != "[key]") or None


def _sentence(message: str) -> str:
    text = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "")
    text = text or "There is no field of this name"
    return text if text.endswith(".") else f"{text}."


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"'{twice[:40]}' is given twice.", code="given-twice", field=twice[:40])
    return found


def _constant(name: str) -> NoReturn:
    raise InputError(f"{name} is not a number JSON knows.", code="bad-number")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            if isinstance(parent, dict | list)
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> InputError:
    return InputError(f"The request is nested deeper than {MAX_DEPTH} levels.", code="too-deep")
