"""Jobs in an environment that holds nothing of us: their checkpoints and hooks work as well."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from tests.jobs.engine.making import (
    make_attempt,
    next_attempt,
    run_to_end,
    start_supervisor,
    texts,
    wait_for,
)
from tests.jobs.engine.training import TELLS, TRAINING, WAITS, undisturbed

pytestmark = pytest.mark.slow

FOREIGN = "import importlib.util as u; assert u.find_spec('jupyter_mlinfn') is None\n"


def evict(folder: AttemptFolder) -> dict[str, Any]:
    """Run it until eight steps are done, and have it evicted."""
    process = start_supervisor(folder)
    try:
        values = folder.values
        wait_for(lambda: values.exists() and values.read_text().count("\n") >= 8)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    end = read_json(folder.end)
    assert end is not None, folder.log.read_text()
    return end


@pytest.mark.parametrize("kind", ["notebook", "script"])
def test_a_foreign_environment_goes_on_from_its_checkpoint(
    tmp_path: Path, plain_python: Path, kind: str
) -> None:
    kernel = {"argv": [str(plain_python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]}
    asked: dict[str, Any] = {"kernel": kernel, "evictable": True, "system": "slurm"}
    if kind == "script":
        script = FOREIGN + TRAINING + WAITS + TELLS + "\n"
        folder = make_attempt(tmp_path, script=script, **asked)
    else:
        folder = make_attempt(tmp_path, FOREIGN + TRAINING, WAITS, TELLS, **asked)
    end = evict(folder)
    assert end["state"] == "evicted"
    assert end["lost_seconds"] < 5
    again = next_attempt(folder)
    end = run_to_end(again)
    assert end["state"] == "succeeded", again.log.read_text()
    said = again.log.read_text() if kind == "script" else texts(end["output"])[2]
    resumed, digest = said.split()[-2:]
    assert int(resumed) >= 8
    assert digest == undisturbed()
