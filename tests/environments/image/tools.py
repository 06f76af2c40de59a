"""System programs that tests need: installed by apt-get where we are root, else missed."""

from __future__ import annotations

import shutil
from functools import cache

import pytest

from tests import parts
from tests.systems import debian
from tests.systems.daemons import Missing

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
    try:
        debian.install(package)
    except Missing as error:
        return str(error)
    return ""
