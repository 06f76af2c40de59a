"""What a vendor's library must be able to say, and the plain rows in which it says it.

These rows are made in the agent, a lean process of its own without pydantic; the other side
reads them as the models of ``gpus/reading.py``. ``gpus/nvml.py`` is the one source so far.
"""

from __future__ import annotations

from typing import Final, Protocol, TypedDict

# Up to this much a device counts as held by nobody: firmware and driver keep a few MiB for
# themselves, a CUDA context takes at least 100 MiB.
NOBODY: Final = 100 * 2**20

# A device that has not answered for so many seconds is silent.
SILENT_AFTER: Final = 2.5

NO_DRIVER: Final = "There is no NVIDIA driver on this machine. Everything else works without a GPU."
SILENT_DRIVER: Final = (
    "The NVIDIA driver does not answer. What it says is shown as soon as it does."
)
SILENT_DEVICE: Final = "The driver does not answer for this GPU. The last known values are shown."


class ProcessRow(TypedDict):
    """A process on a device: PID as the driver gave it, memory in bytes where it is told.

    ``gi``: the MIG GPU instance, where the driver names one.
    """

    pid: int
    memory: int | None
    gi: int


class MigRow(TypedDict):
    """A MIG instance's place."""

    profile: str
    gpu_instance: int
    compute_instance: int


class DeviceRow(TypedDict):
    """One device, units as in ``model.accelerators``; ``processes`` ``None``: not readable.

    ``age``: seconds since the driver told these values, where it is silent.
    """

    uuid: str
    index: int
    name: str
    parent: str | None
    mig: MigRow | None
    cut: bool
    state: str
    problem: str | None
    total: int | None
    used: int | None
    percent: float | None
    measurement: str | None
    power: float | None
    power_limit: float | None
    energy: float | None
    temperature: float | None
    processes: list[ProcessRow] | None
    age: float


def unknown_row(uuid: str, index: int, name: str) -> DeviceRow:
    """A device of which nothing is known yet."""
    return {
        "uuid": uuid,
        "index": index,
        "name": name,
        "parent": None,
        "mig": None,
        "cut": False,
        "state": "ok",
        "problem": None,
        "total": None,
        "used": None,
        "percent": None,
        "measurement": None,
        "power": None,
        "power_limit": None,
        "energy": None,
        "temperature": None,
        "processes": None,
        "age": 0.0,
    }


class FactsRow(TypedDict):
    """What the driver says of itself."""

    driver: str | None
    nvml: str | None
    cuda: str | None


class NoDevices(Exception):
    """There is nothing to read; ``code`` is stable, ``text`` is for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class LayoutChanged(Exception):
    """Devices came or went, or the driver was loaded anew: a fresh process must look again."""


class Source(Protocol):
    """One vendor's library. Every call may hang; each is made from a thread of its own."""

    facts: FactsRow

    def open(self) -> int:
        """Connects; the number of cards. Raises :class:`NoDevices`."""
        ...

    def check(self) -> None:
        """Raises :class:`LayoutChanged` when the cards are not those of :meth:`open`."""
        ...

    def read(self, index: int) -> list[DeviceRow]:
        """One card and its instances, now. Raises :class:`LayoutChanged`."""
        ...
