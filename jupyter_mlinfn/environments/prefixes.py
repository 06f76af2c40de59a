"""Where an interpreter's prefix is and which folders it imports from, by looking only.

Follows CPython's start-up: ``pyvenv.cfg`` beside the program or one above makes a venv
(PEP 405); else the prefix is where the program's real file lies. Never runs the interpreter:
a broken or slow one must not stall a list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from jupyter_mlinfn.environments.reading import read_text_head

PYTHON_NAME = re.compile(r"(?:python|pypy)[0-9.]*", re.ASCII)
_MINOR = re.compile(r"python([0-9]+\.[0-9]+)t?", re.ASCII)


def prefix_of(program: Path) -> Path | None:
    """The prefix of a Python program; of another program only if conda made its folder."""
    if PYTHON_NAME.fullmatch(program.name) is None:
        above = program.parent.parent
        return above if (above / "conda-meta").is_dir() else None
    for folder in (program.parent, program.parent.parent):
        if (folder / "pyvenv.cfg").is_file():
            return folder
    above = program.parent.parent
    if (above / "conda-meta").is_dir() or any(_library_versions(above)):
        return above
    return Path(os.path.realpath(program)).parent.parent


def minor_version(prefix: Path, program: Path | None = None) -> str:
    """``"3.11"``; empty when there is no Python in the prefix.

    A prefix such as ``/usr`` may hold several, so the program's real name decides first.
    """
    candidates = [program] if program else [prefix / "bin" / "python3", prefix / "bin" / "python"]
    for candidate in candidates:
        if named := _MINOR.fullmatch(Path(os.path.realpath(candidate)).name):
            return named[1]
    noted = read_pyvenv(prefix).get("version") or read_pyvenv(prefix).get("version_info")
    if noted:
        return ".".join(noted.split(".")[:2])
    versions = sorted(_library_versions(prefix), key=lambda v: [int(n) for n in v.split(".")])
    return versions[-1] if versions else ""


def read_pyvenv(prefix: Path) -> dict[str, str]:
    """The settings of ``pyvenv.cfg`` with keys in lower case; empty when this is no venv."""
    try:
        text = read_text_head(prefix / "pyvenv.cfg")
    except OSError:
        return {}  # Not a venv, or closed to us: then Python could not read it either.
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def site_folders(prefix: Path, python: str) -> tuple[Path, ...]:
    """The folders of installed packages of ``prefix``, in the order of ``sys.path``.

    With the user's own site folder where Python looks there, the base's folders for a venv made
    with ``--system-site-packages``, Debian's ``dist-packages``, and folders named in ``.pth``
    files (editable installs, chained environments).
    """
    venv = read_pyvenv(prefix)
    shared = venv.get("include-system-site-packages", "").lower() == "true"
    folders: list[Path] = []
    if not venv or shared:
        folders.append(_user_site(python))
    folders += _own_folders(prefix, python)
    if shared and venv.get("home"):
        folders += _own_folders(Path(venv["home"]).parent, python)
    apart: dict[str, Path] = {}
    for folder in folders:
        apart.setdefault(os.path.realpath(folder), folder)  # lib64 is often lib by another name
    seen: dict[str, Path] = {}
    for folder in apart.values():
        for path in (folder, *_pth_folders(folder)):
            seen.setdefault(os.path.realpath(path), path)
    return tuple(path for path in seen.values() if path.is_dir())


def _own_folders(prefix: Path, python: str) -> list[Path]:
    folders = [prefix / lib / f"python{python}" / "site-packages" for lib in ("lib", "lib64")]
    if prefix == Path("/usr"):
        folders += [
            Path(f"/usr/local/lib/python{python}/dist-packages"),
            Path("/usr/lib/python3/dist-packages"),
            Path(f"/usr/lib/python{python}/dist-packages"),
        ]
    return folders


def _user_site(python: str) -> Path:
    base = os.environ.get("PYTHONUSERBASE") or str(Path.home() / ".local")
    return Path(base) / "lib" / f"python{python}" / "site-packages"


def _pth_folders(folder: Path) -> Iterator[Path]:
    """Folders that the ``.pth`` files of a site folder add (module ``site``)."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.name.endswith(".pth"))
    except OSError:
        return  # Not there, or closed to us.
    for name in names:
        try:
            lines = read_text_head(folder / name).splitlines()
        except OSError:
            continue  # Python skips what it cannot read, too.
        for line in lines:
            text = line.strip()
            if text and not text.startswith(("#", "import ", "import\t")):
                added = folder / text
                if added.is_dir():
                    yield added


def _library_versions(prefix: Path) -> Iterator[str]:
    for landmark in prefix.glob("lib/python3.*/os.py"):
        if named := _MINOR.fullmatch(landmark.parent.name):
            yield named[1]
