"""``python -m jupyter_mlinfn.hub.service``: the managed service ``mlinfn`` of the hub.

It watches the accelerators, keeps an account of what idles, and answers sessions and the culler.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from jupyter_mlinfn.hub.reclaim.feeding import HostFeed, agent_of
from jupyter_mlinfn.hub.reclaim.journal import Journal
from jupyter_mlinfn.hub.reclaim.samples import HostSample
from jupyter_mlinfn.hub.reclaim.sessions import SessionFacts, Sessions
from jupyter_mlinfn.hub.reclaim.watch import Key, Watch
from jupyter_mlinfn.hub.service.application import application
from jupyter_mlinfn.hub.service.asking import of_the_hub
from jupyter_mlinfn.hub.service.definition import prefix_of
from jupyter_mlinfn.hub.service.ending import end_with_parent
from jupyter_mlinfn.hub.service.requests import http_server, listen
from jupyter_mlinfn.hub.service.settings import VARIABLE, ServiceSettings, read_settings
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.model.leases import Lease, PoolState

_log = logging.getLogger("mlinfn-service")

Known: TypeAlias = tuple[tuple[Lease, ...], tuple[PoolState, ...], dict[Key, SessionFacts]]


class Knowing:
    """Reads leases and sessions again and again, in a thread of its own."""

    def __init__(self, settings: ServiceSettings, watch: Watch) -> None:
        self._settings = settings
        self._watch = watch
        self._sessions = Sessions(settings.sessions)
        self._book: LeaseBook | None = None
        self._silent = False

    async def run(self) -> None:
        """Until cancelled. While the leases cannot be read nothing is decided."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, thread_name_prefix="leases") as thread:
            while True:
                try:
                    known = await loop.run_in_executor(thread, self._read)
                    self._watch.know(*known, time.monotonic())
                    self._silent = False
                except Exception:
                    # a service that ended for this would take the hub along at its start
                    if not self._silent:
                        _log.exception("The leases cannot be read for now")
                    self._silent = True
                await asyncio.sleep(self._settings.reclaim.interval)

    def _read(self) -> Known:
        if self._book is None:
            self._book = open_book(self._settings.leases)
        return self._book.active(), self._book.pools(), self._sessions.all()


async def serve(settings: ServiceSettings) -> None:
    """Answer until the hub ends it."""
    reclaim = settings.reclaim
    watch = Watch(reclaim, Journal(settings.journal))

    def saw(sample: HostSample) -> None:
        watch.saw(sample, time.monotonic())

    place = urlsplit(settings.listen)
    server = http_server(application(watch, of_the_hub(), prefix_of(settings.address)))
    await listen(server, place.hostname or "127.0.0.1", place.port or 80)
    feeds = [HostFeed(agent_of(host, reclaim), saw, _log) for host in reclaim.hosts]
    _log.info("Idle accelerators: %s", "dry run" if reclaim.dry_run else "warned and released")
    runs = [*(one.run() for one in feeds), Knowing(settings, watch).run()]
    tasks = [asyncio.create_task(one) for one in runs]
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopping = asyncio.create_task(stop.wait())
    # a task of ours that ends did so by a fault: then the hub starts the service anew
    done, _ = await asyncio.wait({*tasks, stopping}, return_when=asyncio.FIRST_COMPLETED)
    for task in (*tasks, stopping):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in done - {stopping}:
        task.result()


def main() -> None:
    """Run the service of the settings that the hub names."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    end_with_parent()
    asyncio.run(serve(read_settings(Path(os.environ[VARIABLE]))))


if __name__ == "__main__":
    main()
