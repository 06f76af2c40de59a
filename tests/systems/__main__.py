"""``python -m tests.systems``: have what the real batch systems of the tests are installed from.

Done once before the tests, so that no test waits for a download; what cannot be had is told, and
its tests are left out.
"""

from __future__ import annotations

import time

from tests.systems import (
    condor,
    debian,
    docker_engine,
    postgres,
    session_image,
    slurm,
    slurmdbd,
    spooler,
    sshd,
)
from tests.systems.daemons import Missing


def _image_programs() -> None:
    """Which of them there are decides what tests are collected."""
    debian.install("squashfs-tools", "squashfuse")


def main() -> None:
    """Prepare them one after the other: all of them install packages."""
    for name, prepare in (
        ("image programs", _image_programs),
        ("Slurm", slurm.prepare),
        ("slurmdbd", slurmdbd.prepare),
        ("HTCondor", condor.prepare),
        ("sshd", sshd.prepare),
        ("task-spooler", spooler.prepare),
        ("PostgreSQL", postgres.prepare),
        ("Docker engine", docker_engine.prepare),
        ("session image", session_image.prepare),
    ):
        began = time.monotonic()
        try:
            prepare()
        except Missing as error:
            print(f"{name}: left out, {error}")
        else:
            print(f"{name}: ready after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
