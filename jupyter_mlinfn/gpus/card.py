"""One NVIDIA card and the MIG instances it is cut into, read sample by sample.

An instance is recognised by its UUID at each sample, because after a repartition the handle of
the same slot means another instance: no value may move to another device.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

import pynvml as nv

from jupyter_mlinfn.gpus.gpm import Activity
from jupyter_mlinfn.gpus.query import GONE, NEVER, Refusal, Support, ask, value
from jupyter_mlinfn.gpus.source import (
    NOBODY,
    DeviceRow,
    LayoutChanged,
    MigRow,
    ProcessRow,
    unknown_row,
)

# Instances, power limit and what is supported are looked up again after this many seconds.
LOOK_AGAIN: Final = 10.0
_FIELD_ENERGY: Final = 83
_FIELD_POWER: Final = 186
_LOST: Final = (
    "The driver says that this GPU fell off the bus. Tell the administrator: it needs a restart."
)


@dataclass
class Instance:
    """One MIG instance as it was found."""

    handle: Any
    slot: int
    uuid: str
    name: str
    mig: MigRow


class Card:
    """One physical GPU and the instances it is cut into."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.handle: Any = None
        self.uuid = f"GPU-{index}"
        self.name = f"GPU {index}"
        self.cut = False
        self.power_limit: float | None = None
        self.instances: list[Instance] = []
        self._activity = Activity()
        self._support = Support()
        self._of_instances = Support()
        self._old_memory = False
        self._looked = float("-inf")

    def read(self) -> list[DeviceRow]:
        """The card's row and one for each instance. Raises :class:`LayoutChanged`."""
        if self.handle is None and (problem := self._identify()):
            return [self._row("lost", problem)]
        uuid = ask(nv.nvmlDeviceGetUUID, self.handle)
        if isinstance(uuid, Refusal):
            if uuid.code in GONE:
                raise LayoutChanged
            if uuid.code == nv.NVML_ERROR_GPU_IS_LOST:
                return [self._row("lost", _LOST), *self._lost_instances()]
        elif uuid != self.uuid:
            raise LayoutChanged
        if time.monotonic() - self._looked > LOOK_AGAIN or not self._instances_stand():
            self._look()
        row = self._row("ok", None)
        self._values(row)
        return [row, *self._instance_rows(row["processes"])]

    def _identify(self) -> str | None:
        handle = ask(nv.nvmlDeviceGetHandleByIndex, self.index)
        if isinstance(handle, Refusal):
            if handle.code in GONE:
                raise LayoutChanged
            return (
                _LOST
                if handle.code == nv.NVML_ERROR_GPU_IS_LOST
                else f"The driver refuses this GPU (NVML error {handle.code})."
            )
        self.handle = handle
        self.uuid = value(ask(nv.nvmlDeviceGetUUID, handle)) or self.uuid
        self.name = value(ask(nv.nvmlDeviceGetName, handle)) or self.name
        return None

    def _lost_instances(self) -> list[DeviceRow]:
        return [self._row("lost", _LOST, one) for one in self.instances]

    # -- layout ------------------------------------------------------------------------------

    def _instances_stand(self) -> bool:
        return all(
            value(ask(nv.nvmlDeviceGetUUID, one.handle)) == one.uuid for one in self.instances
        )

    def _look(self) -> None:
        """Find the instances, and what this card supports."""
        self._looked = time.monotonic()
        self._support.forget()
        self._of_instances.forget()
        limit = value(ask(nv.nvmlDeviceGetEnforcedPowerLimit, self.handle))
        self.power_limit = None if limit is None else limit / 1000
        mode = value(ask(nv.nvmlDeviceGetMigMode, self.handle))
        self.cut = bool(mode and mode[0] == nv.NVML_DEVICE_MIG_ENABLE)
        known = {one.uuid: one for one in self.instances}
        self.instances = self._find_instances(known) if self.cut else []
        places = {one.uuid: one.mig["gpu_instance"] for one in self.instances}
        self._activity.look(self.handle, places)

    def _find_instances(self, known: dict[str, Instance]) -> list[Instance]:
        found = []
        for slot in range(value(ask(nv.nvmlDeviceGetMaxMigDeviceCount, self.handle)) or 0):
            handle = value(ask(nv.nvmlDeviceGetMigDeviceHandleByIndex, self.handle, slot))
            uuid = None if handle is None else value(ask(nv.nvmlDeviceGetUUID, handle))
            if uuid is None:
                continue
            instance = known.get(uuid) or self._describe(handle, slot, uuid)
            instance.handle, instance.slot = handle, slot
            found.append(instance)
        return found

    def _describe(self, handle: Any, slot: int, uuid: str) -> Instance:
        name = value(ask(nv.nvmlDeviceGetName, handle)) or self.name
        attributes = value(ask(nv.nvmlDeviceGetAttributes_v2, handle))
        mig: MigRow = {
            "profile": _profile(name, attributes),
            "gpu_instance": value(ask(nv.nvmlDeviceGetGpuInstanceId, handle)) or 0,
            "compute_instance": value(ask(nv.nvmlDeviceGetComputeInstanceId, handle)) or 0,
        }
        return Instance(handle, slot, uuid, name, mig)

    # -- values ------------------------------------------------------------------------------

    def _row(self, state: str, problem: str | None, one: Instance | None = None) -> DeviceRow:
        if one:
            row = unknown_row(one.uuid, one.slot, one.name)
            row["parent"], row["mig"] = self.uuid, one.mig
        else:
            row = unknown_row(self.uuid, self.index, self.name)
            row["cut"], row["power_limit"] = self.cut, self.power_limit
        row["state"], row["problem"] = state, problem
        return row

    def _values(self, row: DeviceRow) -> None:
        self._memory(row, self.handle)
        if not self.cut:
            rates: Any = self._support.ask("UtilizationRates", self.handle)
            if rates is not None:
                row["percent"], row["measurement"] = float(rates.gpu), "utilisation"
        row["temperature"] = self._temperature()
        row["energy"], row["power"] = self._energy_and_power()
        row["processes"] = self._processes()

    def _memory(self, row: DeviceRow, handle: Any) -> None:
        # Version 2 does not count what the driver reserves for itself as used.
        memory: Any = None
        if not self._old_memory:
            answer = ask(nv.nvmlDeviceGetMemoryInfo, handle, nv.nvmlMemory_v2)
            self._old_memory = isinstance(answer, Refusal) and answer.code in NEVER
            memory = value(answer)
        if self._old_memory:
            memory = value(ask(nv.nvmlDeviceGetMemoryInfo, handle))
        if memory is not None:
            row["total"], row["used"] = int(memory.total), int(memory.used)

    def _temperature(self) -> float | None:
        sensor = nv.NVML_TEMPERATURE_GPU
        now: Any = self._support.ask("TemperatureV", self.handle, sensor)
        if now is None and self._support.lacks("TemperatureV"):
            now = self._support.ask("Temperature", self.handle, sensor)
        return None if now is None else float(now)

    def _energy_and_power(self) -> tuple[float | None, float | None]:
        """Joules since the driver was loaded, and watts now."""
        energy = power = None
        wanted = [_FIELD_ENERGY, _FIELD_POWER]
        fields: Any = self._support.ask("FieldValues", self.handle, wanted)
        if fields is not None:
            if fields[0].nvmlReturn == nv.NVML_SUCCESS:
                energy = fields[0].value.ullVal / 1000
            if fields[1].nvmlReturn == nv.NVML_SUCCESS:
                power = fields[1].value.uiVal / 1000
        if power is None:
            milliwatts: Any = self._support.ask("PowerUsage", self.handle)
            power = None if milliwatts is None else milliwatts / 1000
        return energy, power

    def _processes(self) -> list[ProcessRow] | None:
        found = _listed(self._support, "ComputeRunningProcesses", self.handle)
        if self.cut:
            return found  # instances do not draw
        drawing = _listed(self._support, "GraphicsRunningProcesses", self.handle)
        seen = {row["pid"] for row in found or ()}
        return (found or drawing) and [
            *(found or ()),
            *(row for row in drawing or () if row["pid"] not in seen),
        ]

    # -- instances ---------------------------------------------------------------------------

    def _instance_rows(self, of_parent: list[ProcessRow] | None) -> list[DeviceRow]:
        rows = []
        for one in self.instances:
            row = self._row("ok", None, one)
            self._memory(row, one.handle)
            mine = [p for p in of_parent or () if p["gi"] == one.mig["gpu_instance"]]
            if not mine and (of_parent is None or (row["used"] or 0) > NOBODY):
                # The parent is refused, or does not tell all: ask the instance itself.
                row["processes"] = _listed(
                    self._of_instances, "ComputeRunningProcesses", one.handle
                )
            else:
                row["processes"] = mine
            if self._activity.told:
                instance = one.mig["gpu_instance"]
                row["percent"] = self._activity.percent(self.handle, instance, one.uuid)
                row["measurement"] = None if row["percent"] is None else "gpm"
            rows.append(row)
        return rows


def _listed(support: Support, name: str, handle: Any) -> list[ProcessRow] | None:
    """The processes; ``None``: not readable."""
    for version in ("_v3", "_v2"):
        listed: Any = support.ask(name + version, handle)
        if listed is not None:
            return [
                {"pid": one.pid, "memory": one.usedGpuMemory, "gi": one.gpuInstanceId}
                for one in listed
            ]
        if not support.lacks(name + version):
            return None
    return None


def _profile(name: str, attributes: Any) -> str:
    """``1g.10gb`` out of ``NVIDIA A100-SXM4-80GB MIG 1g.10gb``, else from the attributes."""
    _, separator, profile = name.partition("MIG ")
    if separator:
        return profile.strip()
    if attributes is None:
        return "MIG"
    return f"{attributes.gpuInstanceSliceCount}g.{round(attributes.memorySizeMB / 1024)}gb"
