"""What is asked of a job beside its run: which others come before it, how often it is tried,
who is told of its end, what secrets it needs, whether it may be handed on.

Request, spec and record of a job all have these fields.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from jupyter_mlinfn.model.states import Frozen, JobId

MAX_BEFORE: Final = 100
"""So many jobs can be named one by one as those that come before another."""


MAX_RETRIES: Final = 20

RetryReason = Literal[
    "notebook-error", "command-failed", "kernel-died", "out-of-memory", "time-limit", "disk-full"
]
"""What is tried again only where it was named: it may well happen again."""


MAX_NOTICES: Final = 10
MAX_SECRETS: Final = 20

Target = Annotated[
    str, StringConstraints(pattern=r"^(lab|mail|https?://[^\s]{1,2000})$", max_length=2010)
]
SecretName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$")]


class Wishes(Frozen):
    """``after``: it starts when these jobs have ended, however they did; ``after_ok``: when
    these have succeeded, and never when one of them did not. ``retries``: it starts so often again
    when its machine was lost or stopped, and when it ended for one of the reasons ``retry_on``.
    ``notify``: who is told when it has ended; of a web address records show the host alone.
    ``secrets``: names of what it needs, as the settings declare them. ``offload``: it may run on
    machines elsewhere that the system hands jobs on to, and that see no folder of here."""

    after: tuple[JobId, ...] = Field(default=(), max_length=MAX_BEFORE)
    after_ok: tuple[JobId, ...] = Field(default=(), max_length=MAX_BEFORE)
    retries: int = Field(default=0, ge=0, le=MAX_RETRIES)
    retry_on: tuple[RetryReason, ...] = Field(default=(), max_length=6)
    notify: tuple[Target, ...] = Field(default=(), max_length=MAX_NOTICES)
    secrets: tuple[SecretName, ...] = Field(default=(), max_length=MAX_SECRETS)
    offload: bool = False
