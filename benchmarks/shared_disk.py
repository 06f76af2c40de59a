"""The simulated shared file system (``shared_disk.c``), mounted for the time of a measurement."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCE = Path(__file__).with_name("shared_disk.c")


def missing() -> str | None:
    """Why it cannot be mounted here; ``None`` when it can."""
    for program, package in (
        ("fusermount3", "fuse3"),
        ("gcc", "gcc"),
        ("pkg-config", "pkg-config"),
    ):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian package {package})"
    if subprocess.run(["pkg-config", "--exists", "fuse3"], check=False).returncode:
        return "the headers of FUSE are not installed (Debian package libfuse3-dev)"
    return None if Path("/dev/fuse").exists() else "/dev/fuse is not there"


def compiled(folder: Path) -> Path:
    """The program, built in ``folder``."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "--libs", "fuse3"], check=True, capture_output=True, text=True
    ).stdout.split()
    program = folder / "shared_disk"
    subprocess.run(["gcc", "-O2", "-o", str(program), str(SOURCE), *flags], check=True)
    return program


@contextmanager
def mounted(program: Path, source: Path, folder: Path, microseconds: int) -> Iterator[Path]:
    """``source`` seen at ``folder``, where each question takes ``microseconds`` longer."""
    folder.mkdir(exist_ok=True)
    argv = [str(program), str(source), str(microseconds), str(folder)]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not folder.is_mount():
                assert process.poll() is None, "the simulated shared disk could not be mounted"
                time.sleep(0.01)
            yield folder
        finally:
            subprocess.run(["fusermount3", "-u", "-z", str(folder)], check=True)
