"""Run a program out of one image, by the first way that works here."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

from pydantic import BaseModel, ConfigDict, TypeAdapter

from jupyter_mlinfn.environments.image import namespaces, roots
from jupyter_mlinfn.environments.image.ways import (
    ORDER,
    WAYS,
    Command,
    WayName,
    Wish,
    fails,
    try_apptainer,
)
from jupyter_mlinfn.model.errors import Unavailable
from jupyter_mlinfn.process.detach import own_program
from jupyter_mlinfn.process.run import run

PROGRAM: Final = "jupyter_mlinfn.environments.image"
_PATIENCE: Final = 60.0


class Finding(BaseModel):
    """Whether a way works here; ``why`` says what is missing where it does not."""

    model_config = ConfigDict(frozen=True)

    way: WayName
    works: bool
    why: str = ""


_FINDINGS: Final = TypeAdapter(tuple[Finding, ...])


def command(
    image: Path, argv: Sequence[str], *, digest: str | None = None, over: Path | None = None
) -> tuple[str, ...]:
    """The words that run ``argv`` out of ``image``: for kernel specs and jobs.

    With ``digest`` the file is compared first and another one is refused. ``over`` is the image
    that ``image`` is a layer over; only the very one it was made for is taken.
    """
    check = ("--digest", digest) if digest else ()
    below = ("--over", str(over)) if over else ()
    return own_program(PROGRAM, *check, *below, str(image), "--", *argv)


def probe(patience: float = _PATIENCE) -> tuple[Finding, ...]:
    """Which ways work on this machine, tried by a program of its own, in the order of use.

    Raises :class:`Unavailable` when the program fails, or needs more than ``patience`` seconds.
    """
    done = run(own_program(PROGRAM, "--probe"), deadline=patience)
    if done.returncode != 0:
        raise Unavailable(
            "The ways to run images could not be tried: "
            + done.stderr.decode("utf-8", "replace")[-300:],
            code="probe-failed",
        )
    return _FINDINGS.validate_json(done.stdout)


def try_ways(scratch: Path) -> tuple[Finding, ...]:
    """The same in this process; for single-threaded programs, because children are forked.

    ``scratch`` is where Apptainer is given a root of this machine's folders.
    """
    found = []
    for name in ORDER:
        why = WAYS[name].missing()
        if not why and name in _NAMESPACES:
            why = fails(_NAMESPACES[name])
        elif not why and name == "apptainer":
            why = fails(lambda: try_apptainer(scratch))
        found.append(Finding(way=name, works=not why, why=why))
    return tuple(found)


def start(wish: Wish, ways: Sequence[WayName] = ORDER) -> NoReturn:
    """Become the program, by the first of ``ways`` that works.

    Raises :class:`Unavailable` saying why none does, what the last way raised, and OSError when
    the program is not there.
    """
    reasons = []
    for name in ways:
        way = WAYS[name]
        why = way.missing()
        if not why and way.attempt is not None:
            attempt = way.attempt
            why = fails(lambda attempt=attempt: attempt(wish))  # type: ignore[misc]
        if not why:
            _become(way.enter(wish))
        reasons.append(f"{name}: {why}")
    raise Unavailable(
        "The image cannot be run on this machine. " + "; ".join(reasons) + ".",
        code="image-cannot-run",
        hint="Install squashfs-tools (unsquashfs works everywhere), or ask for Apptainer.",
    )


def as_json(findings: Sequence[Finding]) -> str:
    """For the program that :func:`probe` starts."""
    return json.dumps([finding.model_dump() for finding in findings])


def _become(command: Command) -> NoReturn:
    os.execvpe(command.argv[0], command.argv, dict(command.environ))  # noqa: S606 - no shell


def _try_kernel() -> None:
    namespaces.own_mounts()
    roots.attempt()


def _try_user() -> None:
    namespaces.own_user_and_mounts()
    roots.attempt()


_NAMESPACES: Final = {"kernel": _try_kernel, "squashfuse": _try_user}
