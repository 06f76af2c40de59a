"""Sources of mounts, judged a last time where they leave for a spawner.

The check of the file has judged them as templates and the plan below its roots; a plan may come
from elsewhere. Texts alone are looked at: whether a link leads out of a root is known on the host.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.profiles.sources import below_a_root, source_problem

CVMFS = "/cvmfs"


def allowed(source: str, roots: Sequence[str], field: str) -> str:
    """``source`` itself, when a session may be shown it.

    Raises:
        Refused: no absolute path, a part of what rules the host, or outside of every root.
    """
    if not source.startswith("/") or posixpath.normpath(source) != source or "\0" in source:
        raise Refused(f"'{source}' is no absolute path without '..'.", field=field)
    if problem := source_problem(source):
        raise Refused(problem, code="forbidden-source", field=field)
    if not below_a_root(source, roots):
        raise Refused(
            f"'{source}' is outside of the folders that this site gives out.",
            code="outside-roots",
            field=field,
            hint=f"They lie below: {', '.join(roots) or 'nothing'}.",
        )
    return source


def repository(name: str, field: str) -> str:
    """The folder of the CVMFS repository ``name``. Raises :class:`Refused`."""
    return allowed(f"{CVMFS}/{name}", (CVMFS,), field)


def server_and_path(source: str, field: str) -> tuple[str, str]:
    """Both parts of ``server:/path``. Raises :class:`Refused`."""
    server, colon, path = source.partition(":")
    plain = posixpath.normpath(path) == path and not set(source) & set(" ,\t\n\0")
    if not (server and colon and path.startswith("/") and plain) or server.startswith("-"):
        raise Refused(f"'{source}' is no NFS folder such as 'nfs.example.org:/home'.", field=field)
    return server, path
