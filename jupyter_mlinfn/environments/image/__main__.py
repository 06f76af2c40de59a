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

from jupyter_mlinfn.environments.image.contents import read_contents
from jupyter_mlinfn.environments.image.files import open_image
from jupyter_mlinfn.environments.image.launcher import as_json, start, try_ways
from jupyter_mlinfn.environments.image.unpacking import default_scratch
from jupyter_mlinfn.environments.image.verifying import verify
from jupyter_mlinfn.environments.image.ways import ORDER, Wish
from jupyter_mlinfn.model.errors import InputError, MlinfnError


def main(arguments: Sequence[str]) -> int:
    """Become the command; returns only when that fails, with the code of the error."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    asked = _parser().parse_args(arguments[:cut])
    if asked.probe:
        sys.stdout.write(as_json(try_ways()) + "\n")
        return 0
    try:
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
    if asked.over:
        _check_base(asked.image, asked.over, scratch / "digests")
    files = [asked.image, asked.over] if asked.over else [asked.image]
    wish = Wish(
        layers=tuple(open_image(path) for path in files),
        argv=argv,
        scratch=scratch.absolute(),
        container=asked.container and asked.container.absolute(),
    )
    sys.stdout.flush()
    start(wish, (asked.way,) if asked.way else ORDER)


def _check_base(layer: Path, base: Path, cache: Path) -> None:
    wanted = read_contents(open_image(layer)).base
    if wanted is None:
        raise InputError(f"{layer.name} is no layer: it runs by itself.", code="image-layer")
    verify(base, wanted, cache)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)
