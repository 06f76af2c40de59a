"""What the agent says, as it is read: one line, one :class:`Reading`.

The agent writes the plain rows of ``gpus/source.py`` and ``gpus/processes.py``: in its first line
all of them, later those that changed. :class:`AgentFeed` puts them together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from jupyter_mlinfn.model.accelerators import DriverFacts, MigShape
from jupyter_mlinfn.process.feed import LineFeed


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProcessReading(_Frozen):
    """A process on a device; PID as the driver gave it, memory in bytes."""

    pid: int
    memory: int | None = None


class Person(_Frozen):
    """A process of the agent's PID namespace and whose it is."""

    uid: int
    user: str | None = None
    name: str
    parents: tuple[int, ...] = ()
    kernel: str | None = None
    session: str | None = None
    job: str | None = None


class DeviceReading(_Frozen):
    """One device; ``age``: seconds since the driver told these values."""

    uuid: str
    index: int
    name: str
    parent: str | None = None
    mig: MigShape | None = None
    cut: bool = False
    state: Literal["ok", "lost", "silent"] = "ok"
    problem: str | None = None
    total: int | None = None
    used: int | None = None
    percent: float | None = None
    measurement: str | None = None
    power: float | None = None
    power_limit: float | None = None
    energy: float | None = None
    temperature: float | None = None
    processes: tuple[ProcessReading, ...] | None = None
    age: float = 0.0


class DeviceNews(DeviceReading):
    """What is new of a device: only what was said counts; of a device not seen before, all."""

    index: int = 0
    name: str = ""


class Missing(_Frozen):
    """Why there is nothing to read; ``silent``: the driver may still answer."""

    code: str
    text: str


class Reading(_Frozen):
    """One sample. ``time`` is epoch seconds, ``boot`` seconds since boot.

    ``layout``: UUIDs in order. ``hung``: seconds for which the longest outstanding driver call
    has not come back.
    """

    time: float
    boot: float
    facts: DriverFacts
    missing: Missing | None = None
    devices: tuple[DeviceReading, ...] = ()
    layout: tuple[str, ...] | None = None
    people: dict[int, Person] | None = None
    namespace: Literal["same", "different", "unknown"] = "unknown"
    hung: float = 0.0
    simulated: bool = False


class Line(Reading):
    """A sample as the agent says it: ``layout`` and ``people`` are ``None`` when they are as
    before, and ``devices`` are those that changed. Number 0 says all, each other what is new since
    the one before it.
    """

    number: int = 0
    devices: tuple[DeviceNews, ...] = ()


class AgentFeed(LineFeed):
    """A started agent whose samples are complete again."""

    def __init__(self, argv: Sequence[str]) -> None:
        super().__init__(argv)
        self._devices: dict[str, DeviceReading] = {}
        self._layout: tuple[str, ...] = ()
        self._people: dict[int, Person] | None = None
        self._number = 0

    def readings(self) -> list[Reading | None]:
        """The samples that arrived; ``None`` for a line that is none (a library spoke)."""
        return [self.complete(line) for line in self.lines()]

    def complete(self, line: bytes) -> Reading | None:
        """The sample that ``line`` and all lines before it make.

        When one of them was lost ``ended`` is set: what is new since then cannot be told.
        """
        try:
            said = Line.model_validate_json(line)
        except ValidationError:
            return None
        if said.missing is not None:
            return said
        if said.number not in (0, self._number + 1):
            self.ended = True
            return None
        self._number = said.number
        self._layout = self._layout if said.layout is None else said.layout
        self._people = self._people if said.people is None else said.people
        known = self._devices if said.number else {}
        known = {**known, **{one.uuid: _renewed(known.get(one.uuid), one) for one in said.devices}}
        if any(uuid not in known for uuid in self._layout):
            return None
        self._devices = {uuid: known[uuid] for uuid in self._layout}
        return said.model_copy(
            update={
                "layout": self._layout,
                "devices": tuple(self._devices.values()),
                "people": self._people,
            }
        )


def _renewed(before: DeviceReading | None, news: DeviceNews) -> DeviceReading:
    if before is None:
        return news
    return before.model_copy(update={name: getattr(news, name) for name in news.model_fields_set})
