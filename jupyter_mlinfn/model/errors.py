"""Every error this package raises on purpose, as one tree.

::

    MlinfnError
    ├── InputError          what the person gave cannot be used           exit 2   HTTP 400
    ├── NotFound            there is no such job, environment, file       exit 2   HTTP 404
    ├── Conflict            it cannot be done in the present state        exit 1   HTTP 409
    ├── PartMissing         a program, environment, back-end is missing   exit 3   HTTP 424
    ├── Unavailable         the store or a part is silent for now         exit 3   HTTP 503
    └── Refused             no right, over quota, recorded ≠ present      exit 4   HTTP 403

``code`` is stable and for programs; ``text`` is for people: what happened, why, what to do.
HTTP status and exit code are derived here, and only ``server/problems.py`` and
``cli/main.py`` turn them into answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One thing that is wrong: ``field`` names the input (dotted), ``text`` says what to do."""

    model_config = ConfigDict(frozen=True)

    code: str
    text: str
    field: str | None = None
    hint: str | None = None


class MlinfnError(Exception):
    """Base of the tree; carries one or several :class:`Problem`."""

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "error"

    def __init__(
        self,
        text: str,
        *,
        code: str | None = None,
        field: str | None = None,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code or self.default_code
        self.field = field
        self.hint = hint
        self.problems: tuple[Problem, ...] = tuple(problems) or (
            Problem(code=self.code, text=text, field=field, hint=hint),
        )


class InputError(MlinfnError):
    """What the person gave cannot be used."""

    exit_code = 2
    status = 400
    default_code = "bad-input"


class NotFound(MlinfnError):
    """There is no such thing."""

    exit_code = 2
    status = 404
    default_code = "not-found"


class Conflict(MlinfnError):
    """It cannot be done in the present state."""

    exit_code = 1
    status = 409
    default_code = "conflict"


class PartMissing(MlinfnError):
    """A needed part (environment, program, back-end) is missing."""

    exit_code = 3
    status = 424
    default_code = "part-missing"


class Unavailable(MlinfnError):
    """A needed part is silent for now; asking again later may help."""

    exit_code = 3
    status = 503
    default_code = "unavailable"


class Refused(MlinfnError):
    """No right to do it, over a limit, or what was recorded is not what is here."""

    exit_code = 4
    status = 403
    default_code = "refused"
