"""A channel that keeps one package back: tasks stand still where a test wants to look at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread


class SlowChannel:
    """``asked`` is set when somebody wants the package; it is given out after ``go``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked = Event()
        self.go = Event()


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: object, channel: SlowChannel, held: str, **more: object) -> None:
        self._channel, self._held = channel, held
        super().__init__(*arguments, **more)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        if self._held in self.path and self.path.endswith(".conda"):
            self._channel.asked.set()
            self._channel.go.wait(60)
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def slow_channel(folder: Path, held: str) -> Iterator[SlowChannel]:
    """``folder`` over HTTP; the package whose file name holds ``held`` waits for ``go``."""
    channel = SlowChannel("")
    handler = partial(_Handler, channel=channel, held=held, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    channel.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield channel
    finally:
        channel.go.set()
        server.shutdown()
        server.server_close()
        thread.join()
