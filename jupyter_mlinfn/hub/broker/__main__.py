"""``python -m jupyter_mlinfn.hub.broker``: the managed service ``mlinfn-broker`` of the hub."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_mlinfn.hub.broker.application import LARGEST_SECRET, application
from jupyter_mlinfn.hub.broker.auditing import LOG, Audit
from jupyter_mlinfn.hub.broker.cluster import Cluster
from jupyter_mlinfn.hub.broker.desk import BrokerDesk
from jupyter_mlinfn.hub.broker.settings import VARIABLE, BrokerSettings, read_settings
from jupyter_mlinfn.hub.broker.standing import Standing, of_the_hub
from jupyter_mlinfn.hub.service import asking
from jupyter_mlinfn.hub.service.definition import prefix_of
from jupyter_mlinfn.hub.service.ending import end_with_parent
from jupyter_mlinfn.hub.service.requests import http_server, listen
from jupyter_mlinfn.hub.watching import WatchedBook


async def serve(settings: BrokerSettings) -> None:
    """Answer until the hub ends it."""
    standing = Standing(settings, WatchedBook(settings.profiles), of_the_hub())
    cluster = Cluster(settings.broker.kubeconfig)
    desk = BrokerDesk(standing, cluster, Audit(settings.audit))
    prefix, place = prefix_of(settings.address), urlsplit(settings.listen)
    made = application(desk, asking.of_the_hub(), prefix, settings.broker.namespace)
    server = http_server(made, LARGEST_SECRET + 4096)
    await listen(server, place.hostname or "127.0.0.1", place.port or 80)
    LOG.info("Jobs of sessions go to namespaces %s", settings.broker.namespace)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    server.stop()
    await cluster.close()


def main() -> None:
    """Run the broker of the settings that the hub names."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    # each request as a line, with its address, would be in the hub's log
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    end_with_parent()
    asyncio.run(serve(read_settings(Path(os.environ[VARIABLE]))))


if __name__ == "__main__":
    main()
