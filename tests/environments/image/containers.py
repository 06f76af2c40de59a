"""The smallest root that a shell and a Python of ours run in, from this machine's files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

FOLDERS = ("dev", "proc", "sys", "tmp", "etc", "root", "home", "var/tmp", "usr/bin", "env")
EMPTY = ("etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf", "etc/localtime")

MORE = (
    "librt.so.1", "libdl.so.2", "libpthread.so.0", "libutil.so.1", "libgcc_s.so.1",
    "libstdc++.so.6", "libz.so.1", "libbz2.so.1.0", "liblzma.so.5", "libffi.so.8",
    "libcrypto.so.3", "libssl.so.3", "libsqlite3.so.0", "libuuid.so.1",
)  # fmt: skip
"""What compiled packages expect, and this machine's Python, which the test channel is made of."""


def minimal_root(root: Path) -> Path:
    """A new folder with ``sh`` and the C library."""
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    for name in EMPTY:
        (root / name).touch()
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    shutil.copy("/bin/sh", root / "usr" / "bin" / "sh")
    library = sysconfig.get_config_var("LDLIBRARY") or ""
    own = Path(sys.base_prefix) / "lib" / library
    libraries = root / "usr" / "lib"
    for program in ("/bin/sh", sys.executable, *([str(own)] if own.is_file() else [])):
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for word in said.split():
            if word.startswith("/") and not word.startswith(sys.base_prefix):
                target = root / "usr" / word.removeprefix("/usr").lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(word, target)
                libraries = target.parent if target.name.startswith("libc.so") else libraries
    for name in MORE:
        for path in Path("/usr/lib").glob(f"*-linux-gnu/{name}"):
            shutil.copy(path, libraries / name)
    return root
