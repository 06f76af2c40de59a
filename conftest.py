"""What every test gets: its own Jupyter folders and home, never the person's."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.channel.fixtures"]

INHERITED = (
    "MLINFN_JOB",
    "MLINFN_JOB_DIR",
    "MLINFN_GPUS",
    "MLINFN_CHANNELS",
    "MLINFN_MANAGED_ENVIRONMENTS",
    "JUPYTER_PATH",
    "JUPYTER_CONFIG_PATH",
    "JPY_SESSION_NAME",
    "PYTHONPATH",
    "COLUMNS",
)


def pytest_configure() -> None:
    """Let Ctrl-C be heard by the programs under test, also where this run ignores it (nohup)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary home with Jupyter's data, config and runtime folders in it."""
    home = tmp_path / "home"
    for name in ("data", "config", "runtime"):
        (home / name).mkdir(parents=True)
        monkeypatch.setenv(f"JUPYTER_{name.upper()}_DIR", str(home / name))
    monkeypatch.setenv("HOME", str(home))
    for name in INHERITED:
        monkeypatch.delenv(name, raising=False)
    return home
