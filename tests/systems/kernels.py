"""Kernels of other languages, installed where they are missing: R from Debian, bash from PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import missed, took_part

BUILD = Path(__file__).parent.parent.parent / ".build"
_VERSIONS = 'cat(format(getRversion()), "IRkernel", format(packageVersion("IRkernel")))'
DEBIAN = ("r-base-core", "r-cran-irkernel")


def install_r(data: Path) -> None:
    """Put IRkernel's own kernel spec into Jupyter's data folder ``data``; else skip."""
    folder = _kernelspec_of_r()
    if folder is None:
        _apt_get(*DEBIAN)
        folder = _kernelspec_of_r()
    if folder is None:
        _skip("R with IRkernel", "R is there, but its package IRkernel is not")
    shutil.copytree(folder, data / "kernels" / "ir")
    took_part("R with IRkernel", _r(_VERSIONS))


def install_bash(data: Path) -> None:
    """Let bash_kernel, in a venv of its own, put its kernel spec into ``data``; else skip."""
    venv = BUILD / "bash-kernel-venv"
    python = venv / "bin" / "python"
    if not (venv / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = _run(str(python), "-m", "pip", "install", "--quiet", "bash_kernel")
        if pip.returncode:
            _skip("bash_kernel", _last_line(pip.stderr))
        (venv / "complete").touch()
    environ = {**os.environ, "JUPYTER_DATA_DIR": str(data)}
    subprocess.run([python, "-m", "bash_kernel.install", "--user"], env=environ, check=True)
    version = "from importlib.metadata import version as v; print(v('bash_kernel'))"
    took_part("bash_kernel", f"{_run(str(python), '-c', version).stdout.strip()}, from PyPI")


def _kernelspec_of_r() -> Path | None:
    if shutil.which("Rscript") is None:
        return None
    told = _r('cat(system.file("kernelspec", package = "IRkernel"))')
    return Path(told) if told else None


def _r(code: str) -> str:
    return _run("Rscript", "--vanilla", "-e", code).stdout.strip()


def _apt_get(*packages: str) -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        _skip("R with IRkernel", f"needs root to install {' '.join(packages)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    _run("apt-get", "update", "-qq")
    done = _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, **environ)
    if done.returncode:
        _skip("R with IRkernel", _last_line(done.stderr))


def _run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=environ or None, capture_output=True, text=True, check=False, timeout=800
    )


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it cannot be installed"])[-1]


def _skip(name: str, why: str) -> None:
    missed(name, why)
    pytest.skip(f"{name}: {why}")
