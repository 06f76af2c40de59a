"""Searching packages in the channels, as one types.

The search itself runs in a program of its own (``engine/search.py``): what reads channels takes
memory and is not to crash the server. It is kept for a while, because reading the channels takes
longer than searching in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock, Timer
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.environments.own.tasks import engine_environment
from jupyter_mlinfn.model.environment_answers import FoundPackage, PackageMatches
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.feed import LineFeed, collect

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.policy import Policy

PROGRAM = "jupyter_mlinfn.environments.engine.search"
IDLE_SECONDS = 120.0
"""So long the program is kept for the next question."""
COLLECT_SECONDS = 0.2
"""After the program was killed: until then it is a zombie of ours."""
PATIENCE = 60.0
"""Seconds for one answer; the first one of a large channel has to fetch its index."""
LIMIT = 30
VERSIONS = 12


class Question(BaseModel):
    """One line to the program."""

    model_config = ConfigDict(frozen=True)

    search: str
    channels: tuple[str, ...]
    platform: str
    limit: int = LIMIT
    versions: int = VERSIONS


class Answer(BaseModel):
    """One line of the program."""

    model_config = ConfigDict(frozen=True)

    packages: tuple[FoundPackage, ...] = ()
    more: bool = False
    problem: str | None = None


class PackageSearch:
    """Asks the program, one question at a time. Methods wait: not for an event loop."""

    def __init__(self, policy: Callable[[], Policy], cache: Path) -> None:
        self._policy = policy
        self._cache = cache
        self._lock = Lock()
        self._feed: LineFeed | None = None
        self._rest: Timer | None = None

    def find(self, text: str, channels: Sequence[str] = ()) -> PackageMatches:
        """Packages whose names match ``text``, with their newest versions.

        ``channels``: instead of those of the settings. Raises :class:`Refused` for a channel
        that may not be used, :class:`Unavailable` when there is no answer in time.
        """
        policy = self._policy()
        policy.check_channels(channels)
        question = Question(
            search=text, channels=tuple(channels) or policy.channels, platform=policy.platform
        )
        with self._lock:
            found = self._ask(question)
            self._end_later()
        return PackageMatches(
            search=text, packages=found.packages, more=found.more, problem=found.problem
        )

    def close(self) -> None:
        """End the program."""
        with self._lock:
            if self._rest is not None:
                self._rest.cancel()
            if self._feed is None:
                return
            self._forget()
        time.sleep(COLLECT_SECONDS)
        collect()

    def _end_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = Timer(IDLE_SECONDS, self.close)
        self._rest.daemon = True
        self._rest.start()

    def _ask(self, question: Question) -> Answer:
        line = question.model_dump_json().encode() + b"\n"
        for feed in (self._feed, None):  # the one that was kept may just have ended
            feed = feed or self._start()
            if feed.send(line) and (reply := feed.wait_for_line(PATIENCE)) is not None:
                return Answer.model_validate_json(reply)
            ended = feed.ended
            self._forget()
            if not ended:
                break
        raise Unavailable(
            "The channels did not answer in time. Nothing was changed.",
            code="channels-silent",
            hint="Try again in a while; 'mlinfn doctor' shows what this machine can reach.",
        )

    def _start(self) -> LineFeed:
        self._cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = own_program(PROGRAM, str(self._cache))
        self._feed = LineFeed(argv, env=engine_environment())
        return self._feed

    def _forget(self) -> None:
        if self._feed is not None:
            self._feed.abandon()
            self._feed = None
