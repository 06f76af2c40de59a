"""Finds the local modules code imports: files and packages beside it, recursively, unrun."""

from __future__ import annotations

import ast
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from jupyter_mlinfn.jobs.cells import plain_python
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.quantities import show_memory

MOST_FILES: Final = 5000
MOST_BYTES: Final = 200 * 2**20
LARGEST_DATA: Final = 5 * 2**20
"""Bytes of the largest file of a package that is copied along and is no Python."""

_SKIPPED: Final = frozenset({"__pycache__", "node_modules"})
_IMPORT: Final = re.compile(r"^\s*(?:from\s+(\w+)[\w.]*\s+import\b|import\s+(\w[\w., ]*))", re.M)


@dataclass
class LocalModules:
    """What was found: paths relative to the folder, and what people should know."""

    files: list[Path] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def local_modules(texts: Iterable[str], folder: Path) -> LocalModules:
    """The modules beside ``folder``'s notebook that ``texts`` import, and those these import.

    Links that lead out of ``folder`` are not followed. Raises :class:`InputError` when it would
    be more than :data:`MOST_FILES` files or :data:`MOST_BYTES` bytes.
    """
    search = _Search(Path(os.path.realpath(folder)))
    waiting = [name for text in texts for name in imported(text)]
    while waiting:
        waiting.extend(search.add(waiting.pop()))
    search.found.files.sort()
    search.found.names.sort()
    return search.found


def imported(text: str) -> set[str]:
    """The top-level names that Python source imports from anywhere; lines of magics do not hurt."""
    plain = plain_python(text)
    try:
        tree = ast.parse(plain)
    except (SyntaxError, ValueError, RecursionError):
        # what cannot be parsed will fail in the job; what can be seen is taken along
        return {name for found in _IMPORT.finditer(plain) for name in _names(found)}
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _names(found: re.Match[str]) -> Iterator[str]:
    if found.group(1):
        yield found.group(1)
    else:
        for part in found.group(2).split(","):
            words = part.split()
            if words:
                yield words[0].split(".")[0]


class _Search:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.found = LocalModules()
        self._seen: set[str] = set()
        self._bytes = 0

    def add(self, name: str) -> set[str]:
        """Take ``name`` along when it lies here; the names it imports."""
        if name in self._seen or not name.isidentifier():
            return set()
        self._seen.add(name)
        package, module = self.root / name, self.root / f"{name}.py"
        if (package / "__init__.py").is_file():
            files = list(self._files_of(package, regular=True))
        elif module.is_file():
            files = [module]
        elif package.is_dir():
            files = list(self._files_of(package, regular=False))
        else:
            files = list(self.root.glob(f"{name}.*.so"))
        taken = [path for path in files if self._take(path)]
        if taken:
            self.found.names.append(name)
        return {used for path in taken if path.suffix == ".py" for used in _imports_of(path)}

    def _files_of(self, package: Path, *, regular: bool) -> Iterator[Path]:
        """A package's files; of a folder without ``__init__.py`` (maybe data) Python only."""
        looked_at = 0
        for where, folders, names in os.walk(package):
            folders[:] = sorted(d for d in folders if d not in _SKIPPED and not d.startswith("."))
            looked_at += len(names) + len(folders)
            if looked_at > MOST_FILES and not regular:
                # a folder of data that has the name of an installed package
                self._note(package, "holds many files, so it is taken for data, not for code")
                return
            for name in sorted(names):
                path = Path(where, name)
                if path.suffix == ".py" or (regular and self._small(path)):
                    yield path

    def _small(self, path: Path) -> bool:
        facts = path.lstat()
        if stat.S_ISREG(facts.st_mode) and facts.st_size > LARGEST_DATA:
            self._note(path, f"is not copied along: it has {show_memory(facts.st_size)}")
            return False
        return path.suffix not in (".pyc", ".ipynb")

    def _take(self, path: Path) -> bool:
        real = Path(os.path.realpath(path))
        if os.path.commonpath((self.root, real)) != str(self.root):
            self._note(path, "is a link out of the folder and is not copied along")
            return False
        try:
            facts = real.lstat()
        except OSError:
            self._note(path, "cannot be read and is not copied along")
            return False
        if not stat.S_ISREG(facts.st_mode):
            return False
        self._bytes += facts.st_size
        if len(self.found.files) >= MOST_FILES or self._bytes > MOST_BYTES:
            raise InputError(
                f"The local modules beside the notebook are more than {MOST_FILES} files or "
                f"{show_memory(MOST_BYTES)}. Install them into the environment instead.",
                code="modules-too-large",
                field="source",
            )
        self.found.files.append(path.relative_to(self.root))
        return True

    def _note(self, path: Path, text: str) -> None:
        self.found.notes.append(f"{path.relative_to(self.root)} {text}.")


def _imports_of(path: Path) -> set[str]:
    try:
        return imported(path.read_text("utf-8", "replace"))
    except OSError:
        return set()
