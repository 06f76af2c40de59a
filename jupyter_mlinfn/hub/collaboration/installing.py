"""What ``configure`` tells JupyterHub of group sessions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from traitlets.config.loader import LazyConfigValue

from jupyter_mlinfn.hub.collaboration.page import ROUTE, groups_for
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.profiles.together import groups_together, role_of

TEMPLATES: Final = Path(__file__).parent / "templates"
VARIABLE: Final = "mlinfn_collaboration"
"""In the hub's templates: the page's path below the hub's, for whom there is something on it."""


def install(c: Any, desk: Desk) -> None:
    """Templates behind the site's own, the link, and the roles that a restart must not take away.

    JupyterHub deletes at its start what roles its configuration does not name; which groups have
    them is left as it was, and looked at again as soon as the hub runs.
    """
    paths = c.JupyterHub.template_paths
    # the last of what is added to the hub's own path, which comes after it
    paths.insert(-1 if isinstance(paths, LazyConfigValue) else len(paths), str(TEMPLATES))
    c.JupyterHub.template_vars.update({VARIABLE: link(desk)})
    told = (role_of(group) for group in groups_together(desk.book.last))
    c.JupyterHub.load_roles.extend(
        {"name": role.name, "description": role.description, "scopes": list(role.scopes)}
        for role in told
    )


def link(desk: Desk) -> Callable[[Any], str | None]:
    """What is in every page of the hub for this user: the link, or nothing. Never blocks."""

    def of(user: Any) -> str | None:
        names = [group.name.removeprefix("/") for group in getattr(user, "groups", None) or ()]
        return ROUTE if groups_for(desk.book.last, names) else None

    return of
