"""The tests' own Docker engine: devices by request, a killed daemon, and nothing that stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.systems import session_image
from tests.systems.daemons import Missing, started
from tests.systems.docker_engine import PART, DockerEngine

pytestmark = pytest.mark.system
FOREVER = ("sleep", "3600")


def run(engine: DockerEngine, *options: str) -> str:
    """The full id of a new container that does nothing."""
    words = ("run", "--detach", "--network=none", *options, session_image.NAME, *FOREVER)
    done = engine.docker(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def mounted(engine: DockerEngine) -> bool:
    return str(engine.work) in Path("/proc/self/mountinfo").read_text()


def test_devices_reach_a_container_and_nothing_is_left_of_a_killed_engine() -> None:
    engine = DockerEngine(with_devices=True)
    try:
        started(engine, PART)
        session_image.put(engine)
    except Missing as error:
        engine.stop()
        pytest.skip(str(error))
    try:
        one = run(engine, "--gpus", '"device=MIG-one,MIG-two"')
        assert engine.devices(one) == ("MIG-one", "MIG-two")
        assert engine.devices(run(engine)) is None
        engine.kill("dockerd")
        engine.launch()
        assert one in engine.containers("--filter=status=running")
        assert mounted(engine)
        engine.kill("dockerd")  # now nobody can be asked to remove the containers
    finally:
        engine.stop()
    assert engine.left() == []
    assert not mounted(engine)
    assert not engine.work.exists()
