"""The ways to run a program out of an image, in the order they are tried.

==============  ===========================================================================
kernel          the kernel mounts the file (root with the right to mount)
apptainer       Apptainer mounts it, for a container image and for a bare environment alike
squashfuse      ``squashfuse_ll`` mounts it in a user namespace; ends with the program
unpacked        ``unsquashfs`` into a folder of this node, kept by digest; works everywhere
==============  ===========================================================================

A way *enters*: it prepares this process so that the program can be started by exec. Then the
program has our process number, its signals and its exit code are its own, and no helper waits
beside it. Entering is tried in a child first, because it cannot be undone.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from jupyter_mlinfn.environments.image import namespaces, roots, unpacking
from jupyter_mlinfn.environments.image.files import FINAL_PREFIX, IMAGES, ImageFile
from jupyter_mlinfn.model.errors import MlinfnError, Unavailable
from jupyter_mlinfn.process.run import run

WayName = Literal["kernel", "apptainer", "squashfuse", "unpacked"]
ORDER: Final[tuple[WayName, ...]] = ("kernel", "apptainer", "squashfuse", "unpacked")

_PATIENCE: Final = 20.0
"""Seconds for a program to mount, or to say its version."""
_STEP: Final = 0.002
_APPTAINERS: Final = ("apptainer", "singularity")
_COLOUR: Final = re.compile("\x1b\\[[0-9;]*m")


@dataclass(frozen=True)
class Command:
    """What to start: ``argv`` with an absolute program, and its environment."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]


@dataclass(frozen=True)
class Wish:
    """What shall run: layers of an image (the upper first), the program, and where to unpack.

    ``container`` is a file or folder with the root that Apptainer shall use for a bare
    environment; without one it is given this machine's.
    """

    layers: tuple[ImageFile, ...]
    argv: tuple[str, ...]
    scratch: Path
    container: Path | None = None


@dataclass(frozen=True)
class Way:
    """One way. ``missing`` says what it lacks here, or nothing; ``enter`` prepares this process.

    ``attempt`` does the same as far as it can fail, in a child; without one ``enter`` may fail.
    """

    name: WayName
    missing: Callable[[], str]
    enter: Callable[[Wish], Command]
    attempt: Callable[[Wish], object] | None


def environment(prefix: str, wish: Wish) -> dict[str, str]:
    """This process's environment, for a program of the environment at ``prefix``.

    Its Python imports from there alone: neither from ``PYTHONPATH`` nor from the person's own
    ``~/.local``. It tells which files it runs out of, which nothing else tells of a running one.
    """
    path = os.environ.get("PATH", os.defpath)
    own = {"PATH": f"{prefix}/bin:{path}", "CONDA_PREFIX": prefix, "PYTHONNOUSERSITE": "1"}
    return {**_without_python(), **own, IMAGES: _paths(wish)}


def _paths(wish: Wish) -> str:
    return os.pathsep.join(str(layer.path) for layer in wish.layers)


def _without_python() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH"}}


# -- the kernel mounts --------------------------------------------------------------------------


def _kernel_missing() -> str:
    if os.geteuid() != 0:
        return "only root may mount, and you are not root"
    if shutil.which("mount") is None:
        return "the program mount is not installed"
    if "squashfs" not in Path("/proc/filesystems").read_text(encoding="utf-8"):
        return "this kernel does not know squashfs (its module is not loaded)"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices here (/dev/loop-control)"
    return ""


def _kernel_mount(image: ImageFile, target: str) -> None:
    options = "loop,ro,nosuid,nodev"
    if image.offset:
        options += f",offset={image.offset},sizelimit={image.size}"
    argv = ["mount", "-n", "-t", "squashfs", "-o", options, "--", str(image.path), target]
    done = run(argv, deadline=_PATIENCE)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable(f"{words[0] if words else 'mount failed'}", code="mount-failed")


