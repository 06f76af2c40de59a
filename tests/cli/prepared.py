"""A Python that has loaded what ``mlinfn`` needs and forks for each run: half a second less each.

Started as ``python -I prepared.py SOCKET``, where it gets, per connection, one run: words, folder,
environment, and the three standard streams. The run is a process of its own in which nothing of
``jupyter_mlinfn.cli`` has been imported, and does what ``python -I -m jupyter_mlinfn.cli`` does.
The answer is its process id, then its exit status.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

LOADED = (
    "click",
    "jupyter_client.kernelspec",
    "nbformat",
    "psutil",
    "sqlalchemy.dialects.sqlite",
    "traitlets.config",
    "yaml",
    "jupyter_mlinfn.environments.catalogue",
    "jupyter_mlinfn.environments.own.asking",
    "jupyter_mlinfn.environments.own.store",
    "jupyter_mlinfn.environments.own.tasks",
    "jupyter_mlinfn.environments.resolver",
    "jupyter_mlinfn.gpus.inventory",
    "jupyter_mlinfn.jobs.actions",
    "jupyter_mlinfn.jobs.backends.htcondor.backend",
    "jupyter_mlinfn.jobs.backends.kubernetes.choosing",
    "jupyter_mlinfn.jobs.backends.local",
    "jupyter_mlinfn.jobs.backends.slurm.backend",
    "jupyter_mlinfn.jobs.reconciler",
    "jupyter_mlinfn.jobs.store",
    "jupyter_mlinfn.jobs.submission",
    "jupyter_mlinfn.workbench",
)
LARGEST = 1 << 20
STARTED_BY = 0
"""Standard input: it ends with the process that started this."""


def serve(listening: socket.socket) -> list[str]:
    """Wait for runs. Returns in each run's process, with its words."""
    running: dict[int, tuple[int, socket.socket]] = {}
    poll = select.poll()
    poll.register(listening, select.POLLIN)
    poll.register(STARTED_BY, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            if descriptor == STARTED_BY:  # it was killed
                os._exit(0)
            if descriptor in running:
                poll.unregister(descriptor)
                child, asker = running.pop(descriptor)
                _, status = os.waitpid(child, 0)
                os.close(descriptor)
                with suppress(OSError), asker:
                    asker.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
                continue
            asker, _ = listening.accept()
            content, streams, _, _ = socket.recv_fds(asker, LARGEST, 3)
            child = os.fork()
            if child == 0:
                poll.unregister(listening)
                for other, (_, held) in running.items():
                    os.close(other)
                    held.close()
                listening.close()
                asker.close()
                return become(json.loads(content), streams)
            for stream in streams:
                os.close(stream)
            asker.sendall(f"{child}\n".encode())
            watched = os.pidfd_open(child)
            running[watched] = (child, asker)
            poll.register(watched, select.POLLIN)


def become(run: dict[str, object], streams: Sequence[int]) -> list[str]:
    """Make this process the one that was asked for; its words."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    environ, folder, words = run["environ"], run["folder"], run["words"]
    assert isinstance(environ, dict)
    assert isinstance(words, list)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(str(folder))
    return [str(word) for word in words]


def main() -> int:
    """The program."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(sys.argv[1])
        listening.listen()
        for name in LOADED:
            importlib.import_module(name)
        gc.collect()
        gc.freeze()
        words = serve(listening)
    sys.argv = ["mlinfn", *words]
    from jupyter_mlinfn.cli.main import main as mlinfn

    return mlinfn()


if __name__ == "__main__":
    sys.exit(main())
