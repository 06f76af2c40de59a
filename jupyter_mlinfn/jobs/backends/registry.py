"""The back-ends of this installation: every entry point of ``jupyter_mlinfn.backends``."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import entry_points
from typing import Final

from jupyter_mlinfn.jobs.backends.protocol import Backend, BackendContext

GROUP: Final = "jupyter_mlinfn.backends"

_log = logging.getLogger(__name__)


def load_backends(context: BackendContext, allowed: Collection[str] = ()) -> Mapping[str, Backend]:
    """The back-ends by name, built from ``context``; ``local`` is always among them.

    ``allowed`` names those wanted beside ``local``; empty: all.

    A site's own back-end that cannot be loaded is left out with a line in the log: the others,
    and the jobs they run, must not suffer from it.
    """
    found: dict[str, Backend] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if allowed and point.name not in (*allowed, "local"):
            continue
        try:
            build: Callable[[BackendContext], Backend] = point.load()
            found[point.name] = build(context)
        except Exception:
            _log.exception("The back-end %s (%s) cannot be loaded", point.name, point.value)
    if "local" not in found:
        from jupyter_mlinfn.jobs.backends.local import LocalBackend

        found["local"] = LocalBackend(context)
    return found
