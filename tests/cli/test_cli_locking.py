"""``mlinfn env lock --now`` and ``submit --lock-now``: what pip put there is locked, and can be
undone; a lock for other platforms ends with Ctrl-C.
"""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.cli.test_cli_env import configured, done, states, wait_for
from tests.environments.engine.indexes import wheel, write_index

pytestmark = pytest.mark.slow


@pytest.fixture
def fit(program: Program, small_channel: Path) -> Program:
    """A home with the environment ``fit``, where pip finds the package ``leaf``."""
    index = program.home / "index"
    write_index(index, [wheel(index, "leaf", "1.0")])
    settings = program.home / "pip.conf"
    settings.write_text(f"[global]\nindex-url = {index.as_uri()}\n")
    program.env["PIP_CONFIG_FILE"] = str(settings)
    configured(program, small_channel.as_uri())
    done(program.run("env", "create", "fit", "python", "ipykernel", "pip", "--yes"))
    return program


def prefix_of(program: Program) -> Path:
    return Path(program.run("env", "show", "fit", "--json").json["environment"]["prefix"])


def test_what_pip_put_there_is_locked_submitted_and_undone(
    fit: Program, make_notebook: Any
) -> None:
    source = str(make_notebook("leaf.ipynb", ["import leaf; print(leaf.VERSION)"]))
    before = prefix_of(fit)
    pip = [str(before / "bin" / "python"), "-m", "pip", "install", "leaf"]
    subprocess.run(pip, check=True, env=fit.env, capture_output=True)
    told = done(fit.run("env", "lock", "fit", "--now", "--dry-run"))
    assert "leaf 1.0" in told.out
    wrong = fit.run("submit", source, "--env", "fit", "--put-back", "--json")
    assert (wrong.code, wrong.json["error"]["code"]) == (4, "environment-mismatch")
    assert "--lock-now" in wrong.json["error"]["problems"][0]["hint"]
    assert prefix_of(fit) == before
    job = done(fit.run("submit", source, "--env", "fit", "--lock-now", "--wait", "--json"))
    assert job.json["state"] == "succeeded"
    assert "leaf 1.0" in job.err
    assert prefix_of(fit) != before
    assert [state["action"] for state in states(fit, "fit")] == ["relock", "create"]
    again = done(fit.run("env", "lock", "fit", "--now", "--json", "--yes"))
    assert again.json == {"changed": False, "name": "fit"}
    done(fit.run("env", "undo", "fit", "--yes"))
    assert prefix_of(fit) == before


def test_ctrl_c_ends_a_lock_for_platforms(fit: Program) -> None:
    noted = fit.home / "pid"
    solver = fit.home / "conda"
    solver.write_text(f"#!/bin/sh\necho $$ > {noted}\nexec sleep 600\n")
    solver.chmod(0o755)
    config = fit.home / "config" / "jupyter_mlinfn_config.py"
    config.write_text(config.read_text() + f"c.Mlinfn.conda_program = '{solver}'\n")
    process = fit.start("env", "lock", "fit", "--platform", "linux-64", "-o", "lock.yml")
    wait_for(noted.exists)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, ""), err
    assert "Cancelled" in err
    assert not (fit.home / "lock.yml").exists()


def test_flags_that_do_not_go_together(program: Program) -> None:
    for words in (("--now", "--platform", "linux-64"), ("--put-back",), ("--yes",)):
        assert program.run("env", "lock", "fit", *words).code == 2
