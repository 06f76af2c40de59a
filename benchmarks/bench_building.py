"""What building an environment costs beside its own time: the server, and the file it becomes.

* The server's memory and its event loop while an environment of 18,000 files is created and
  packed, with a client that follows the live topic ``tasks``. The loop's delay is told without
  the time it was ready and waited for a CPU, which is the machine's load (``loop_probe``). A
  control run does the same work from another program and data folder, beside the same server.
* The layer that a clone with one more package becomes over its packed, managed base.
* A clone beside conda's own, where a conda program is at hand (``MLINFN_BENCH_CONDA`` or ``PATH``).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import psutil
import websocket

from benchmarks import loop_probe
from benchmarks.bench_story import MANAGED, PURE, Story, story_of
from benchmarks.figures import Figure
from benchmarks.servers import Server, server
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Pack, PackedImage

SUBSCRIBE = {"type": "subscribe", "topic": "tasks"}
EXTENSIONS = {"jupyter_mlinfn": True, "benchmarks.loop_probe": True}
SETTLE = 3.0
"""Seconds of quiet before the server is measured."""
SAMPLE = 0.02
PATIENCE = 600.0


@dataclass(frozen=True)
class Seen:
    """Of one stretch of time: bytes of memory more than before, milliseconds of the loop."""

    memory: int
    late: float
    own: float


def run() -> list[Figure]:
    """All figures; the large channel is made first if need be (minutes)."""
    with story_of("large") as story:
        figures = _beside_the_server(story)
        return [*figures, *_layer(story), *_clone_by_conda(story)]


# -- the server ---------------------------------------------------------------------------------


def _beside_the_server(story: Story) -> list[Figure]:
    folder = story.folder / "server"
    folder.mkdir()
    probe = folder / "probe.json"
    environ = {"MLINFN_CHANNELS": story.channel.as_uri(), loop_probe.FILE_VARIABLE: str(probe)}
    extensions = f"--ServerApp.jpserver_extensions={EXTENSIONS}"
    with (
        server(Path(sys.executable), folder, extensions, env=environ) as running,
        _following(running) as frames,
    ):
        running.request("GET", "/mlinfn/api/v1/environments")
        with _measured(running, probe) as control:
            story.publish()
            story.do(Pack(name="managed"))
        heard = len(frames)
        with _measured(running, probe) as work:
            _task(running, action="create", name="built", packages=list(MANAGED))
            _task(running, action="pack", name="built")
        if len(frames) < heard + 10:
            raise RuntimeError("the client was told nothing of the tasks")
    alone, busy = control[0], work[0]
    what = f"while {story.files:,} files are made and packed"
    load = "the same work in another program"
    return [
        Figure(f"server memory {what}, 1 client", busy.memory / 2**20, "MiB", 30),
        Figure("server's event loop: longest stall (delay less its wait for a CPU)",
               busy.own, "ms", 20, load, alone.own),
        Figure("server's event loop: longest delay in all", busy.late, "ms", None, load,
               alone.late),
    ]  # fmt: skip


def _task(running: Server, **request: object) -> None:
    """Have the server carry out ``request``; raises RuntimeError with its words if it fails."""
    path = "/mlinfn/api/v1/environments/tasks"
    task = running.request("POST", path, request)
    until = time.monotonic() + PATIENCE
    while task["state"] == "running" and time.monotonic() < until:
        time.sleep(0.5)
        task = running.request("GET", f"{path}/{task['id']}")
    if task["state"] != "succeeded":
        raise RuntimeError(f"{request['action']}: {task['result']}")


@contextmanager
def _following(running: Server) -> Iterator[list[int]]:
    """A client of the live topic ``tasks``; the lengths of the frames that came."""
    url = running.url.replace("http", "ws", 1) + "/mlinfn/live"
    socket = websocket.create_connection(url, header=[f"Authorization: token {running.token}"])
    frames: list[int] = []

    def read() -> None:
        try:
            while text := socket.recv():
                frames.append(len(text))
        except (OSError, websocket.WebSocketException):
            return  # it was closed below

    reader = Thread(target=read)
    reader.start()
    try:
        socket.send(json.dumps(SUBSCRIBE))
        yield frames
    finally:
        socket.close()
        reader.join(10)


@contextmanager
def _measured(running: Server, probe: Path) -> Iterator[list[Seen]]:
    """Holds one :class:`Seen` after the block."""
    time.sleep(SETTLE)
    process = psutil.Process(running.pid)
    before, began, over = process.memory_info().rss, time.time(), Event()
    most = [before]

    def sample() -> None:
        while not over.wait(SAMPLE):
            most[0] = max(most[0], process.memory_info().rss)

    sampler = Thread(target=sample)
    sampler.start()
    seen: list[Seen] = []
    try:
        yield seen
    finally:
        over.set()
        sampler.join()
    ended = time.time()
    time.sleep(SETTLE)
    seen.append(Seen(most[0] - before, *loop_probe.worst(probe, began, ended)))


# -- the layer ----------------------------------------------------------------------------------


def _layer(story: Story) -> list[Figure]:
    """Clone the managed one, add a package, and pack that over the managed one's file."""
    story.do(Clone(name="mine", source="managed"))
    story.do(Alter(name="mine", add=(PURE,)))
    task = story.task(Pack(name="mine", over="managed"))
    layer, whole = _image(task.result), _image(story.task(Pack(name="mine")).result)
    assert task.result is not None
    seconds = (task.result.ended_at - task.started_at).total_seconds()
    return [
        Figure(f"layer with {PURE} over {story.files:,} packed files", seconds, "s", 2.0),
        Figure("… its size", layer.size / 2**20, "MiB", None, "the whole image",
               whole.size / 2**20),
    ]  # fmt: skip


def _image(result: object) -> PackedImage:
    image = getattr(result, "image", None)
    assert isinstance(image, PackedImage)
    return image


# -- conda --------------------------------------------------------------------------------------


def _clone_by_conda(story: Story) -> list[Figure]:
    """Our clone and conda's of the same prefix, without a network and with a cache of its own."""
    conda = os.environ.get("MLINFN_BENCH_CONDA") or shutil.which("conda")
    if conda is None:
        print("… no clone by conda: no conda program is here; name one by MLINFN_BENCH_CONDA "
              "(rattler itself has no clone)", file=sys.stderr)  # fmt: skip
        return []
    target = story.folder / "clone-by-conda"
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(story.folder),
        "CONDA_PKGS_DIRS": str(story.folder / "conda-packages"),
    }
    argv = [conda, "create", "-y", "-q", "-p", str(target), "--clone", str(story.prefix)]
    began = time.perf_counter()
    done = subprocess.run(argv, env=environ, capture_output=True, text=True)
    theirs = time.perf_counter() - began
    if done.returncode != 0:
        print(f"… no clone by conda: {done.stderr.strip()[-300:]}", file=sys.stderr)
        return []
    mine = story.do(Clone(name="beside-conda", source="managed"))
    return [Figure(f"clone of {story.files:,} files", mine, "s", 1.0, "conda --clone", theirs)]
