"""Debian systems in folders, made by debootstrap once and kept in ``.build/roots``.

None has a Python of its own: what is entered or started on them sees this checkout and its
interpreter at the same paths, so that the code that is tested is the one that lies here.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from tests.parts import missed, took_part
from tests.systems import debian
from tests.systems.daemons import Missing

ROOTS = Path(__file__).parents[2] / ".build" / "roots"

PYTHON_NEEDS = ("libffi8", "libbz2-1.0", "liblzma5", "libsqlite3-0", "zlib1g")
"""What the machine's own Python finds in a Debian system."""
SUITES = {
    "bookworm": ("squashfs-tools", "ca-certificates", "libssl3", *PYTHON_NEEDS),
    "sid": ("apptainer", "squashfs-tools", "squashfuse", "fuse3", "libssl3t64", *PYTHON_NEEDS),
}
PERSON = 1000


def root(suite: str) -> Path:
    """The folder of a Debian system. Raises :class:`Missing` where none can be made."""
    folder = ROOTS / suite
    try:
        _have(suite, folder)
    except Missing as error:
        missed(f"Debian {suite}", str(error))
        raise
    took_part(f"Debian {suite}", "a system of its own in a folder")
    return folder


def _have(suite: str, folder: Path) -> None:
    if os.geteuid() != 0:
        raise Missing("debootstrap needs root")
    ROOTS.mkdir(parents=True, exist_ok=True)
    with (ROOTS / f".{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "complete"
        if stamp.is_file() and stamp.read_text() == " ".join(SUITES[suite]):
            return
        if shutil.which("debootstrap") is None:
            debian.install("debootstrap")
        _make(suite, folder)


def _make(suite: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    packages = f"--include={','.join(SUITES[suite])}"
    argv = ["debootstrap", "--variant=minbase", packages, suite, str(folder)]  # its own mirror
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise Missing(f"debootstrap: {done.stdout.strip()[-200:]}")
    shutil.rmtree(folder / "var" / "cache" / "apt", ignore_errors=True)
    (folder / "old").mkdir()
    (folder / "root").chmod(0o755)
    (folder / "etc" / "hosts").write_text("127.0.0.1 localhost\n")
    (folder / "etc" / "resolv.conf").touch()
    with (folder / "etc" / "passwd").open("a") as file:
        file.write(f"person:x:{PERSON}:{PERSON}::/tmp:/bin/sh\n")
    with (folder / "etc" / "group").open("a") as file:
        file.write(f"person:x:{PERSON}:\n")
    os.mknod(folder / "fuse", 0o666 | 0o020000, os.makedev(10, 229))
    (folder / "fuse").chmod(0o666)
    (folder / "complete").write_text(" ".join(SUITES[suite]))
