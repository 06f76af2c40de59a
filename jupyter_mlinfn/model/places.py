"""What every place says to a draft: could it run there, when would it start, why not."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from jupyter_mlinfn.model.errors import Problem


class Outlook(BaseModel):
    """The answer of one back-end to one draft.

    ``ok``: the job can run there; ``problems`` say why not. ``text`` is one sentence for people.
    ``silent``: it did not answer in time. ``allowed``: the automatic choice may take it.
    ``expected_start`` and ``position`` (jobs before it) as far as its system tells.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    title: str
    ok: bool
    text: str
    starts_now: bool = False
    expected_start: AwareDatetime | None = None
    position: int | None = Field(default=None, ge=0)
    silent: bool = False
    allowed: bool = True
    problems: tuple[Problem, ...] = ()
