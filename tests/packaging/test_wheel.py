"""The wheel from a clean tree enables both halves by itself and names no build machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.parts import missed, took_part

TREE = Path(__file__).parent.parent.parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def tracked_files() -> list[str]:
    found = subprocess.run(
        ["git", "-C", str(TREE), "ls-files", "-z"], capture_output=True, check=True, text=True
    )
    return [name for name in found.stdout.split("\0") if name and (TREE / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from a copy of what git tracks, with the packages node already has."""
    if not (TREE / "node_modules").is_dir():
        missed("wheel", "node_modules is missing: run make install first")
        pytest.skip("node_modules is missing: run make install first")
    clean = tmp_path_factory.mktemp("clean") / "checkout"
    for name in tracked_files():
        (clean / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TREE / name, clean / name)
    (clean / "node_modules").symlink_to(TREE / "node_modules")
    environment = {k: v for k, v in os.environ.items() if k != "SKIP_JUPYTER_BUILDER"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation",
         "-w", str(clean.parent / "dist"), "."],
        cwd=clean, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (built,) = (clean.parent / "dist").glob("*.whl")
    return built


def test_it_carries_both_halves(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    data = next(name.split("/")[0] for name in names if ".data/" in name) + "/data"
    assert f"{data}/share/jupyter/labextensions/jupyter_mlinfn/package.json" in names
    assert f"{data}/share/jupyter/labextensions/jupyter_mlinfn/install.json" in names
    assert f"{data}/etc/jupyter/jupyter_server_config.d/jupyter_mlinfn.json" in names
    assert any("/static/remoteEntry." in name for name in names)
    assert "jupyter_mlinfn/py.typed" in names
    assert "jupyter_mlinfn/magics/shim/mlinfn.py" in names


def test_nothing_of_the_build_machine_is_in_it(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    places = [str(TREE).encode(), str(wheel.parent.parent).encode(), str(Path.home()).encode()]
    for name in archive.namelist():
        assert not name.endswith((".map", "build_log.json")), name
        content = archive.read(name)
        for place in places:
            assert place not in content, f"{name} names {place!r}"


def test_a_fresh_environment_enables_it_by_itself(
    wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the dependencies of this environment below it, the installed wheel is what is found."""
    venv = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    site = next((venv / "lib").glob("python3*/site-packages"))
    below = next(p for p in map(Path, sys.path) if p.name == "site-packages")
    (site / "below.pth").write_text(f"{below}\n")
    python = venv / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", str(wheel)],
        check=True, cwd=tmp_path,
    )  # fmt: skip
    for command, expected in (
        (["server", "extension", "list"], "jupyter_mlinfn"),
        (["labextension", "list"], "jupyter_mlinfn"),
    ):
        done = subprocess.run(
            [str(python), "-m", "jupyter", *command],
            capture_output=True, text=True, cwd=tmp_path, check=False,
        )  # fmt: skip
        lines = [x for x in (done.stdout + done.stderr).splitlines() if expected in x]
        assert lines, done.stdout + done.stderr
        assert any("enabled" in line for line in lines), lines
        assert not any("error" in line.lower() or "X" in line.split() for line in lines), lines
    where = subprocess.run(
        [str(python), "-c", "import jupyter_mlinfn; print(jupyter_mlinfn.__file__)"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    assert str(venv) in where.stdout
    took_part("wheel from a clean tree", wheel.name)
