"""Who a user of the hub is for the offer: name, safe name, full paths of groups."""

from __future__ import annotations

from typing import Any

from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.profiles.names import slug


def identity_of(user: Any) -> Identity:
    """The identity of a ``jupyterhub.user.User``, with the groups that the hub knows now.

    The login keeps the hub's groups as the provider tells them, or the admin made them by hand:
    both are the hub's groups. A leading slash is no part of a path.
    """
    groups = frozenset(group.name.removeprefix("/") for group in user.groups)
    return Identity(name=user.name, slug=slug(user.name), groups=groups, admin=bool(user.admin))
