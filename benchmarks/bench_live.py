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
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.figures import Figure, median
from benchmarks.servers import Server, server

CLIENTS = 200
SECONDS = 20.0
PAUSE = 0.05
"""Seconds between two ``/api`` requests."""

LISTENERS = """
import asyncio, json, sys, time
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

async def listen(url, token, received):
    socket = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"token {token}"}))
    await socket.write_message(json.dumps({"type": "subscribe", "topic": "gpus"}))
    while (text := await socket.read_message()) is not None:
        frame = json.loads(text)
        received.append((time.monotonic(), frame["type"], len(text)))

async def main(url, token, count, seconds):
    received = [[] for _ in range(count)]
    tasks = [asyncio.create_task(listen(url, token, got)) for got in received]
    while not all(len(got) >= 3 for got in received):
        await asyncio.sleep(0.1)
        for task in tasks:
            if task.done():
                task.result()
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
    """What was seen in one stretch of time: median seconds of ``/api``, CPU shares of a core."""

    api: float
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
        server_cpu=(_cpu(process) - before) / passed,
        agent_cpu=(sum(map(_cpu, agents)) - agents_before) / passed,
    )


def run() -> list[Figure]:
    """CPU of the server beyond idle in % of a core, bytes/s of a client, ``/api`` against idle."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = ("--ServerApp.jpserver_extensions={'jupyter_mlinfn': True}",)
        with server(
            Path(sys.executable), folder, *arguments, env={"MLINFN_GPUS": "simulated"}
        ) as running:
            _watch(running, 2.0)
            idle = _watch(running, SECONDS / 2)
            url = running.url.replace("http", "ws", 1) + "/mlinfn/live"
            listeners = subprocess.Popen(
                [sys.executable, "-c", LISTENERS, url, running.token, str(CLIENTS), str(SECONDS)],
                stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            assert listeners.stdout is not None
            if listeners.stdout.readline().strip() != "ready":
                raise RuntimeError("the clients could not listen")
            busy = _watch(running, SECONDS - 2.0)
            heard = json.loads(listeners.stdout.readline())
            listeners.wait(30)
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
    ]  # fmt: skip
