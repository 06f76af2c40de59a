"""Debian systems in folders: other machines to pack on, and a real Apptainer.

Made by debootstrap once and kept in ``.build/roots``. A system is entered in mount namespaces of
its own with ``pivot_root`` (user namespaces cannot be made inside a chroot), and sees this
checkout, its interpreter and one folder of the test at the same paths.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments.image.tools import need
from tests.systems.daemons import Missing
from tests.systems.roots import PERSON, root

ROOT = Path(__file__).parents[3]

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
    need("unshare", "setpriv")
    try:
        return root(suite)
    except Missing as error:
        pytest.skip(str(error))


def run_in(
    folder: Path, shared: Path, *argv: str | Path, user: int = PERSON
) -> subprocess.CompletedProcess[str]:
    """Run ``argv`` in the system, as a person; ``shared`` is seen inside at the same path."""
    visible = (ROOT, Path(sys.base_prefix), shared)
    before = ["unshare", "--mount", "sh", "-c", _ENTER, "sh", str(folder)]
    words = [*before, " ".join(map(str, visible)), str(user), *map(str, argv)]
    return subprocess.run(words, capture_output=True, text=True)
