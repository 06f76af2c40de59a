"""The tests' own Docker engine, for tests that are skipped where none can be started."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.systems.daemons import Missing, started
from tests.systems.docker_engine import PART, DockerEngine


@contextmanager
def docker_engine() -> Iterator[DockerEngine]:
    """A Docker engine of our own; skips the test, saying why, where none can be started."""
    try:
        engine = started(DockerEngine(), PART)
    except Missing as error:
        pytest.skip(str(error))
    try:
        yield engine
    finally:
        engine.stop()
