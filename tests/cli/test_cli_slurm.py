"""The program in front of a real Slurm: the same notebook here and there, without an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.jobs.backends.conftest import cluster
from tests.systems.slurm import Slurm

__all__ = ["cluster"]

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def with_slurm(program, cluster: Slurm) -> Any:
    """The program where Slurm's own programs reach a cluster."""
    program.env.update(cluster.environment)
    yield program
    cluster.clear()


def outputs_of(record: dict[str, Any]) -> list[Any]:
    cells = nbformat.read(record["output"], as_version=4).cells
    return [cell.get("outputs") for cell in cells]


def test_a_notebook_gives_the_same_on_slurm_as_here(with_slurm, notebook: Path) -> None:
    words = ("submit", str(notebook), "-p", "rate=0.25", "--wait", "--json")
    away = with_slurm.run(*words, "--backend", "slurm", "--queue", "opportunistic")
    assert away.code == 0, away.err
    assert (away.json["backend"], away.json["queue"]) == ("slurm", "opportunistic")
    assert away.json["backend_id"].isdigit()
    here = with_slurm.run(*words)
    assert here.code == 0, here.err
    assert outputs_of(away.json) == outputs_of(here.json)
    assert "rate is 0.25" in str(outputs_of(away.json))
    shown = with_slurm.run("job", "show", away.json["id"]).out
    assert f"slurm/opportunistic {away.json['backend_id']}" in shown


def test_slurm_s_queues_are_named_and_looked_at_before_anything_is_sent(
    with_slurm, notebook: Path, cluster: Slurm
) -> None:
    words = ("submit", str(notebook), "--backend", "slurm")
    unknown = with_slurm.run(*words, "--queue", "fast")
    assert unknown.code == 2
    assert "normal" in unknown.err
    assert "opportunistic" in unknown.err
    dry = with_slurm.run(*words, "--queue", "normal", "--dry-run")
    assert dry.code == 0, dry.err
    assert "There is room in the queue normal of Slurm now" in dry.out
    large = with_slurm.run(*words, "--gpus", "8", "--dry-run")
    assert large.code == 4
    assert cluster.call("squeue", "-h", "--me")[1].strip() == ""
