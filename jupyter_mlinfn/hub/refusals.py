"""Our errors as the hub's: the same sentence for the form, the REST API and the log.

``SpawnException`` is JupyterHub's own way (6.0) to say no without a traceback; its ``reason``
becomes a label of a metric, so only our stable codes go there.
"""

from __future__ import annotations

from jupyterhub.spawner import SpawnException

from jupyter_mlinfn.leases.refusing import NoneFree
from jupyter_mlinfn.model.errors import MlinfnError

RETRY_AFTER = 60
"""Seconds after which asking again may help, for programs."""


def refusal(error: MlinfnError) -> SpawnException:
    """What the hub answers for ``error``: its status, its text, the field where there is one."""
    text = " ".join(
        problem.text if _names(problem.field, problem.text) else f"{problem.field}: {problem.text}"
        for problem in error.problems
    )
    answer = SpawnException(text, reason=error.code, status_code=error.status)
    # what the form shows instead of the exception's own name
    answer.jupyterhub_message = text
    if isinstance(error, NoneFree):
        answer.headers = {"Retry-After": str(error.retry_after)}
    elif error.status in (429, 503):
        answer.headers = {"Retry-After": str(RETRY_AFTER)}
    return answer


def _names(field: str | None, text: str) -> bool:
    return field is None or field in text
