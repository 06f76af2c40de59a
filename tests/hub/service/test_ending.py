"""A service does not outlive a hub that was killed."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.slow

SERVICE = (
    "from jupyter_mlinfn.hub.service.ending import end_with_parent; import os, time;"
    "end_with_parent(); print(os.getpid(), flush=True); time.sleep(600)"
)
HUB = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-c', {SERVICE!r}], start_new_session=True);"
    "time.sleep(600)"
)


def test_a_service_ends_when_its_hub_is_killed() -> None:
    hub = subprocess.Popen([sys.executable, "-c", HUB], stdout=subprocess.PIPE, text=True)
    assert hub.stdout is not None
    service = psutil.Process(int(hub.stdout.readline()))
    assert service.is_running()
    hub.kill()
    hub.wait()
    hub.stdout.close()
    deadline = time.monotonic() + 60
    while lives(service):
        assert time.monotonic() < deadline, "the service outlived its hub"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