def _enter_kernel(wish: Wish) -> Command:
    namespaces.own_mounts()
    roots.show(wish.layers, _kernel_mount)
    return Command(wish.argv, environment(FINAL_PREFIX, wish))


# -- squashfuse in a user namespace -------------------------------------------------------------


def _squashfuse_missing() -> str:
    if shutil.which("squashfuse_ll") is None:
        return "the program squashfuse_ll is not installed (Debian: squashfuse)"
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return f"/dev/fuse cannot be opened ({error.strerror})"
    return ""


def _enter_squashfuse(wish: Wish) -> Command:
    namespaces.own_user_and_mounts()
    roots.show(wish.layers, _squashfuse_mount)
    return Command(wish.argv, environment(FINAL_PREFIX, wish))


def _squashfuse_mount(image: ImageFile, target: str) -> None:
    """Start the daemon in the foreground as our child: it is killed when we, whoever we have
    become by then, end. Signals to our group do not reach it.
    """
    before = os.stat(target).st_dev  # noqa: PTH116 - compared in a tight loop below
    program = shutil.which("squashfuse_ll") or "squashfuse_ll"
    options = f"ro,offset={image.offset}" if image.offset else "ro"
    daemon = os.fork()
    if daemon == 0:
        _become((program, "-f", "-o", options, str(image.path), target))
    until = time.monotonic() + _PATIENCE
    while os.stat(target).st_dev == before:  # noqa: PTH116
        ended, status = os.waitpid(daemon, os.WNOHANG)
        if ended or time.monotonic() > until:
            code = os.waitstatus_to_exitcode(status) if ended else "none"
            raise Unavailable(
                f"squashfuse_ll did not mount (exit code {code})", code="mount-failed"
            )
        time.sleep(_STEP)


def _become(argv: Sequence[str]) -> None:
    """In a child: leave the session, end with the parent, be ``argv``. Does not return."""
    try:
        os.setsid()
        namespaces.end_with_parent()
        if os.geteuid() != 0:
            namespaces.keep_rights_over_exec()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.execv(argv[0], list(argv))  # noqa: S606 - no shell is wanted
    finally:
        os._exit(127)


# -- Apptainer ----------------------------------------------------------------------------------


def _apptainer() -> str | None:
    return next(filter(None, map(shutil.which, _APPTAINERS)), None)


def _apptainer_missing() -> str:
    return "" if _apptainer() else "Apptainer is not installed"


def _enter_apptainer(wish: Wish) -> Command:
    program = _apptainer()
    assert program is not None, "asked before"
    top = wish.layers[0]
    if len(wish.layers) > 1:
        raise Unavailable(
            "Apptainer cannot lay one environment over another", code="apptainer-layers"
        )
    words = [program, "--silent", "--nocolor", "exec"]
    if top.container and wish.container is None:
        words.append(str(top.path))
    else:
        words += ["-B", f"{top.path}:{FINAL_PREFIX}:image-src=/"]
        words += [str(wish.container)] if wish.container else _host_as_container(wish.scratch)
    inside = {
        "CONDA_PREFIX": FINAL_PREFIX,
        "PREPEND_PATH": f"{FINAL_PREFIX}/bin",
        "PYTHONNOUSERSITE": "1",
        IMAGES: _paths(wish),
    }
    environ = {
        **_without_python(),
        **{f"{kind}ENV_{k}": v for k, v in inside.items() for kind in ("APPTAINER", "SINGULARITY")},
    }
    return Command((*words, *wish.argv), environ)


def _attempt_apptainer(wish: Wish) -> None:
    command = _enter_apptainer(wish)
    before = command.argv[: len(command.argv) - len(wish.argv)]
    _run_apptainer((*before, "/bin/sh", "-c", f"test -d {FINAL_PREFIX}/conda-meta"))


