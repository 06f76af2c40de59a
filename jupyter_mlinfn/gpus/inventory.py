"""The accelerators jobs on this machine may claim, asked anew each time it matters."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final

from jupyter_mlinfn.gpus.reading import DeviceReading, Reading
from jupyter_mlinfn.gpus.signals import is_held
from jupyter_mlinfn.gpus.snapshot import take_reading
from jupyter_mlinfn.gpus.source import SILENT_DRIVER
from jupyter_mlinfn.model.accelerators import FreeAccelerator
from jupyter_mlinfn.model.errors import Unavailable

_FRESH: Final = 1.0


class GpuInventory:
    """Implements :class:`~jupyter_mlinfn.model.accelerators.AcceleratorInventory`.

    One agent process with a deadline for each question, at most one a second; on a machine
    without NVIDIA's library none. Thread-safe.
    """

    def __init__(self, *, simulated: bool = False, deadline: float = 8.0) -> None:
        self._simulated = simulated
        self._deadline = deadline
        self._lock = Lock()
        self._asked = float("-inf")
        self._reading: Reading | None = None
        self._known: tuple[FreeAccelerator, ...] | None = None

    def schedulable(self) -> tuple[FreeAccelerator, ...]:
        """All devices a job may ask for; lost ones are left out, silent ones are not.

        Raises :class:`Unavailable` when the driver is silent and never answered before.
        """
        with self._lock:
            reading = self._look()
            if reading is not None and (
                reading.missing is None or reading.missing.code != "silent"
            ):
                self._known = tuple(_free(one) for one in reading.devices if _is_schedulable(one))
            if self._known is None:
                raise Unavailable(SILENT_DRIVER, code="driver-silent")
            return self._known

    def free(self) -> tuple[FreeAccelerator, ...]:
        """Those on which nobody holds memory now; none of a driver or device that is silent."""
        with self._lock:
            reading = self._look()
        devices = reading.devices if reading else ()
        return tuple(
            _free(one)
            for one in devices
            if _is_schedulable(one) and one.state == "ok" and is_held(one) is False
        )

    def cuda(self) -> str | None:
        """The newest CUDA version the driver supports; implements ``environments.CudaDriver``.

        ``None`` without a driver. Raises :class:`Unavailable` when the driver is silent.
        """
        with self._lock:
            reading = self._look()
        if reading is None or (reading.missing is not None and reading.missing.code == "silent"):
            raise Unavailable(SILENT_DRIVER, code="driver-silent")
        return reading.facts.cuda

    def _look(self) -> Reading | None:
        if time.monotonic() - self._asked > _FRESH:
            self._reading = take_reading(deadline=self._deadline, simulated=self._simulated)
            self._asked = time.monotonic()
        return self._reading


def _is_schedulable(one: DeviceReading) -> bool:
    return not one.cut and one.state != "lost"


def _free(one: DeviceReading) -> FreeAccelerator:
    return FreeAccelerator(uuid=one.uuid, name=one.name, memory=one.total)
