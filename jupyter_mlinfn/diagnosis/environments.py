"""How environments are kept here, how they are packed, and how a packed one runs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_mlinfn.diagnosis.checks import Check

if TYPE_CHECKING:
    from jupyter_mlinfn.workbench import Workbench

PROBE_PATIENCE: Final = 10.0
"""Seconds for trying all ways to run an image."""

_WAYS: Final = {
    "kernel": "the kernel's mount",
    "apptainer": "Apptainer",
    "squashfuse": "squashfuse in a user namespace",
    "unpacked": "unpacking it on this node",
}
_SHARED: Final = {
    "shared blocks": "Environments share its blocks (reflink): a clone takes no room.",
    "hard links": "Environments share its files by hard links: a clone takes no room.",
}


def package_cache(bench: Workbench) -> Check:
    """Where packages are kept, and whether environments share files with them."""
    from jupyter_mlinfn.environments.own.linking import way_between

    layout = bench.layout
    way = way_between(_there(layout.packages), _there(layout.own))
    text = f"Unpacked packages are kept in {layout.packages}. "
    if way in _SHARED:
        return Check(name="package-cache", state="ok", text=text + _SHARED[way])
    return Check(
        name="package-cache",
        state="warning",
        text=text + "Environments there cannot share its files: each is a full copy.",
        hint="Put the data folder on one file system that knows hard links or reflinks.",
    )


def _there(folder: Path) -> Path:
    """``folder``, or the nearest one above that was made already: all are made in it."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def apptainer(bench: Workbench) -> Check:
    """Apptainer, its version, and what it reads."""
    from jupyter_mlinfn.environments.image.squashfs import apptainer_version, compressor_for

    program = shutil.which("apptainer") or shutil.which("singularity")
    if program is None:
        text = "Apptainer is not here. Packed environments run in other ways: see images."
        return Check(name="apptainer", state="missing", text=text)
    title = Path(program).name.capitalize()
    version = _number(apptainer_version(program))
    text = f"{title} {version} is here: {program}. It reads images packed with {compressor_for()}."
    return Check(name="apptainer", state="ok", text=text)


def squashfs_tools(bench: Workbench) -> Check:
    """The programs that pack and unpack, their versions and the compressor they would use."""
    from jupyter_mlinfn.environments.image.squashfs import compressor_for, program_version

    places = {program: shutil.which(program) for program in ("mksquashfs", "unsquashfs")}
    absent = [program for program, place in places.items() if place is None]
    if absent:
        which = "are not here" if len(absent) == len(places) else f"lack {absent[0]}"
        text = f"squashfs-tools {which}. Environments cannot be packed into one file."
        return Check(
            name="squashfs-tools",
            state="missing",
            text=text,
            hint="Jobs on this machine do not need it. Debian: apt-get install squashfs-tools",
        )
    told = ", ".join(
        f"{name} {_number(program_version(place or name))} ({place})"
        for name, place in places.items()
    )
    text = f"{told}. Environments are packed with {compressor_for()}."
    return Check(name="squashfs-tools", state="ok", text=text)


def images(bench: Workbench) -> Check:
    """Which ways to run a packed environment work here, tried one after the other."""
    from jupyter_mlinfn.environments.image.launcher import probe

    found = probe(PROBE_PATIENCE)
    works = [_WAYS[one.way] for one in found if one.works]
    fails = [f"{_WAYS[one.way]} ({one.why})" for one in found if not one.works]
    without = f" Not by {'; not by '.join(fails)}." if fails else ""
    if not works:
        return Check(
            name="images",
            state="missing",
            text=f"Packed environments cannot run here.{without}",
            hint="Debian: apt-get install squashfs-tools; it needs no rights at all.",
        )
    text = f"Packed environments run here by {', else by '.join(works)}.{without}"
    return Check(name="images", state="ok", text=text)


def _number(version: tuple[int, ...] | None) -> str:
    return ".".join(map(str, version)) if version else "of an unknown version"
