"""The live GPU stream with 200 clients: CPU of the server, bytes a client, ``/api``.

The clients run in a process of their own. The simulated machine has 8 GPUs with 7 MIG instances
each and 56 processes; the real nvidia-ml-py reads it through the fake library.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Thread

import psutil

from benchmarks.bench_gpus import CARDS, SLICES, processes
from benchmarks.bench_gpus import Load as GpuLoad
from benchmarks.figures import Figure, median, quantile
from benchmarks.servers import Server, peers_python, server
from jupyter_mlinfn.gpus.simulated.library import library
from jupyter_mlinfn.gpus.simulated.state import STATE_VARIABLE, State

CLIENTS = 200
SECONDS = 20.0
PAUSE = 0.05
"""Seconds between two ``/api`` requests."""

SUBSCRIBE = {"type": "subscribe", "topic": "gpus"}
ONCE_A_SECOND = {"updateFrequency": 1000, "isPaused": False}

LISTENERS = """
import asyncio, json, sys, time
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

async def listen(url, token, received):
    socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {token}"}))
    await socket.write_message(sys.argv[5])
    while (text := await socket.read_message()) is not None:
        frame = json.loads(text)
        received.append((time.monotonic(), frame.get("type"), len(text)))

async def main(url, token, count, seconds):
    received = [[] for _ in range(count)]
    tasks = [asyncio.create_task(listen(url, token, got)) for got in received]
    while not all(len(got) >= 3 for got in received):
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                raise RuntimeError(f"a connection was closed: {task.exception()}")
    print("ready", flush=True)
    begin = time.monotonic()
    await asyncio.sleep(seconds)
    deltas = [[size for at, kind, size in got if at > begin] for got in received]
    print(json.dumps({
        "bytes": sum(map(sum, deltas)) / count / seconds,
        "frames": sum(map(len, deltas)) / count / seconds,
        "least": min(map(len, deltas)),
    }), flush=True)
    for task in tasks:
        task.cancel()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
"""


@dataclass(frozen=True)
class Load:
    """Seen in one stretch of time: median and p95 seconds of ``/api``, CPU shares of a core."""

    api: float
    slow_api: float
    server_cpu: float
    agent_cpu: float


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _watch(running: Server, seconds: float) -> Load:
    """Ask ``/api`` now and then for ``seconds``, and see what the server and its agent need."""
    process = psutil.Process(running.pid)
    agents = [one for one in process.children() if "jupyter_mlinfn.gpus.agent" in one.cmdline()]
    before, agents_before = _cpu(process), sum(map(_cpu, agents))
    begin = time.monotonic()
    waits = []
    while time.monotonic() - begin < seconds:
        asked = time.perf_counter()
        running.request("GET", "/api")
        waits.append(time.perf_counter() - asked)
        time.sleep(PAUSE)
    passed = time.monotonic() - begin
    return Load(
        api=median(waits),
        slow_api=quantile(waits, 0.95),
        server_cpu=(_cpu(process) - before) / passed,
        agent_cpu=(sum(map(_cpu, agents)) - agents_before) / passed,
    )


def run() -> list[Figure]:
    """CPU of the server beyond idle in % of a core, bytes/s of a client, ``/api`` against idle."""
    with tempfile.TemporaryDirectory() as name, processes(CARDS * SLICES) as pids:
        ours = _ours(Path(name) / "ours", GpuLoad(pids, gpm=False))
        theirs = _theirs(Path(name) / "theirs", GpuLoad(pids, gpm=False))
    peer = replace(ours[-1], peer="jupyterlab-nvdashboard, 1 client, MIG off", peer_value=theirs)
    return [*ours[:-1], peer]


@contextmanager
def _driver(folder: Path, load: GpuLoad, *, cut: bool) -> Iterator[dict[str, str]]:
    """The environment of a server whose driver has ``load``; a second passes every second."""
    folder.mkdir(parents=True)
    over = Event()

    def state() -> State:
        now = load.step()
        return (
            now
            if cut
            else State(
                cards=[replace(card, mig=False, util=50, instances=[]) for card in now.cards]
            )
        )

    def live() -> None:
        while not over.wait(1.0):
            state().write(folder / "state")

    state().write(folder / "state")
    clock = Thread(target=live)
    clock.start()
    try:
        yield {
            STATE_VARIABLE: str(folder / "state"),
            "LD_LIBRARY_PATH": str(library().parent),
        }
    finally:
        over.set()
        clock.join()


def _ours(folder: Path, load: GpuLoad) -> list[Figure]:
    extension = "--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}"
    with (
        _driver(folder, load, cut=True) as driver,
        server(Path(sys.executable), folder, extension, env=driver) as running,
    ):
        _watch(running, 2.0)
        idle = _watch(running, SECONDS / 2)
        with _listening(running, "/mlinfn/live", CLIENTS, SUBSCRIBE) as heard:
            busy = _watch(running, SECONDS - 2.0)
    if heard["least"] < SECONDS / 2:
        raise RuntimeError(f"a client heard only {heard['least']} frames in {SECONDS:.0f} s")
    streaming = (busy.server_cpu - idle.server_cpu) * 100
    return [
        Figure(f"live: server CPU, {CLIENTS} clients at 1 Hz", streaming, "% of a core", 5),
        Figure("live: agent CPU (reads 8 GPUs x 7 MIG)", busy.agent_cpu * 100, "% of a core"),
        Figure("live: bytes for each client", heard["bytes"], "B/s", 250),
        Figure("live: frames for each client", heard["frames"], "Hz"),
        Figure("live: /api p50 while streaming", busy.api * 1e3, "ms", idle.api * 1.2e3,
               "the same server idle", idle.api * 1e3),
        Figure("live: /api p95 while streaming", busy.slow_api * 1e3, "ms"),
    ]  # fmt: skip


def _theirs(folder: Path, load: GpuLoad) -> float:
    """Milliseconds, p95, of ``/api`` with one client of nvdashboard's resource view at 1 Hz.

    With MIG on it sends nothing and logs a traceback a second, so its cards are not cut.
    """
    extension = "--ServerApp.jpserver_extensions={'jupyterlab_nvdashboard': True}"
    with (
        _driver(folder, load, cut=False) as driver,
        server(peers_python(), folder, extension, env=driver) as running,
        _listening(running, "/nvdashboard/gpu_resource", 1, ONCE_A_SECOND),
    ):
        return _watch(running, SECONDS - 2.0).slow_api * 1e3


@contextmanager
def _listening(
    running: Server, path: str, clients: int, hello: Mapping[str, object]
) -> Iterator[dict[str, float]]:
    """Clients that listen from a process of their own; what they heard is there at the end."""
    url = running.url.replace("http", "ws", 1) + path
    heard: dict[str, float] = {}
    listeners = subprocess.Popen(
        [sys.executable, "-c", LISTENERS, url, running.token, str(clients), str(SECONDS),
         json.dumps(hello)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert listeners.stdout is not None
    if listeners.stdout.readline().strip() != "ready":
        raise RuntimeError("the clients could not listen")
    yield heard
    heard.update(json.loads(listeners.stdout.readline()))
    listeners.wait(30)
