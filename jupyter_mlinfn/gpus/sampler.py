"""Keeps an agent running while somebody watches, and the latest sample at hand.

Everything here runs on the event loop's thread and only ever reads a pipe that has something:
NVML and ``/proc`` are the agent's. The agent is started with the first subscriber and ended
with the last. If it stops speaking it is replaced; if one card hangs for long, a successor is
started *beside* it and takes over only if it hears more cards, because a fresh process may hang
as a whole where the old one still reads the other cards.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from jupyter_mlinfn.gpus.history import Histories
from jupyter_mlinfn.gpus.holders import Knowledge
from jupyter_mlinfn.gpus.reading import AgentFeed, Reading
from jupyter_mlinfn.gpus.signals import Stretches
from jupyter_mlinfn.gpus.snapshot import (
    Pictures,
    agent_command,
    library_may_exist,
    missing_reading,
)
from jupyter_mlinfn.gpus.source import NO_DRIVER, SILENT_AFTER, SILENT_DEVICE
from jupyter_mlinfn.model.accelerators import Accelerator, GpuHistory, GpuSnapshot, Signal
from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.process.feed import collect

logger = logging.getLogger(__name__)

Listener = Callable[[GpuSnapshot], None]


@dataclass(frozen=True)
class Patience:
    """Seconds. ``stale``: an agent that says nothing for so long is replaced; ``hung``: a driver
    call out for so long calls for a successor; ``retry``: pauses between failed starts;
    ``missing``: until we look again for a driver that is not there."""

    stale: float = 8.0
    hung: float = 10.0
    retry: tuple[float, ...] = (0.2, 1.0, 5.0, 15.0, 60.0)
    missing: float = 30.0

    def pause(self, failures: int) -> float:
        """Before the next start after so many failed ones."""
        return self.retry[min(failures, len(self.retry) - 1)]


class SamplerProcess:
    """The server's one source of GPU samples. Use it on one event loop's thread.

    ``knowledge`` is asked at each sample for the kernels and jobs of this moment and must
    answer at once. ``command`` replaces the agent in tests.
    """

    def __init__(
        self,
        *,
        interval: float = 1.0,
        simulated: bool = False,
        knowledge: Callable[[], Knowledge] = Knowledge,
        command: Sequence[str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._interval = interval
        self._simulated = simulated
        self._knowledge = knowledge
        self._command = command
        self._patience = patience or Patience()
        self._histories = Histories(interval)
        self._listeners: list[Listener] = []
        self._waiting: list[asyncio.Future[GpuSnapshot]] = []
        self._snapshot = GpuSnapshot(simulated=simulated)
        self._pictures = Pictures(Stretches())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat_handle: asyncio.TimerHandle | None = None
        self._current: AgentFeed | None = None
        self._successor: AgentFeed | None = None
        self._reading: Reading | None = None
        self._heard = 0.0
        self._failures = 0
        self._start_at = 0.0
        self._successor_at = 0.0
        self._successors = 0

    # -- what others use ---------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether it samples now."""
        return self._loop is not None

    @property
    def agent_pid(self) -> int | None:
        """The PID of the agent, for tests and the doctor."""
        return self._current.pid if self._current else None

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each snapshot; what comes back ends that.

        The first subscriber starts the agent, the end of the last one ends it.
        """
        self._listeners.append(listener)
        self.start()

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)
                if not self._listeners:
                    self.stop()

        return unsubscribe

    def latest(self) -> GpuSnapshot:
        """The latest snapshot; an empty one without ``taken_at`` before the first."""
        return self._snapshot

    async def next(self) -> GpuSnapshot:
        """The next snapshot. Cancelled when the sampler is stopped."""
        future: asyncio.Future[GpuSnapshot] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        return await future

    def history(self, uuid: str, seconds: float) -> GpuHistory:
        """What was seen of a device, also by samplings that were ended meanwhile."""
        return self._histories.of(uuid, seconds)

    def start(self) -> None:
        """Begin to sample, on the running event loop. Harmless when it does already."""
        if self._loop is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._failures = self._successors = 0
        self._reading = None
        self._pictures = Pictures(Stretches())
        self._begin()
        self._beat_handle = self._loop.call_later(self._interval, self._beat)

    def stop(self) -> None:
        """End the agent; latest snapshot and history stay."""
        if self._beat_handle is not None:
            self._beat_handle.cancel()
        for feed in (self._current, self._successor):
            self._drop(feed)
        self._loop = self._current = self._successor = self._beat_handle = None
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()

    # -- the agent ---------------------------------------------------------------------------

    def _begin(self) -> None:
        self._heard = time.monotonic()
        if not (self._simulated or self._command or library_may_exist()):
            self._start_at = self._heard + self._patience.missing
            self._publish(missing_reading("no-library", NO_DRIVER))
            return
        self._start_at = self._heard + self._patience.pause(self._failures)
        self._failures += 1
        self._current = self._launch()

    def _launch(self) -> AgentFeed | None:
        assert self._loop is not None
        command = self._command or agent_command(interval=self._interval, simulated=self._simulated)
        try:
            feed = AgentFeed(command)
        except PartMissing as error:
            logger.error("The GPU agent cannot be started: %s", error.text)
            return None
        self._loop.add_reader(feed.fileno(), self._readable, feed)
        return feed

    def _drop(self, feed: AgentFeed | None) -> None:
        if feed is not None:
            if self._loop is not None:
                self._loop.remove_reader(feed.fileno())
            feed.abandon()

    def _readable(self, feed: AgentFeed) -> None:
        for reading in feed.readings():
            if reading is None:
                logger.warning("The GPU agent said something else than a sample")
            elif feed is self._current:
                self._hear(reading)
            elif feed is self._successor:
                self._compare(reading)
        if feed.ended:
            if feed is self._current:
                self._drop(feed)
                self._current = None
            elif feed is self._successor:
                self._drop(feed)
                self._successor = None

    def _hear(self, reading: Reading) -> None:
        self._heard = time.monotonic()
        if reading.missing is None:
            self._failures = 0
        elif reading.missing.code != "silent":
            self._start_at = self._heard + self._patience.missing
        self._publish(reading)

    def _compare(self, reading: Reading) -> None:
        """The successor's first sample: it takes over if it hears more than its forerunner."""
        if _heard_in(reading) > _heard_in(self._reading):
            self._drop(self._current)
            self._current, self._successor = self._successor, None
            self._successors = 0
            self._hear(reading)
        else:
            self._drop(self._successor)
            self._successor = None

    def _beat(self) -> None:
        assert self._loop is not None
        self._beat_handle = self._loop.call_later(self._interval, self._beat)
        now = time.monotonic()
        if self._current is None:
            if now >= self._start_at:
                self._begin()
        elif now - self._heard > self._patience.stale:
            logger.warning("The GPU agent says nothing and is started anew")
            self._drop(self._current)
            self._current = None
        elif self._reading is not None and self._reading.hung > self._patience.hung:
            self._try_successor(now)
        if now - self._heard > SILENT_AFTER + self._interval:
            self._show_age()
        collect()

    def _try_successor(self, now: float) -> None:
        if self._successor is None and now >= self._successor_at:
            self._successor_at = now + self._patience.hung * 2 ** min(self._successors, 5)
            self._successors += 1
            self._successor = self._launch()
        elif self._successor is not None and now >= self._successor_at:
            self._drop(self._successor)  # it hangs as a whole
            self._successor = None

    # -- what is told ------------------------------------------------------------------------

    def _publish(self, reading: Reading) -> None:
        self._reading = reading
        snapshot = self._pictures.draw(reading, self._knowledge())
        self._histories.add(snapshot, reading.boot)
        self._tell(snapshot)

    def _show_age(self) -> None:
        """The agent is silent: the last values, marked as old."""
        if self._snapshot.missing is None and self._snapshot.accelerators:
            taken_at = self._snapshot.taken_at
            aged = tuple(_silent(one, taken_at) for one in self._snapshot.accelerators)
            update = {"accelerators": aged, "taken_at": datetime.now(UTC)}
            self._tell(self._snapshot.model_copy(update=update))

    def _tell(self, snapshot: GpuSnapshot) -> None:
        self._snapshot = snapshot
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(snapshot)
        for listener in list(self._listeners):
            listener(snapshot)


def _heard_in(reading: Reading | None) -> int:
    return sum(one.state != "silent" for one in reading.devices) if reading else -1


def _silent(one: Accelerator, taken_at: datetime | None) -> Accelerator:
    if one.state != "ok":
        return one
    return one.model_copy(
        update={
            "state": "silent",
            "problem": SILENT_DEVICE,
            "signal": Signal(state="unknown"),
            "taken_at": taken_at,
        }
    )
