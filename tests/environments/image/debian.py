"""Debian systems in folders: other machines to pack on, and a real Apptainer.

Made by debootstrap once and kept in ``.build/roots``. A system is entered in mount namespaces of
its own with ``pivot_root`` (user namespaces cannot be made inside a chroot), and sees this
checkout, its interpreter and one folder of the test at the same paths.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import parts
from tests.environments.image.tools import need

ROOT = Path(__file__).parents[3]
ROOTS = ROOT / ".build" / "roots"

PYTHON_NEEDS = ("libffi8", "libbz2-1.0", "liblzma5", "libsqlite3-0", "zlib1g")
"""What the machine's own Python finds in a Debian system."""
SUITES = {
    "bookworm": ("squashfs-tools", "ca-certificates", "libssl3", *PYTHON_NEEDS),
    "sid": ("apptainer", "squashfs-tools", "squashfuse", "fuse3", "libssl3t64", *PYTHON_NEEDS),
}
PERSON = 1000
_ENTER = """set -e
root=$1 shared=$2 user=$3; shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
for name in proc sys dev; do mount --rbind /$name "$root/$name"; done
mount --bind "$root/fuse" "$root/dev/fuse"
for folder in $shared; do mkdir -p "$root$folder"; mount --bind "$folder" "$root$folder"; done
cd "$root"
pivot_root . old
umount -l /old
cd /tmp
exec setpriv --reuid "$user" --regid "$user" --clear-groups \\
  env -i PATH=/usr/bin:/bin:/usr/sbin HOME=/tmp LC_ALL=C.UTF-8 "$@"
"""


def system(suite: str) -> Path:
    """The folder of a Debian system; skips the test where none can be made."""
    if os.geteuid() != 0:
        _miss(suite, "debootstrap needs root")
    need("debootstrap", "unshare", "setpriv")
    folder = ROOTS / suite
    ROOTS.mkdir(parents=True, exist_ok=True)
    with (ROOTS / f".{suite}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "complete"
        if not stamp.is_file() or stamp.read_text() != " ".join(SUITES[suite]):
            _make(suite, folder)
    parts.took_part(f"Debian {suite}", "a system of its own in a folder")
    return folder


def _make(suite: str, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    packages = f"--include={','.join(SUITES[suite])}"
    argv = ["debootstrap", "--variant=minbase", packages, suite, str(folder)]  # its own mirror
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        _miss(suite, f"debootstrap: {done.stdout.strip()[-200:]}")
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


def _miss(suite: str, why: str) -> None:
    parts.missed(f"Debian {suite}", why)
    pytest.skip(why)


def run_in(
    folder: Path, shared: Path, *argv: str | Path, user: int = PERSON
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` in the system, as a person; ``shared`` is seen inside at the same path."""
    visible = (ROOT, Path(sys.base_prefix), shared)
    before = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(folder)]
    words = [*before, " ".join(map(str, visible)), str(user), *map(str, argv)]
    return subprocess.run(words, capture_output=True, text=True)
