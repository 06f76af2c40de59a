"""Opening the workbench for one run of the program."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.model.errors import InputError, MlinfnError, Unavailable

if TYPE_CHECKING:
    from jupyter_mlinfn.workbench import Workbench


def open_bench(data_dir: str | None = None, *, usable: bool = True) -> Workbench:
    """The workbench with the person's settings and, if ``usable``, its data folder in place.

    Raises :class:`InputError` when a configuration file cannot be used, and
    :class:`Unavailable` when the data folder cannot be made.
    """
    from jupyter_mlinfn.workbench import Workbench

    if data_dir is None:  # else this is the dispatcher, which keeps a log of its own
        hear_warnings()
    try:
        bench = Workbench()
    except MlinfnError:
        raise
    except Exception as error:  # a configuration file is a program: it can raise anything
        raise InputError(
            f"Your configuration cannot be read: {error or type(error).__name__}",
            code="bad-configuration",
            hint="Look at jupyter_mlinfn_config.py; 'jupyter --paths' lists where it may lie.",
        ) from error
    if data_dir is not None:
        bench.settings.data_dir = str(Path(data_dir).absolute())
    if usable:
        make_data_folder(bench)
    return bench


def make_data_folder(bench: Workbench) -> None:
    """See that the data folder is there. Raises :class:`Unavailable` when it cannot be made."""
    try:
        bench.data_dir.stat()
    except OSError as error:
        raise Unavailable(
            f"The data folder {bench.settings.data_dir} cannot be used: {error.strerror}.",
            code="data-folder",
            hint="Free some space, or set c.Mlinfn.data_dir to another folder.",
        ) from error


def hear_warnings() -> None:
    """Let people hear what the rooms below find worth a warning."""
    from jupyter_mlinfn.cli.terminal import Murmur

    log = logging.getLogger("jupyter_mlinfn")
    if not any(isinstance(handler, Murmur) for handler in log.handlers):
        log.addHandler(Murmur(logging.WARNING))
        log.propagate = False
