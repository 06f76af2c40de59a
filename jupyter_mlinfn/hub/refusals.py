"""Our errors as the hub's: the same sentence for the form, the REST API and the log.

``SpawnException`` is JupyterHub's own way (6.0) to say no without a traceback; its ``reason``
becomes a label of a metric, so only our stable codes go there.

The hub's log has one line for a refusal, JupyterHub's own "Not starting …" with the sentence. What
it writes beside that with a traceback (6.0: around ``apply_user_options``, and for a form) is left
out by :func:`quiet_refusals`; a traceback is for what somebody has to mend.
"""

from __future__ import annotations

import logging

from jupyterhub.spawner import SpawnException

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.model.errors import MlinfnError

RETRY_AFTER = 60
"""Seconds after which asking again may help, for programs."""


class Refusal(SpawnException):  # type: ignore[misc]
    """A start that was refused: the person is told why, and nothing is broken."""


def quiet_refusals(log: logging.Logger) -> None:
    """Keep tracebacks of refusals out of ``log``; everything else is logged as before."""
    log.addFilter(_is_no_traceback_of_a_refusal)


def _is_no_traceback_of_a_refusal(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], Refusal))


def refusal(error: MlinfnError) -> Refusal:
    """What the hub answers for ``error``: its status, its text, the field where there is one."""
    text = " ".join(
        problem.text if _names(problem.field, problem.text) else f"{problem.field}: {problem.text}"
        for problem in error.problems
    )
    answer = Refusal(text, reason=error.code, status_code=error.status)
    # what the form shows instead of the exception's own name
    answer.jupyterhub_message = text
    if isinstance(error, NoneFree):
        answer.headers = {"Retry-After": str(error.retry_after)}
    elif error.status in (429, 503):
        answer.headers = {"Retry-After": str(RETRY_AFTER)}
    return answer


def _names(field: str | None, text: str) -> bool:
    return field is None or field in text
