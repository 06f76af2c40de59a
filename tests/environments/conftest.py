"""A person with no environment at all, and ways to give them some."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.environments.making import add_distribution, program, write

VARIABLES = ("CONDA_PREFIX", "CONDA_EXE", "MAMBA_ROOT_PREFIX", "CONDA_ENVS_PATH", "CONDA_ENVS_DIRS")


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HOME; Jupyter looks only below it."""
    home = tmp_path / "own-home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("JUPYTER_DATA_DIR", "IPYTHONDIR", "WORKON_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    for name in (*VARIABLES, "JUPYTER_PATH", "PYTHONUSERBASE"):
        monkeypatch.delenv(name, raising=False)
    return home


class Finder:
    """Kernel specs of one folder only, so that the machine's own do not count."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_kernel_specs(self) -> dict[str, str]:
        return {path.parent.name: str(path.parent) for path in self.folder.glob("*/kernel.json")}


@pytest.fixture
def finder(tmp_path: Path) -> Finder:
    """Finds what ``add_kernel`` makes."""
    return Finder(tmp_path / "kernels")


@pytest.fixture
def add_kernel(finder: Finder) -> Callable[..., Path]:
    """Makes a kernel.json; a text is written as it is."""

    def add(name: str, argv: list[str] | None = None, text: str | None = None, **more: Any) -> Path:
        folder = finder.folder / name
        folder.mkdir(parents=True)
        content = {"argv": argv, "display_name": name.title(), "language": "python", **more}
        (folder / "kernel.json").write_text(json.dumps(content) if text is None else text)
        return folder

    return add


@pytest.fixture
def make_venv() -> Callable[..., Path]:
    """A venv as ``python -m venv`` lays it out, without an interpreter that could run."""

    def make(prefix: Path, version: str = "3.11.7", **packages: str) -> Path:
        minor = ".".join(version.split(".")[:2])
        write(prefix / "pyvenv.cfg", f"home = /nowhere/bin\nversion = {version}\n")
        program(prefix / "bin" / f"python{minor}")
        for name in ("python", "python3"):
            (prefix / "bin" / name).symlink_to(f"python{minor}")
        site = prefix / "lib" / f"python{minor}" / "site-packages"
        site.mkdir(parents=True)
        for name, number in packages.items():
            add_distribution(site, name, number)
        return prefix

    return make


@pytest.fixture
def make_conda() -> Callable[..., Path]:
    """A conda prefix: ``conda-meta`` with one file a package, and Python's folders."""

    def make(prefix: Path, python: str = "3.12.4", **packages: str) -> Path:
        minor = ".".join(python.split(".")[:2])
        builds = {"python": f"{python}-h1_0", **packages}
        for name, version_build in builds.items():
            write(prefix / "conda-meta" / f"{name}-{version_build}.json", "not read: {")
        write(prefix / "conda-meta" / "history")
        write(prefix / "lib" / f"python{minor}" / "os.py")
        (prefix / "lib" / f"python{minor}" / "site-packages").mkdir()
        program(prefix / "bin" / f"python{minor}")
        for name in ("python", "python3"):
            (prefix / "bin" / name).symlink_to(f"python{minor}")
        return prefix

    return make
