"""The image of the tests' sessions, made without a registry: a Debian, and this checkout in it.

The image is a minimal Debian root and has no Python. Interpreter, packages and panels are those of
this checkout, bound read-only at their own paths: they are made once for all tests, and what is
tested is what lies here. So this image says nothing about ``deploy/session/Dockerfile``, which has
tests of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

from jupyter_mlinfn.gpus.simulated.library import library
from tests.systems import roots
from tests.systems.docker_engine import DockerEngine

NAME = "mlinfn-session:test"
HOME = Path("/home/person")
_CHECKOUT = Path(__file__).parents[2]
_LEFT_OUT = (
    "fuse", "work", "root", "usr/share/doc", "usr/share/locale", "usr/share/man", "var/lib",
    "var/cache", "usr/lib/x86_64-linux-gnu/perl-base", "usr/lib/x86_64-linux-gnu/gconv",
)  # fmt: skip


def prepare() -> None:
    """Have the root. Raises :class:`~tests.systems.daemons.Missing`."""
    roots.root("bookworm")


def put(engine: DockerEngine) -> None:
    """Give the image to ``engine``."""
    engine.take(roots.root("bookworm"), NAME, without=_LEFT_OUT)


def simulated() -> Path:
    """The library of the simulated driver, compiled where sessions see it and may read it."""
    compiled = library(_CHECKOUT / ".build" / "simulated")
    compiled.parent.chmod(0o755)
    return compiled


def bound() -> tuple[Path, ...]:
    """Folders that every session sees, read-only, at the same path."""
    folders = {_CHECKOUT, Path(sys.prefix), Path(sys.base_prefix)}
    return tuple(sorted(one for one in folders if not folders & set(one.parents)))


def program() -> str:
    """The single-user server's program, as sessions see it."""
    return str(Path(sys.prefix) / "bin" / "jupyterhub-singleuser")
