"""Where `make hub` runs sessions, in one sentence; what was forced and cannot be is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
CHOOSE = (
    "import sys; from places import choose; place = choose(*sys.argv[1:]);"
    "print(place.gateway, place.sentence, sep='|')"
)


def chosen(wanted: str, engine: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{engine}"}
    argv = [sys.executable, "-c", CHOOSE, wanted, "mlinfn/session:1"]
    return subprocess.run(
        argv, cwd=TREE / "deploy" / "hub", env=environment, capture_output=True, text=True
    )


def test_without_an_engine_sessions_are_processes_and_the_reason_is_told(tmp_path: Path) -> None:
    done = chosen("", tmp_path / "none.sock")
    assert done.stdout == (
        f"|No Docker engine answers at unix://{tmp_path}/none.sock, "
        "so sessions are processes of this machine.\n"
    )


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ("docker", "MLINFN_HUB_SPAWNER=docker, but no Docker engine answers at unix://"),
        ("podman", "MLINFN_HUB_SPAWNER is 'podman'. Say docker or local, or nothing."),
    ],
)
def test_what_cannot_be_had_is_refused(tmp_path: Path, wanted: str, reason: str) -> None:
    done = chosen(wanted, tmp_path / "none.sock")
    assert done.returncode == 1
    assert done.stderr.startswith(reason)


def test_the_local_spawner_can_be_asked_for(tmp_path: Path) -> None:
    done = chosen("local", tmp_path / "none.sock")
    assert done.stdout.startswith("|MLINFN_HUB_SPAWNER=local, so")