def try_apptainer(scratch: Path) -> None:
    """Run a program with this machine's folders as the container. Raises :class:`Unavailable`."""
    program = _apptainer()
    assert program is not None, "asked before"
    words = (program, "--silent", "--nocolor", "exec", *_host_as_container(scratch))
    _run_apptainer((*words, "/bin/sh", "-c", "exit 0"))


def _run_apptainer(argv: Sequence[str]) -> None:
    done = run(argv, deadline=_PATIENCE, env=_without_python())
    if done.returncode != 0:
        raise Unavailable(_reason(done.stderr), code="apptainer-failed")


def _reason(said: bytes) -> str:
    """The last error among Apptainer's lines: advice follows it, and colours even if unwanted."""
    lines = [line.strip() for line in _COLOUR.sub("", said.decode("utf-8", "replace")).splitlines()]
    errors = [line for line in lines if line.startswith(("ERROR", "FATAL"))]
    told = (errors or [line for line in lines if line] or ["it failed"])[-1]
    return told.partition(":")[2].strip() if errors else told


def _host_as_container(scratch: Path) -> list[str]:
    """A root for Apptainer that shows this machine's folders, for images that have none."""
    root = scratch / "root"
    binds = []
    for source in sorted(Path("/").iterdir()):
        target = root / source.name
        if source.name in {"dev", "proc", "sys", "env"} or not (
            source.is_dir() or source.is_symlink()
        ):
            continue
        if source.is_symlink():
            if not target.is_symlink():
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                target.symlink_to(source.readlink())
            continue
        target.mkdir(parents=True, exist_ok=True)
        if os.access(source, os.R_OK | os.X_OK):
            binds += ["-B", str(source)]
    for name in ("dev", "proc", "sys", "env"):
        (root / name).mkdir(parents=True, exist_ok=True)
    return [*binds, str(root)]


# -- unpacked -----------------------------------------------------------------------------------


def _unpacked_missing() -> str:
    if shutil.which("unsquashfs") is None:
        return "the program unsquashfs is not installed (Debian: squashfs-tools)"
    return ""


def _enter_unpacked(wish: Wish) -> Command:
    """Show the folder as ``/env`` where a namespace can be had, else run it where it lies."""
    folder = unpacking.unpack(wish.layers, wish.scratch)
    if may_show_folder(folder):
        namespaces.own_user_and_mounts()
        roots.show_folder(folder)
        return Command(wish.argv, environment(FINAL_PREFIX, wish))
    return Command(unpacking.relocated(wish.argv, folder), environment(str(folder), wish))


def may_show_folder(folder: Path) -> bool:
    """Whether ``folder`` can be shown as ``/env`` here."""

    def attempt() -> None:
        namespaces.own_user_and_mounts()
        roots.show_folder(folder)

    return not fails(attempt)


# -- trying -------------------------------------------------------------------------------------


def fails(attempt: Callable[[], object]) -> str:
    """Why ``attempt`` fails when a child of ours makes it; empty when it does not."""
    read, write = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(read)
        _attempt(attempt, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        words = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == 0:
        return ""
    return words.decode("utf-8", "replace") or "it ended without a word"


def _attempt(attempt: Callable[[], object], write: int) -> None:
    """In the child: try, say why it failed, end without cleaning up for the parent."""
    code = 1
    try:
        attempt()
        code = 0
    except MlinfnError as error:
        os.write(write, error.text.encode())
    except OSError as error:
        os.write(write, (error.strerror or str(error)).encode())
    finally:
        os._exit(code)


WAYS: Final[Mapping[WayName, Way]] = {
    way.name: way
    for way in (
        Way("kernel", _kernel_missing, _enter_kernel, _enter_kernel),
        Way("apptainer", _apptainer_missing, _enter_apptainer, _attempt_apptainer),
        Way("squashfuse", _squashfuse_missing, _enter_squashfuse, _enter_squashfuse),
        Way("unpacked", _unpacked_missing, _enter_unpacked, None),
    )
}
