"""The one place where an error becomes an answer: RFC 9457 problem documents.

Nothing of the fault's inside goes out: no traceback, no path of the installation, no token.
"""

from __future__ import annotations

import errno
from http import HTTPStatus

from jupyter_mlinfn.model.errors import MlinfnError, Problem, Unavailable
from jupyter_mlinfn.server.answers import ProblemDocument

CONTENT_TYPE = "application/problem+json"
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})

WORDS = {
    400: ("bad-request", "The request could not be understood."),
    403: ("not-allowed", "You are not logged in here, or have no right to do this."),
    404: ("not-found", "There is nothing at this address."),
    405: ("bad-verb", "This address does not know that verb."),
    413: ("body-too-long", "The request is too long."),
}
UNEXPECTED = (
    "internal",
    "Something went wrong in the server. Nothing was changed that it had not confirmed. "
    "The server's log says more.",
)


def known(error: BaseException) -> MlinfnError | None:
    """``error`` as one of our tree, when it is one or says the disk is full."""
    if isinstance(error, MlinfnError):
        return error
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        return Unavailable(
            "The disk is full, or your quota is used up. Nothing was submitted or changed. "
            "Make room and try again.",
            code="disk-full",
        )
    return None


def describe(error: MlinfnError) -> ProblemDocument:
    """The document of one of our errors, with all its problems."""
    return _document(error.status, error.code, error.text, error.problems)


def describe_status(status: int) -> ProblemDocument:
    """The document of a status that tornado or Jupyter gave (403, 404, 405, 500, …)."""
    code, text = WORDS.get(status, UNEXPECTED if status >= 500 else WORDS[400])
    return _document(status, code, text, (Problem(code=code, text=text),))


def _document(
    status: int, code: str, detail: str, problems: tuple[Problem, ...]
) -> ProblemDocument:
    return ProblemDocument(
        type=f"urn:mlinfn:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        problems=problems,
    )
