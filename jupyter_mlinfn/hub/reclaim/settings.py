"""The settings of idle reclaim. Times in seconds."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from jupyter_mlinfn.hub.reclaim.policy import Rule
from jupyter_mlinfn.model.plans import Limits
from jupyter_mlinfn.model.states import Frozen


class ReclaimSettings(Frozen):
    """``dry_run``: decide and log, end nothing, warn nobody; so a first installation begins.

    ``when``: whether idle accelerators are released always, or only while somebody wants one of
    their kind and gets none: people wait in line, or one was refused within the last ``wanted``
    seconds and none has become free. ``hosts``: for each host with accelerators the command in
    front of its agent, empty on the hub's own (docs/hub-services.md, section 1). ``warn`` is for
    plans that do not say.
    """

    dry_run: bool = True
    when: Literal["always", "contended"] = "always"
    wanted: float = Field(default=900.0, gt=0)
    interval: float = Field(default=10.0, gt=0)
    gap: float = Field(default=90.0, gt=0)
    warn: int = Field(default=1200, ge=0)
    keep: int = Field(default=3600, gt=0)
    keeps: int = Field(default=2, ge=0)
    cull_every: int = Field(default=60, gt=0)
    hosts: tuple[tuple[str, ...], ...] = ((),)
    simulated: bool = False

    def rule(self, limits: Limits) -> Rule:
        """The rule for a session with these limits; without ``gpu_idle`` it is never warned."""
        return Rule(
            idle=math.inf if limits.gpu_idle is None else limits.gpu_idle,
            warn=self.warn if limits.warn is None else limits.warn,
            gap=self.gap,
            keep=self.keep,
            keeps=self.keeps,
        )
