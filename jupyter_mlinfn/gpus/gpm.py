"""How active MIG instances are, by GPM (Hopper and later): it is told between two samples."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import pynvml as nv

from jupyter_mlinfn.gpus.query import Refusal, ask, value

# GPM wants at least 100 ms between two samples.
_SPAN: Final = 0.12


class Activity:
    """Of the instances of one card; ``told`` until the driver refuses, and again after a look."""

    def __init__(self) -> None:
        self.told = False
        # By the instance's UUID: GPM's newest sample and the one before.
        self._samples: dict[str, list[Any]] = {}
        self._question: tuple[Any, Any] | None = None

    def look(self, card: Any, instances: Mapping[str, int]) -> None:
        """Begin with these ``instances`` of ``card``: ids of GPU instances by UUID.

        Takes a first sample of each new one, and waits until a second may be taken.
        """
        for uuid in self._samples.keys() - instances.keys():
            for sample in self._samples.pop(uuid):
                ask(nv.nvmlGpmSampleFree, sample)
        support = value(ask(nv.nvmlGpmQueryDeviceSupport, card)) if instances else None
        self.told = bool(support and support.isSupportedDevice)
        new = instances.keys() - self._samples.keys() if self.told else ()
        for uuid in new:
            samples = [value(ask(nv.nvmlGpmSampleAlloc)) for _ in range(2)]
            if None not in samples:
                self._samples[uuid] = samples
                self._sample(card, instances[uuid], samples)
        if new:
            time.sleep(_SPAN)

    def percent(self, card: Any, instance: int, uuid: str) -> float | None:
        """Percent of time its graphics engine was active since the last sample."""
        samples = self._samples.get(uuid)
        if not samples or not self._sample(card, instance, samples):
            return None
        wanted, metric = self._question or self._word_question()
        wanted.sample2, wanted.sample1 = samples
        answer = ask(nv.nvmlGpmMetricsGet, wanted)
        if isinstance(answer, Refusal) or metric.nvmlReturn != nv.NVML_SUCCESS:
            return None
        percent = float(metric.value)
        return percent if 0 <= percent <= 100 else None

    def _sample(self, card: Any, instance: int, samples: list[Any]) -> bool:
        taken = ask(nv.nvmlGpmMigSampleGet, card, instance, samples[1])
        if isinstance(taken, Refusal):
            if taken.code == nv.NVML_ERROR_NO_PERMISSION:
                self.told = False
            return False
        samples.reverse()
        return True

    def _word_question(self) -> tuple[Any, Any]:
        """GPM's structure and the one metric in it, for all samples: it is slow to fill."""
        wanted = nv.c_nvmlGpmMetricsGet_t()
        wanted.version = nv.NVML_GPM_METRICS_GET_VERSION
        wanted.numMetrics = 1
        metric = wanted.metrics[0]
        metric.metricId = nv.NVML_GPM_METRIC_GRAPHICS_UTIL
        self._question = wanted, metric
        return self._question
