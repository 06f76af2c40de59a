"""What every test gets: its own Jupyter folders and home, never the person's."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

pytest_plugins = ["tests.channel.fixtures"]

INHERITED = (
    "MLINFN_JOB",
    "MLINFN_JOB_DIR",
    "MLINFN_GPUS",
    "MLINFN_BACKENDS",
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


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector off what lives as long as the run: tests, modules, their code.

    Looking through millions of such objects again and again is a quarter of what collecting
    tests costs, in every worker.
    """
    gc.disable()
    result = yield
    gc.collect()
    gc.freeze()
    gc.enable()
    return result


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that wait for real systems: what only computes fills the gaps."""
    waiting = {item.path for item in items if item.get_closest_marker("system")}
    items.sort(key=lambda item: item.path not in waiting)


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """What a program sets of the process's loggers ends with the test that called it.

    JupyterHub's migrations configure alembic and the root, Jupyter's servers add handlers: a test
    that looks at what was logged would depend on what ran before it.
    """
    logging.getLogger("alembic")
    known = [*logging.root.manager.loggerDict.values(), logging.root]
    before = [
        (one, one.level, (one.parent, one.propagate, one.disabled), list(one.handlers))
        for one in known
        if isinstance(one, logging.Logger)
    ]
    yield
    for logger, level, ways, handlers in before:
        if logger.level != level or logger is logging.root:  # forgets what was derived from parents
            logger.setLevel(level)
        logger.parent, logger.propagate, logger.disabled = ways
        logger.handlers[:] = handlers


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
    # a loaded machine is slow, not silent
    monkeypatch.setenv("MLINFN_ANSWER_SECONDS", "15")
    return home
