"""The program in front of a real Kubernetes: the same notebook here and there, without an edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.jobs.backends.conftest import kubernetes
from tests.systems.kubernetes.control import Kubernetes

__all__ = ["kubernetes"]

pytestmark = [pytest.mark.system, pytest.mark.slow]


@pytest.fixture
def with_kubernetes(program, kubernetes: Kubernetes) -> Any:
    """The program where the settings name a kubeconfig and the pod of jobs."""
    config = Path(program.env["JUPYTER_CONFIG_DIR"])
    config.mkdir()
    text = kubernetes.settings(program.home)
    (config / "jupyter_mlinfn_config.py").write_text(text)
    yield program
    kubernetes.clear()


def outputs_of(record: dict[str, Any]) -> list[Any]:
    cells = nbformat.read(record["output"], as_version=4).cells
    return [cell.get("outputs") for cell in cells]


def test_a_notebook_gives_the_same_on_kubernetes_as_here(with_kubernetes, notebook: Path) -> None:
    words = ("submit", str(notebook), "-p", "rate=0.25", "--wait", "--json")
    away = with_kubernetes.run(*words, "--backend", "kubernetes")
    assert away.code == 0, away.err
    assert away.json["backend"] == "kubernetes"
    assert away.json["backend_id"] == f"mlinfn-{away.json['id']}"
    here = with_kubernetes.run(*words, "--backend", "local")
    assert here.code == 0, here.err
    assert outputs_of(away.json) == outputs_of(here.json)
    assert "rate is 0.25" in str(outputs_of(away.json))
    shown = with_kubernetes.run("job", "show", away.json["id"]).out
    assert f"kubernetes {away.json['backend_id']}" in shown


def test_what_kubernetes_has_is_looked_at_before_anything_is_sent(
    with_kubernetes, notebook: Path, kubernetes: Kubernetes
) -> None:
    words = ("submit", str(notebook), "--backend", "kubernetes")
    unknown = with_kubernetes.run(*words, "--queue", "fast")
    assert unknown.code == 2
    assert "There are: closed, default" in unknown.err
    dry = with_kubernetes.run(*words, "--dry-run")
    assert dry.code == 0, dry.err
    assert "There is room in the queue default of Kubernetes now" in dry.out
    large = with_kubernetes.run(*words, "--gpus", "8", "--dry-run")
    assert large.code == 4
    assert kubernetes.objects("jobs") == []
    doctor = with_kubernetes.run("doctor").out
    assert "Kubernetes: jobs can go there" in doctor
