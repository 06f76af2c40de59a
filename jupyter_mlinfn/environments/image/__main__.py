"""The program that runs another one out of an image: for kernel specs, jobs and people.

::

    python -I -m jupyter_mlinfn.environments.image [OPTIONS] IMAGE -- COMMAND…

The command sees the environment at ``/env``, first in ``PATH``, and all else as it is on this
machine. Its process number, signals and exit code are those of this program.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from jupyter_mlinfn.environments.image.contents import base_of
from jupyter_mlinfn.environments.image.files import ImageFile, open_image
from jupyter_mlinfn.environments.image.launcher import as_json, start, try_ways
from jupyter_mlinfn.environments.image.unpacking import default_scratch
from jupyter_mlinfn.environments.image.verifying import verify, verify_base
from jupyter_mlinfn.environments.image.ways import ORDER, Wish
from jupyter_mlinfn.model.errors import InputError, MlinfnError, PartMissing


def main(arguments: Sequence[str]) -> int:
    """Become the command; returns only when that fails, with the code of the error."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    asked = _parser().parse_args(arguments[:cut])
    try:
        if asked.probe:
            found = try_ways((asked.scratch or default_scratch()).absolute())
            sys.stdout.write(as_json(found) + "\n")
            return 0
        _run(asked, tuple(arguments[cut + 1 :]))
    except MlinfnError as error:
        sys.stderr.write(f"{error.text}\n" + (f"{error.hint}\n" if error.hint else ""))
        return error.exit_code
    except OSError as error:
        sys.stderr.write(f"The program could not be started: {error}\n")
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jupyter_mlinfn.environments.image")
    parser.add_argument("image", nargs="?", type=Path, help="a squashfs or SIF file")
    parser.add_argument("--digest", help="refuse the image if its digest is another: sha256:…")
    parser.add_argument("--over", type=Path, help="the image that IMAGE is a layer over")
    parser.add_argument("--way", choices=ORDER, help="use this way only")
    parser.add_argument("--container", type=Path, help="root for Apptainer, file or folder")
    parser.add_argument("--scratch", type=Path, help="where to unpack on this node")
    parser.add_argument("--probe", action="store_true", help="say which ways work, as JSON")
    return parser


def _run(asked: argparse.Namespace, argv: tuple[str, ...]) -> NoReturn:
    if asked.image is None or not argv:
        raise InputError(
            "Say which image, and after two dashes which command.",
            code="usage",
            hint="Write: IMAGE -- COMMAND…",
        )
    scratch = asked.scratch or default_scratch()
    if asked.digest:
        verify(asked.image, asked.digest, scratch / "digests")
    layers = [open_image(asked.image)]
    _check_base(layers[0], asked.over, scratch / "digests")
    if asked.over:
        layers.append(open_image(asked.over))
    wish = Wish(
        layers=tuple(layers),
        argv=argv,
        scratch=scratch.absolute(),
        container=asked.container and asked.container.absolute(),
    )
    sys.stdout.flush()
    start(wish, (asked.way,) if asked.way else ORDER)


def _check_base(image: ImageFile, base: Path | None, cache: Path) -> None:
    """Whether ``base`` is the very image that a layer was made for."""
    try:
        wanted = base_of(image)
    except PartMissing:
        if base is not None:
            raise
        return  # without unsquashfs a layer is not known for one; its programs are not found then
    name = image.path.name
    if base is None and wanted is not None:
        raise InputError(
            f"{name} is a layer: it holds only what differs from another image.",
            code="image-layer",
            hint=f"Say over which: --over IMAGE, the one whose SHA-256 is {wanted[7:19]}….",
        )
    if base is not None and wanted is None:
        raise InputError(f"{name} is no layer: it runs by itself.", code="image-layer")
    if base is not None and wanted is not None:
        verify_base(base, wanted, name, cache)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
