"""What a real driver says and what its calls cost: one JSON document for docs/gpus-measured.md.

``python -m benchmarks.gpus_on_hardware`` on a machine with a GPU. It only reads; it changes no
setting. nvidia-ml-py, pydantic and this package must be importable.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any

import pynvml as nv

from benchmarks.bench_gpus import cpu_seconds
from jupyter_mlinfn.gpus.processes import holders_of
from jupyter_mlinfn.gpus.query import Refusal, ask, value
from jupyter_mlinfn.gpus.snapshot import agent_command, take_snapshot
from jupyter_mlinfn.process.feed import LineFeed

ROUNDS = 50
SAMPLES = 20


def main() -> int:
    """Print the document."""
    nothing = ask(nv.nvmlInit)
    if isinstance(nothing, Refusal):
        print(f"NVML does not start here (error {nothing.code}).", file=sys.stderr)
        return 3
    started = time.perf_counter()
    snapshot = take_snapshot(deadline=30)
    document = {
        "python": platform.python_version(),
        "snapshot_seconds": round(time.perf_counter() - started, 3),
        "snapshot": snapshot.model_dump(mode="json"),
        "calls": [calls(index) for index in range(nv.nvmlDeviceGetCount())],
        "sample": sample_cost(),
        "namespace": os.readlink("/proc/self/ns/pid"),
        "device_files_held_by": holders_of("/dev/nvidia"),
    }
    print(json.dumps(document, indent=1))
    return 0


def calls(index: int) -> dict[str, Any]:
    """Median and worst wall time of each call of a sample, µs, or the error it gives."""
    handle = nv.nvmlDeviceGetHandleByIndex(index)
    wanted: dict[str, Callable[[], Any]] = {
        "UUID": lambda: nv.nvmlDeviceGetUUID(handle),
        "MemoryInfo_v2": lambda: nv.nvmlDeviceGetMemoryInfo(handle, nv.nvmlMemory_v2),
        "UtilizationRates": lambda: nv.nvmlDeviceGetUtilizationRates(handle),
        "TemperatureV": lambda: nv.nvmlDeviceGetTemperatureV(handle, nv.NVML_TEMPERATURE_GPU),
        "FieldValues energy, power": lambda: nv.nvmlDeviceGetFieldValues(handle, [83, 186]),
        "FieldValues PCIe": lambda: nv.nvmlDeviceGetFieldValues(handle, [197, 198]),
        "PowerUsage": lambda: nv.nvmlDeviceGetPowerUsage(handle),
        "ComputeRunningProcesses": lambda: nv.nvmlDeviceGetComputeRunningProcesses_v3(handle),
        "GraphicsRunningProcesses": lambda: nv.nvmlDeviceGetGraphicsRunningProcesses_v3(handle),
        "MigMode": lambda: nv.nvmlDeviceGetMigMode(handle),
        "GpmQueryDeviceSupport": lambda: nv.nvmlGpmQueryDeviceSupport(handle).isSupportedDevice,
    }
    told: dict[str, Any] = {name: cost(call) for name, call in wanted.items()}
    told["GpmSampleGet"] = gpm_cost(handle)
    fields = value(ask(nv.nvmlDeviceGetFieldValues, handle, [83, 185, 186, 197, 198])) or ()
    told["field codes"] = {str(one.fieldId): one.nvmlReturn for one in fields}
    return told


def cost(call: Callable[[], Any]) -> dict[str, float | int]:
    """µs of ROUNDS calls; ``error`` is NVML's return code instead."""
    spans = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        answer = ask(call)
        if isinstance(answer, Refusal):
            return {"error": answer.code}
        spans.append(1e6 * (time.perf_counter() - started))
    spans.sort()
    return {"median_us": round(spans[len(spans) // 2], 1), "max_us": round(spans[-1], 1)}


def gpm_cost(handle: Any) -> dict[str, float | int]:
    """Cost of a GPM sample, or the error: it may need a right."""
    sample = ask(nv.nvmlGpmSampleAlloc)
    if isinstance(sample, Refusal):
        return {"error": sample.code}
    told = cost(lambda: nv.nvmlGpmSampleGet(handle, sample))
    ask(nv.nvmlGpmSampleFree, sample)
    return told


def sample_cost() -> dict[str, float]:
    """CPU of the agent for one complete sample, ms."""
    feed = LineFeed(agent_command(interval=0.25))
    try:
        for _ in range(6):
            feed.wait_for_line(20)
        before = cpu_seconds(feed.pid)
        for _ in range(SAMPLES):
            feed.wait_for_line(20)
        return {"agent_cpu_ms": round(1000 * (cpu_seconds(feed.pid) - before) / SAMPLES, 3)}
    finally:
        feed.abandon()


if __name__ == "__main__":
    sys.exit(main())
