"""NVIDIA's cards through nvidia-ml-py, the first :class:`~jupyter_mlinfn.gpus.source.Source`."""

from __future__ import annotations

from typing import Final

import pynvml as nv

from jupyter_mlinfn.gpus.card import Card
from jupyter_mlinfn.gpus.query import Refusal, ask, value
from jupyter_mlinfn.gpus.source import NO_DRIVER, DeviceRow, FactsRow, LayoutChanged, NoDevices

_MISSING: Final = {
    nv.NVML_ERROR_LIBRARY_NOT_FOUND: (
        "no-library",
        NO_DRIVER,
    ),
    nv.NVML_ERROR_DRIVER_NOT_LOADED: (
        "no-driver",
        "The NVIDIA driver is installed but not loaded. No GPU can be shown until it is.",
    ),
    nv.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
        "version-mismatch",
        "The NVIDIA driver was updated while it was in use. "
        "GPUs can be shown again after a restart of this machine.",
    ),
    nv.NVML_ERROR_NO_PERMISSION: (
        "no-permission",
        "The NVIDIA driver does not let you look at its GPUs. Ask the administrator.",
    ),
}


class Nvml:
    """All NVIDIA cards that this process may see."""

    def __init__(self) -> None:
        self.facts: FactsRow = {"driver": None, "nvml": None, "cuda": None}
        self._cards: list[Card] = []

    def open(self) -> int:
        """Initialise NVML once; the number of cards. Raises :class:`NoDevices`."""
        started = ask(nv.nvmlInit)
        if isinstance(started, Refusal):
            code, text = _MISSING.get(
                started.code,
                ("driver-error", f"The NVIDIA driver does not work (NVML error {started.code})."),
            )
            raise NoDevices(code, text)
        cuda = value(ask(nv.nvmlSystemGetCudaDriverVersion_v2))
        self.facts = {
            "driver": value(ask(nv.nvmlSystemGetDriverVersion)),
            "nvml": value(ask(nv.nvmlSystemGetNVMLVersion)),
            "cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        }
        count = value(ask(nv.nvmlDeviceGetCount)) or 0
        if count == 0:
            raise NoDevices("no-gpu", "The NVIDIA driver is here, but it shows no GPU.")
        self._cards = [Card(index) for index in range(count)]
        return count

    def check(self) -> None:
        """Raises :class:`LayoutChanged` when there are more or fewer cards than before."""
        if value(ask(nv.nvmlDeviceGetCount)) != len(self._cards):
            raise LayoutChanged

    def read(self, index: int) -> list[DeviceRow]:
        """One card and its instances. Raises :class:`LayoutChanged`."""
        return self._cards[index].read()
