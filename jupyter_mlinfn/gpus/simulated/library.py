"""Compiles the stand-in library at its first use; a C compiler is all it takes (0.4 s)."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from jupyter_mlinfn.model.errors import PartMissing
from jupyter_mlinfn.process.run import run

SOURCE = Path(__file__).with_name("nvml.c")
FILE = "libnvidia-ml.so.1"
COMPILED_VARIABLE = "MLINFN_SIMULATED_LIBRARY"
"""Names a stand-in that was compiled before, for images without a compiler."""
_COMPILERS = ("cc", "gcc", "clang")


def cache_folder() -> Path:
    """Where compiled libraries are kept: the user's cache, by the hash of what was compiled."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "jupyter_mlinfn"


def library(folder: Path | None = None, omit: Sequence[str] = ()) -> Path:
    """The compiled stand-in, without the symbols ``omit`` (an older driver lacks some).

    Raises :class:`PartMissing` when there is no compiler or it refuses.
    """
    compiled = os.environ.get(COMPILED_VARIABLE)
    if compiled and not omit:
        return Path(compiled)
    recipe = hashlib.sha256(SOURCE.read_bytes() + "\n".join(sorted(omit)).encode()).hexdigest()
    place = (folder or cache_folder()) / f"nvml-{recipe[:16]}" / FILE
    if not place.exists():
        _compile(place, omit)
    return place


def _compile(place: Path, omit: Sequence[str]) -> None:
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise PartMissing(
            "The simulated GPUs need a C compiler, and there is none. Install gcc or clang.",
            code="no-compiler",
        )
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as work:
        staged = Path(work) / FILE
        answer = run(_command(compiler, Path(work), staged, omit), deadline=60)
        if answer.returncode != 0:
            raise PartMissing(
                f"The simulated GPUs could not be compiled: {answer.stderr[-500:].decode()}",
                code="no-compiler",
            )
        staged.replace(place)


def _command(compiler: str, work: Path, staged: Path, omit: Sequence[str]) -> list[str]:
    command = [
        compiler, "-O2", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread",
        f"-Wl,-soname,{FILE}", "-o", str(staged), str(SOURCE),
    ]  # fmt: skip
    if omit:
        script = work / "symbols"
        script.write_text(f"{{ local: {'; '.join(omit)}; }};\n", encoding="utf-8")
        command.insert(-3, f"-Wl,--version-script={script}")
    return command
