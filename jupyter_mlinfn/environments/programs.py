"""From a kernel's command line to the program, prefix and Python behind it.

The first word is resolved as jupyter_client does (``KernelManager.format_kernel_cmd``: a bare
``python`` is the server's own). Wrappers are looked through: ``env``, ``conda run`` and its
relatives, nb_conda_kernels' runner. A shell script in between cannot be read: then the prefix
is unknown, which is said, never guessed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from jupyter_mlinfn.environments.prefixes import PYTHON_NAME, minor_version, prefix_of
from jupyter_mlinfn.model.environments import KernelCommand

_OWN_PYTHON = {
    "python",
    f"python{sys.version_info[0]}",
    f"python{sys.version_info[0]}.{sys.version_info[1]}",
}
_CONDA_NAMES = {"conda", "mamba", "micromamba", "conda.exe", "mambaforge"}
_SHELLS = {"sh", "bash", "dash", "zsh", "ksh"}
_CONDA_VALUE_OPTIONS = {"--cwd", "-r", "--root-prefix"}
_TEMPLATE = re.compile(r"\{([A-Za-z0-9_]+)\}")
_VARIABLE = re.compile(r"\$\{([A-Za-z0-9_]+)\}")


@dataclass(frozen=True)
class KernelProgram:
    """What would run: ``program`` absolute or ``None``; ``problem`` says why it cannot.

    ``python`` is ``"3.11"`` or empty. ``prefix`` is ``None`` where it cannot be known.
    ``path`` holds the folders of the kernel's own ``PYTHONPATH``.
    """

    program: Path | None
    prefix: Path | None = None
    python: str = ""
    path: tuple[Path, ...] = ()
    problem: str | None = None


def find_program(kernel: KernelCommand) -> KernelProgram:
    """The program behind a kernel's command line, without running anything."""
    own = _filled(kernel.env)
    environ = {**os.environ, **own}
    words = [_fill(word, kernel) for word in kernel.argv]
    if not words:
        return KernelProgram(None, problem="Its kernel.json names no program (argv is empty).")
    if words[0] in _OWN_PYTHON:
        words[0] = sys.executable
    first = _locate(words[0], environ)
    if first is None:
        return KernelProgram(None, problem=f"Its program {words[0]} is not there.")
    inner, named = _look_through([str(first), *words[1:]], environ)
    if inner is None:
        problem = f"Its program {named} is not there." if named else None
        return KernelProgram(first, problem=problem)
    prefix = prefix_of(inner)
    is_python = PYTHON_NAME.fullmatch(inner.name) is not None
    python = minor_version(prefix, inner if is_python else None) if prefix else ""
    own_path = tuple(Path(p) for p in own.get("PYTHONPATH", "").split(os.pathsep) if p)
    return KernelProgram(inner, prefix, python, own_path)


def _look_through(words: list[str], environ: Mapping[str, str]) -> tuple[Path | None, str]:
    """The innermost program, or ``None`` with the missing name (empty: it cannot be known)."""
    for _ in range(4):
        program, rest = Path(words[0]), words[1:]
        if program.name == "env":
            rest = _after_env(rest)
        elif program.name in _CONDA_NAMES and "run" in rest:
            rest = _after_conda_run(program, rest, environ)
        elif rest[:2] == ["-m", "nb_conda_kernels.runner"]:
            rest = rest[4:]  # conda's root and the environment's prefix come first
        elif program.name in _SHELLS and _runs_a_script(rest):
            return None, ""
        else:
            return program, ""
        if not rest:
            return None, ""
        inner = _locate(rest[0], environ)
        if inner is None:
            return None, rest[0]
        words = [str(inner), *rest[1:]]
    return None, ""


def _runs_a_script(rest: list[str]) -> bool:
    return bool(rest) and (rest[0] in {"-c", "-lc", "-l"} or not rest[0].startswith("-"))


def _after_env(words: list[str]) -> list[str]:
    """What ``env [-i] [-u NAME] [NAME=VALUE]… COMMAND…`` runs."""
    while words:
        if words[0] in {"-u", "--unset", "-C", "--chdir"}:
            words = words[2:]
        elif words[0] == "--":
            return words[1:]
        elif words[0].startswith("-") or "=" in words[0]:
            words = words[1:]
        else:
            return words
    return words


def _after_conda_run(program: Path, words: list[str], environ: Mapping[str, str]) -> list[str]:
    """What ``conda run [-n NAME | -p PREFIX] COMMAND…`` runs, with the prefix's own program."""
    prefix: Path | None = None
    words = words[words.index("run") + 1 :]
    while words and words[0].startswith("-"):
        option, _, value = words[0].partition("=")
        takes = option in {"-n", "--name", "-p", "--prefix"} | _CONDA_VALUE_OPTIONS
        if takes and not value:
            value, words = (words[1] if len(words) > 1 else ""), words[1:]
        if option in {"-p", "--prefix"}:
            prefix = Path(value)
        elif option in {"-n", "--name"}:
            prefix = conda_prefix_named(value, program, environ)
        words = words[1:]
    if words and prefix is not None and "/" not in words[0]:
        words = [str(prefix / "bin" / words[0]), *words[1:]]
    return words


def conda_prefix_named(name: str, conda: Path, environ: Mapping[str, str]) -> Path:
    """The prefix conda means by ``name``; its usual place when none of that name exists."""
    root = Path(environ.get("MAMBA_ROOT_PREFIX") or Path(os.path.realpath(conda)).parent.parent)
    if name in {"base", "root"}:
        return root
    folders = [root / "envs", Path.home() / ".conda" / "envs"]
    for variable in ("CONDA_ENVS_PATH", "CONDA_ENVS_DIRS"):
        folders += [Path(p) for p in environ.get(variable, "").split(os.pathsep) if p]
    for folder in folders:
        if (folder / name).is_dir():
            return folder / name
    return folders[0] / name


def _locate(word: str, environ: Mapping[str, str]) -> Path | None:
    """An executable file named by a path, or found on the kernel's own ``PATH``."""
    found = shutil.which(word, path=environ.get("PATH"))
    return Path(found) if found and Path(found).is_absolute() else None


def _fill(word: str, kernel: KernelCommand) -> str:
    values = {"resource_dir": kernel.resource_dir, "prefix": sys.prefix}
    return _TEMPLATE.sub(lambda m: values.get(m[1], m[0]), word)


def _filled(env: Mapping[str, str]) -> dict[str, str]:
    """``${NAME}`` in a kernel.json's ``env`` is filled from the server's environment."""
    return {
        name: _VARIABLE.sub(lambda m: os.environ.get(m[1], m[0]), text)
        for name, text in env.items()
    }
