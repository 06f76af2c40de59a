"""Whom notices may go to, by the owner's and the person's word."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jupyter_mlinfn.jobs.notices.webhook import HookPolicy, refusal
from jupyter_mlinfn.model.errors import Problem


@dataclass(frozen=True)
class NoticeSettings:
    """``mail``: ``host``, ``sender``, ``to`` and ``security`` (``starttls``, ``tls``, ``none``);
    without host nobody gets e-mail. ``hooks``: which web addresses are allowed."""

    mail: Mapping[str, str] = field(default_factory=dict)
    hooks: HookPolicy = field(default_factory=HookPolicy)

    def problems(self, targets: Sequence[str]) -> list[Problem]:
        """Why these cannot be told."""
        found = []
        for number, target in enumerate(targets):
            if why := self._refusal(target):
                found.append(Problem(code="bad-notice", text=why, field=f"notify.{number}"))
        return found

    def plan(self, targets: Sequence[str]) -> bytes:
        """What is noted beside the job for whoever sees its end."""
        hooks = {"hosts": self.hooks.hosts, "private": self.hooks.private}
        told = {"targets": list(targets), "mail": dict(self.mail), "webhooks": hooks}
        return json.dumps(told, indent=1).encode()

    def _refusal(self, target: str) -> str:
        if target == "lab":
            return ""
        if target != "mail":
            return refusal(target, self.hooks)
        if not self.mail.get("host") or not self.mail.get("sender"):
            return "No mail server is set up here, so nobody can be told by e-mail."
        if not self.mail.get("to"):
            return (
                "Say where your e-mail goes: set c.Mlinfn.mail_to = 'you@example.org' "
                "in your jupyter_mlinfn_config.py."
            )
        return ""
