"""System programs that tests need: installed by apt-get where we are root, else missed."""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache

import pytest

from tests import parts

PACKAGES = {
    "mksquashfs": "squashfs-tools",
    "unsquashfs": "squashfs-tools",
    "squashfuse_ll": "squashfuse",
    "ch-run": "charliecloud-runtime",
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "dockerd": "docker.io",
    "docker": "docker.io",
}


def need(*programs: str) -> None:
    """Have ``programs``, or skip and say so in the table of real parts."""
    for program in programs:
        package = PACKAGES[program]
        why = _get(program, package)
        if why:
            parts.missed(program, why)
            pytest.skip(f"{program}: {why}")
        parts.took_part(program, f"Debian package {package}")


@cache
def _get(program: str, package: str) -> str:
    """Why it cannot be had; empty when it is there."""
    if shutil.which(program):
        return ""
    why = install(package)
    return why or ("" if shutil.which(program) else f"{package} does not contain it")


@cache
def install(package: str) -> str:
    """Install a Debian package; why not, or nothing."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return f"not installed; needs root and apt-get to install {package}"
    argv = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(argv, env=environ, capture_output=True, text=True)
    return "" if done.returncode == 0 else f"apt-get: {done.stderr.strip()[-200:]}"
