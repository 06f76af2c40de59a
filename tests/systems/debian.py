"""Debian's packages for the real parts of tests, where root runs them."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.systems.daemons import Missing

_LOCK = Path(tempfile.gettempdir()) / f"mlinfn-apt-{os.getuid()}.lock"
_WITHIN = 170


def install(*packages: str) -> None:
    """Install ``packages``, without starting any daemon of theirs. Raises :class:`Missing`."""
    if os.getuid() or not shutil.which("apt-get"):
        raise Missing("only root can install it")
    with _LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _install(packages)


def _install(packages: tuple[str, ...]) -> None:
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:  # the packages must not start daemons of their own
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages)
    try:
        for argv in (("apt-get", "update", "-qq"), command):
            done = subprocess.run(argv, env=environ, capture_output=True, timeout=_WITHIN)
            if done.returncode:
                words = re.sub(r"\s+", " ", done.stderr.decode(errors="replace")).strip()
                raise Missing(f"apt-get {argv[1]} failed: {words[:200]}")
    except subprocess.TimeoutExpired:
        raise Missing(f"apt-get did not end within {_WITHIN} s") from None
    finally:
        if ours:
            policy.unlink()
