"""Two cards that seem alive: an A100 cut into seven and a T4.

The scene depends on the clock and on the processes of this person alone, so that the server,
the program and the dispatcher see the same: kernels of open notebooks sit on the first slices
and on the T4, a job sits on the device that it was given (``CUDA_VISIBLE_DEVICES``), other
people hold three slices, and one of these tells nothing of its activity. A session that was
given devices (``NVIDIA_VISIBLE_DEVICES``) sees these alone, and its notebooks sit on them.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from jupyter_mlinfn.gpus.processes import kernel_of, read_words
from jupyter_mlinfn.gpus.simulated.library import library
from jupyter_mlinfn.gpus.simulated.state import (
    STATE_VARIABLE,
    Card,
    Instance,
    Process,
    State,
)
from jupyter_mlinfn.gpus.simulated.visible import as_seen, visible
from jupyter_mlinfn.gpus.source import NO_DRIVER, NoDevices
from jupyter_mlinfn.model.errors import PartMissing

A100: Final = "GPU-51a1a100-0000-4000-8000-000000000000"
T4: Final = "GPU-51a1700f-0000-4000-8000-000000000004"
SLICES: Final = tuple(f"MIG-51a1a100-0000-5000-8000-00000000000{at}" for at in range(7))
# Beyond the largest PID of Linux: nobody here can see them.
OUTSIDE_PID: Final = 2**22 + 4711

_NOTEBOOK_PLACES: Final = (SLICES[0], SLICES[1], T4)
_OUTSIDE_PLACES: Final = (SLICES[2], SLICES[3], SLICES[4])
_UNKNOWN_PLACE: Final = SLICES[3]
_LOOK_EVERY: Final = 3.0


class Scene:
    """Keeps the state file of the stand-in library; :meth:`write` makes time pass.

    Raises :class:`NoDevices` without a compiler, and where no device may be seen.
    """

    def __init__(self) -> None:
        self._shown = visible(os.environ)
        if self._shown is not None and not self._shown:
            raise NoDevices("no-library", NO_DRIVER)
        try:
            self.library = library()
        except PartMissing as error:
            raise NoDevices(error.code, error.text) from error
        # A file without a name: nothing is left when the agent is killed.
        self._file = os.memfd_create("simulated-gpus")
        self._looked = float("-inf")
        self._places: dict[str, int] = {}
        os.environ[STATE_VARIABLE] = f"/proc/self/fd/{self._file}"

    def write(self) -> None:
        """The state of this moment; no call may be under way."""
        if time.monotonic() - self._looked > _LOOK_EVERY:
            self._looked = time.monotonic()
            self._places = find_places(self._shown)
        text = self._state().text().encode()
        os.pwrite(self._file, text, 0)
        os.ftruncate(self._file, len(text))

    def _state(self) -> State:
        if self._shown is None:
            return state_at(time.time(), self._places)
        return as_seen(state_at(time.time(), self._places, others=()), self._shown)


def find_places(shown: frozenset[str] | None = None) -> dict[str, int]:
    """Which process of this person sits on which device, by UUID; ``shown`` as in
    :func:`~jupyter_mlinfn.gpus.simulated.visible.visible`."""
    given: dict[str, int] = {}
    notebooks = []
    for pid in _own_processes():
        environment = dict(
            word.partition("=")[::2] for word in read_words(pid, "environ") if "=" in word
        )
        device = environment.get("CUDA_VISIBLE_DEVICES", "").split(",")[0]
        if device in (*SLICES, T4):
            given[device] = pid
        elif "MLINFN_JOB" not in environment and kernel_of([pid]):
            notebooks.append(pid)
    free = _NOTEBOOK_PLACES if shown is None else [*filter(shown.__contains__, (*SLICES, T4))]
    places = dict(zip(free, notebooks, strict=False))
    return places | given


def _own_processes() -> Iterator[int]:
    mine = os.getuid()
    for pid in sorted(int(one.name) for one in os.scandir("/proc") if one.name.isdigit()):
        try:
            if os.stat(f"/proc/{pid}").st_uid == mine:  # noqa: PTH116 - the owner alone
                yield pid
        except OSError:
            continue  # it ended meanwhile


def state_at(
    moment: float, places: Mapping[str, int], others: Sequence[str] = _OUTSIDE_PLACES
) -> State:
    """The state at ``moment`` (epoch) with the processes of ``places`` (UUID to PID), and other
    people's on ``others``."""
    holders = {uuid: OUTSIDE_PID + at for at, uuid in enumerate(others)} | dict(places)
    instances = [_slice(at, uuid, holders, moment) for at, uuid in enumerate(SLICES)]
    busy = sum(one.util or 0 for one in instances) / 700
    return State(
        driver="570.86.10 (simulated)",
        cards=[
            Card(
                uuid=A100,
                util=None,
                mig=True,
                gpm=True,
                used_mib=sum(one.used_mib for one in instances),
                power_mw=_power(62, 330, busy, moment),
                temperature=round(34 + 36 * busy),
                energy_mj=_energy(180),
                instances=instances,
                processes=[
                    Process(holders[one.uuid], one.used_mib, gi=one.gi)
                    for one in instances
                    if one.uuid in holders
                ],
            ),
            _t4(holders.get(T4), moment),
        ],
    )


def _slice(at: int, uuid: str, holders: Mapping[str, int], moment: float) -> Instance:
    one = Instance(slot=at, uuid=uuid, gi=7 + at, util=0.0)
    if uuid in holders:
        one.used_mib = round(4200 + 500 * at + 900 * _wave(moment, 600, at))
        one.util = None if uuid == _UNKNOWN_PLACE else round(100 * _load(moment, at))
    return one


def _t4(pid: int | None, moment: float) -> Card:
    load = _load(moment, 11) if pid else 0.0
    return Card(
        uuid=T4,
        name="Tesla T4",
        memory_mib=15360,
        used_mib=round(2048 + 300 * _wave(moment, 900, 3)) if pid else 3,
        util=round(100 * load),
        power_mw=_power(10, 55, load, moment),
        limit_mw=70_000,
        temperature=round(31 + 30 * load),
        energy_mj=_energy(25),
        mig=None,
        processes=[Process(pid, 2040)] if pid else [],
    )


def _wave(moment: float, period: float, phase: float) -> float:
    """Between 0 and 1."""
    return 0.5 + 0.5 * math.sin(2 * math.pi * moment / period + phase)


def _load(moment: float, seed: int) -> float:
    """A training loop: busy for minutes, with a pause between epochs."""
    epoch = (moment + 37 * seed) % 190
    if epoch > 165:
        return 0.0
    return min(1.0, 0.62 + 0.25 * _wave(moment, 73, seed) + 0.1 * _wave(moment, 7.3, 5 * seed))


def _power(idle: float, span: float, load: float, moment: float) -> int:
    return round(1000 * (idle + span * load + 2 * _wave(moment, 5.1, 1)))


def _energy(watts: float) -> int:
    """mJ since this machine started, at a steady rate so that it only grows."""
    return round(1000 * watts * time.clock_gettime(time.CLOCK_BOOTTIME))
