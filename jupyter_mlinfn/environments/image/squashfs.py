"""squashfs files by mksquashfs: which compressor, how reproducible, how far it is.

The bytes are a function of the folder's names, contents and permissions to run, of the compressor
and of the version of mksquashfs and its libraries: not of times, owners, links, umask, memory or
the number of processors (since 4.4, which orders blocks by file).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jupyter_mlinfn.environments.image.children import Children
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing, Unavailable
from jupyter_mlinfn.process.run import run

_COMPRESSORS: Final = {
    "zstd": ("-comp", "zstd", "-Xcompression-level", "1"),
    "lz4": ("-comp", "lz4"),
    "gzip": ("-comp", "gzip"),
}
MODES: Final = "chmod(a=rX,u+w)@true"
"""Everybody reads; who could run it may; no special bits: whatever umask and links had made."""

_USUAL: Final = (
    "directory /", "symbolic link /", "character device /", "Parallel mksquashfs", "Creating ",
)  # fmt: skip
"""How lines begin that tell nothing when it fails."""

_MEMORY: Final = "768M"
_VERSION: Final = re.compile(r"version (\d+)\.(\d+)(?:\.(\d+))?", re.ASCII)
_PATIENCE: Final = 20.0
_HINT: Final = "Install squashfs-tools (Debian: apt-get install squashfs-tools)."


@dataclass(frozen=True)
class Whiteout:
    """A file of the layer below that is not there any more: a device 0/0, as overlayfs reads."""

    path: str


def compressor_for(environ: dict[str, str] | None = None) -> str:
    """What the Apptainer that is installed can read: zstd from 1.4.0 on, lz4 before.

    Without one the kernel or squashfuse reads the file: zstd. SingularityCE is given gzip, which
    every version reads.
    """
    path = (environ or dict(os.environ)).get("PATH")
    if program := shutil.which("apptainer", path=path):
        return "zstd" if (apptainer_version(program) or (0,)) >= (1, 4) else "lz4"
    return "gzip" if shutil.which("singularity", path=path) else "zstd"


def apptainer_version(program: str) -> tuple[int, ...] | None:
    """``(1, 4, 5)``; ``None`` when it does not say. Raises :class:`Unavailable` if it hangs."""
    return _version(run([program, "--version"], deadline=_PATIENCE).text)


def program_version(program: str) -> tuple[int, ...] | None:
    """The same of mksquashfs or unsquashfs."""
    return _version(run([program, "-version"], deadline=_PATIENCE).text)


def _version(text: str) -> tuple[int, ...] | None:
    found = _VERSION.search(text)
    return tuple(int(part) for part in found.groups() if part) if found else None


def mksquashfs() -> str:
    """The program. Raises :class:`PartMissing` with what to install."""
    program = shutil.which("mksquashfs")
    if program is None:
        raise PartMissing(
            "Environments are packed by mksquashfs, which is not installed here.",
            code="mksquashfs-missing",
            hint=_HINT,
        )
    return program


def version() -> str:
    """What mksquashfs says of itself: ``mksquashfs version 4.5.1 (2022/03/17)``."""
    said = run([mksquashfs(), "-version"], deadline=_PATIENCE).text
    return said.splitlines()[0] if said else "unknown"


def make(
    source: Path,
    target: Path,
    compressor: str,
    *,
    whiteouts: Sequence[Whiteout] = (),
    keep_folder: bool = False,
    report: Callable[[int], None] = lambda files: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write the contents of ``source`` to the new squashfs file ``target``.

    With ``keep_folder`` the file holds the folder itself, by its name, and nothing else.
    ``report`` is told how many files are written. Raises :class:`PartMissing`,
    :class:`InputError` for a compressor that is not known, :class:`Unavailable` when it fails
    (code ``disk-full`` or ``packing-failed``) and :class:`Conflict` (``cancelled``).
    """
    if compressor not in _COMPRESSORS:
        raise InputError(
            f"{compressor!r} is no compressor for images.",
            code="compressor",
            field="compressor",
            hint=f"Choose one of {', '.join(_COMPRESSORS)}.",
        )
    argv = [
        mksquashfs(), str(source), str(target), "-noappend", "-all-root", "-no-xattrs",
        "-no-hardlinks", "-mkfs-time", "0", "-all-time", "0", "-action", MODES, "-no-exports",
        "-processors", str(len(os.sched_getaffinity(0))), "-mem", _MEMORY, "-info",
        "-no-progress", "-exit-on-error", *_COMPRESSORS[compressor],
    ]  # fmt: skip
    if keep_folder:
        argv.append("-keep-as-directory")
    if whiteouts:
        gone = target.with_name(target.name + ".gone")
        gone.write_text("".join(f"{_quoted(one.path)} c 0644 0 0 0 0\n" for one in whiteouts))
        argv += ["-pf", str(gone)]
    # SOURCE_DATE_EPOCH would contradict the times given here
    environ = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
    said: list[str] = []
    files = 0
    with Children(cancelled) as children:
        children.start(argv, env=environ, cwd=source)
        for _, line in children.lines():
            if line.startswith("file /"):
                files += 1
                report(files)
            elif not line.startswith(_USUAL):
                said = [*said[-20:], line]
        (code,) = children.ended()
    if code != 0:
        raise _failure(said, target)


def _quoted(path: str) -> str:
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _failure(said: Sequence[str], target: Path) -> MlinfnError:
    if any("No space left" in line or "quota exceeded" in line for line in said):
        return Unavailable(
            f"The disk is full: the image could not be written to {target.parent}. What was half "
            "made is removed; the environment is as it was before.",
            code="disk-full",
            hint="Free some space, for example with 'mlinfn env gc', then try again.",
        )
    words = [line.strip() for line in said if line.strip()]
    return Unavailable(
        f"mksquashfs could not write the image: {' '.join(words[-2:]) or 'it was ended'}.",
        code="packing-failed",
        hint="The environment is as it was before. Try again; 'mlinfn doctor' looks at the tools.",
    )
