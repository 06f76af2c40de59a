"""Keeps the agents of the GPU hosts running and hands on what they say.

An agent that ends is started again after a while; one that says something that is no sample is
not believed. What an agent inherits is a short list: the service's token is not on it.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import ValidationError

from jupyter_mlinfn.hub.reclaim.samples import HostSample
from jupyter_mlinfn.hub.reclaim.settings import ReclaimSettings
from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.feed import LineFeed, collect

START_AGAIN: Final = 10.0
_INHERITED: Final = (
    "HOME", "PATH", "LANG", "TMPDIR", "XDG_CACHE_HOME", "SSH_AUTH_SOCK",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "MLINFN_NVML_STATE",
)  # fmt: skip


def agent_of(host: Sequence[str], settings: ReclaimSettings) -> tuple[str, ...]:
    """The argv of a host's agent; an empty ``host`` is this machine."""
    words = [f"--interval={settings.interval:g}", *(["--simulated"] if settings.simulated else [])]
    return (*host, *words) if host else own_program("jupyter_mlinfn.hub.reclaim.host", *words)


class HostFeed:
    """One host's agent. ``saw`` is called on the event loop with each sample."""

    def __init__(
        self, argv: Sequence[str], saw: Callable[[HostSample], None], log: logging.Logger
    ) -> None:
        self._argv = tuple(argv)
        self._saw = saw
        self._log = log
        self._feed: LineFeed | None = None

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await self._read()
                await asyncio.sleep(START_AGAIN)
        finally:
            self._end()

    async def _read(self) -> None:
        """Start the agent and hand on its samples until it ends."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        try:
            self._feed = feed = LineFeed(self._argv, environment)
        except PartMissing as error:
            self._log.error("No accelerator of a host is watched: %s", error.text)
            return
        descriptor = feed.fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            while not feed.ended:
                await readable.wait()
                readable.clear()
                for line in feed.lines():
                    self._hand_on(line)
        finally:
            loop.remove_reader(descriptor)
            self._end()
        self._log.warning("The agent of a GPU host ended; it is started again: %s", self._argv[0])

    def _hand_on(self, line: bytes) -> None:
        try:
            sample = HostSample.model_validate_json(line)
        except ValidationError:
            self._log.warning("An agent of a GPU host said something that is no sample")
            return
        self._saw(sample)

    def _end(self) -> None:
        if self._feed is not None:
            self._feed.abandon()
            self._feed = None
            collect()
