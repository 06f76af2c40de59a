"""Where environments lie that no kernel names: conda's own lists, venvs in usual places.

Only looks: no program is run, no folder is walked deeper than one level.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jupyter_mlinfn.environments.reading import read_text_head

_MOST_ENTRIES = 2000
"""A folder with more entries than this is a data folder, not a place for environments."""


def find_prefixes(folders: Iterable[Path], root: Path) -> list[Path]:
    """Prefixes of conda and of venvs, each once, as they were named first.

    ``folders`` come from the settings; ``root`` is where the notebooks are.
    """
    environ = os.environ
    candidates = itertools.chain(
        _conda_candidates(environ),
        *(_in_and_below(folder.expanduser()) for folder in folders),
        _in_and_below(root),
        *(_in_and_below(folder) for folder in _virtualenv_homes(environ)),
    )
    found: dict[str, Path] = {}
    for candidate in candidates:
        if is_prefix(candidate):
            found.setdefault(os.path.realpath(candidate), candidate)
    return list(found.values())


def is_prefix(path: Path) -> bool:
    """Whether a venv or a conda environment lies here."""
    return (path / "pyvenv.cfg").is_file() or (path / "conda-meta").is_dir()


def _conda_candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """``~/.conda/environments.txt`` (conda writes every prefix it makes there), and ``envs``."""
    home = Path.home()
    try:
        listed = read_text_head(home / ".conda" / "environments.txt")
    except OSError:
        listed = ""  # conda was never used here
    yield from (Path(line.strip()) for line in listed.splitlines() if line.strip().startswith("/"))
    roots = [
        Path(environ[name]) for name in ("CONDA_PREFIX", "MAMBA_ROOT_PREFIX") if environ.get(name)
    ]
    if environ.get("CONDA_EXE"):
        roots.append(Path(environ["CONDA_EXE"]).parent.parent)
    for prefix in roots:
        # An active environment may itself lie in the ``envs`` of its root.
        for folder in (prefix, prefix.parent.parent if prefix.parent.name == "envs" else prefix):
            yield folder
            yield from _below(folder / "envs")
    shelves = [home / ".conda" / "envs"]
    for name in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        shelves += [Path(text) for text in environ.get(name, "").split(os.pathsep) if text]
    for shelf in shelves:
        yield from _below(shelf)


def _virtualenv_homes(environ: Mapping[str, str]) -> Iterator[Path]:
    yield Path(environ.get("WORKON_HOME") or Path.home() / ".virtualenvs")


def _in_and_below(folder: Path) -> Iterator[Path]:
    yield folder
    yield from _below(folder)
    yield from _below(folder / "envs")


def _below(folder: Path) -> Iterator[Path]:
    """The folders in ``folder``, in the order of their names."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, _MOST_ENTRIES + 1)]
    except OSError:
        return  # not there, or not ours to see
    if len(names) <= _MOST_ENTRIES:
        yield from (folder / name for name in sorted(names))
