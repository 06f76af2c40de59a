"""The arrows of the house: imports point down only (docs/architecture.md)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "jupyter_mlinfn"

ROOMS_BELOW: dict[str, set[str]] = {
    "model": set(),
    "process": {"model"},
    "database": {"model"},
    "gpus": {"model", "process", "database"},
    "environments": {"model", "process", "database"},
    "jobs": {"model", "process", "database"},
    "storage": {"model", "process", "database"},
    "accounting": {"model", "process", "database"},
    "profiles": {"model", "process", "database"},
    "leases": {"model", "process", "database"},
    "kubernetes_settings": set(),
    "settings": {"model", "kubernetes_settings"},
    "workbench": {
        "model", "process", "database", "settings",
        "gpus", "environments", "jobs", "storage", "accounting",
    },
    "diagnosis": {
        "model", "process", "database", "settings", "workbench",
        "gpus", "environments", "jobs", "storage", "accounting",
    },
    "hub": {
        "model", "process", "database",
        "profiles", "leases", "gpus", "accounting", "storage",
    },
    "magics": set(),
}  # fmt: skip
FACES = {"server", "cli"}
EVERYTHING_BELOW_A_FACE = set(ROOMS_BELOW) - {"hub", "magics"}

PROGRAMS = {
    # Programs of their own are faces, although they live in a capability's folder.
    "jobs/runner": {"model", "process", "jobs", "environments", "magics"},
    "gpus/agent": {"model", "process", "gpus"},
}
PURE = {"model": {"pydantic", "pydantic_core", "typing_extensions"}}
MAY_START_PROGRAMS = {"process"}
MAY_OPEN_DATABASES = {"database"}

CORNERS: dict[str, set[str]] = {
    # The environments' room is large; its corners have arrows of their own.
    "environments/locks": {"locks", "reading"},
    "environments/image": {"image", "locks", "own", "reading", "engine"},
    "environments/engine": {"engine", "image", "locks", "matching", "own", "reading", "search"},
}
SOLVERS = {"rattler", "conda_lock"}
"""Crash at the end of the process, and cost tens of megabytes: only programs of their own load
them (docs/decisions.md)."""
MAY_SOLVE = ("environments/engine/", "environments/locks/shim/")

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc"}


@cache
def modules() -> tuple[Path, ...]:
    """All Python files of the package that are written by hand."""
    found = sorted(
        path
        for path in PACKAGE.rglob("*.py")
        if path.name != "_version.py" and "labextension" not in path.parts
    )
    return tuple(found)


@cache
def imports_of(path: Path) -> tuple[str, ...]:
    """Absolute names of everything a file imports, in functions and type checks too."""
    return tuple(_imports_of(path))


def _imports_of(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if node.module == "jupyter_mlinfn":
                yield from (f"jupyter_mlinfn.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def allowed_for(path: Path) -> set[str]:
    relative = path.relative_to(PACKAGE).with_suffix("").as_posix()
    for program, allowed in PROGRAMS.items():
        if relative == program or relative.startswith(program + "/"):
            return allowed
    room = room_of(path)
    if room in FACES:
        return EVERYTHING_BELOW_A_FACE | {room}
    return ROOMS_BELOW[room] | {room}


ROOMS = sorted({room_of(path) for path in modules()} - {"__init__"})
in_each_room = pytest.mark.parametrize("room", ROOMS)
"""A test for each room, not for each file: hundreds of files would be thousands of tests."""


def in_room(room: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each file of a room, as the package sees it, with what it imports."""
    for path in modules():
        if room_of(path) == room:
            yield path.relative_to(PACKAGE).as_posix(), imports_of(path)


def tops_of(names: Iterable[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


@in_each_room
def test_imports_point_down(room: str) -> None:
    for file, names in in_room(room):
        allowed = allowed_for(PACKAGE / file)
        for name in names:
            if name.startswith("jupyter_mlinfn."):
                target = name.split(".")[1]
                assert target in allowed or target == "_version", (
                    f"{file} imports {name}; allowed: {sorted(allowed)}"
                )


@in_each_room
def test_model_is_pure_and_special_rights_stay_in_their_rooms(room: str) -> None:
    for file, names in in_room(room):
        tops = tops_of(names)
        if room in PURE:
            strangers = tops - set(sys.stdlib_module_names) - PURE[room] - {"jupyter_mlinfn"}
            assert not strangers, f"{file} of the model imports {strangers}"
            assert not tops & {"subprocess", "socket", "sqlite3", "threading", "asyncio"}, file
        if room not in MAY_START_PROGRAMS and room != "magics":
            assert "subprocess" not in tops, f"{file}: only process/ starts programs"
        if room not in MAY_OPEN_DATABASES:
            assert "sqlite3" not in tops, f"{file}: only database/ opens databases"


@in_each_room
def test_the_solver_is_loaded_by_programs_of_its_own_alone(room: str) -> None:
    for file, names in in_room(room):
        if not file.startswith(MAY_SOLVE):
            assert not tops_of(names) & SOLVERS, file
        if not file.startswith("environments/"):
            engine = [one for one in names if one.startswith("jupyter_mlinfn.environments.engine")]
            assert not engine, f"{file} loads the engine into a server or the command line"


@pytest.mark.parametrize("corner", CORNERS)
def test_the_corners_of_the_environments(corner: str) -> None:
    for path in sorted((PACKAGE / corner).rglob("*.py")):
        for name in imports_of(path):
            if name.startswith("jupyter_mlinfn.environments."):
                assert name.split(".")[2] in CORNERS[corner], f"{path.name} imports {name}"


def test_no_catch_all_module() -> None:
    for path in modules():
        assert path.stem not in FORBIDDEN_NAMES, path


def test_every_room_is_known() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__"}
    assert rooms <= set(ROOMS_BELOW) | FACES, rooms - set(ROOMS_BELOW) - FACES


def test_the_shim_needs_nothing_but_the_standard_library_and_ipython() -> None:
    for name in ("shim/mlinfn.py", "checkpoints.py", "cells.py"):
        tops = tops_of(imports_of(PACKAGE / "magics" / name))
        assert tops <= set(sys.stdlib_module_names) | {"IPython"}, name
