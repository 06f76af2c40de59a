"""The fixtures of a served Jupyter; other folders import them from ``fixtures`` too."""

from tests.server.fixtures import (
    authorizer,
    begin,
    end_of_all_processes,
    make_notebook,
    mlinfn_settings,
    nothing_starts,
    room,
    server,
)

__all__ = [
    "authorizer",
    "begin",
    "end_of_all_processes",
    "make_notebook",
    "mlinfn_settings",
    "nothing_starts",
    "room",
    "server",
]
