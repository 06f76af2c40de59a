"""What the provider last said of each person, and who is asking it about her right now."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from dataclasses import dataclass
from enum import Enum


class Standing(Enum):
    """What asking the provider about a person came to."""

    SOUND = "sound"
    """She is who she was and may come in."""
    REFUSED = "refused"
    """The provider knows her, and she may not come in any more."""
    EXPIRED = "expired"
    """The provider does not take the hub's tokens for her any more: she has to log in again."""
    SILENT = "silent"
    """The provider does not answer: nobody knows."""
    NO_LOGIN = "no-login"
    """The hub has no tokens for her: she never logged in there (an account of a group, say)."""


@dataclass(frozen=True)
class Look:
    """One asking: when it began (monotonic seconds), what it came to, and the text of a refusal."""

    begun: float
    standing: Standing
    text: str = ""


class Looks:
    """The newest :class:`Look` at each person, and a lock for each.

    Whoever uses or changes a person's tokens holds the lock: a refresh token is good for one use,
    and a provider that sees it twice takes it for stolen and ends the login.
    """

    def __init__(self) -> None:
        self._newest: dict[str, Look] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, name: str) -> asyncio.Lock:
        """The lock of one person's tokens."""
        return self._locks[name]

    def newest(self, name: str) -> Look | None:
        """The newest look at a person of this run of the hub."""
        return self._newest.get(name)

    def since(self, name: str, begun: float) -> Look | None:
        """The newest look if it began at ``begun`` or after: as good as one of one's own."""
        look = self._newest.get(name)
        return look if look is not None and look.begun >= begun else None

    def keep(self, name: str, look: Look) -> Look:
        """Remember ``look``."""
        self._newest[name] = look
        return look


def now() -> float:
    """The clock of :attr:`Look.begun`."""
    return time.monotonic()
