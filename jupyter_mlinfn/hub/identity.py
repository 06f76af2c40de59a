"""Who a user of the hub is for the offer: name, safe name, full paths of groups."""

from __future__ import annotations

from typing import Any, Final

from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.together import account_of, identity_of_group, is_account

GROUP: Final = "mlinfn_group"
"""The key, in the hub's ``user_info`` of a group's account, of the group's path."""


def identity_of(user: Any) -> Identity:
    """The identity of a ``jupyterhub.user.User``, with the groups that the hub knows now.

    The login keeps the hub's groups as the provider tells them, or the admin made them by hand:
    both are the hub's groups. A leading slash is no part of a path. An account that this hub made
    for a group's session stands for that group, and for no person.
    """
    group = group_of_account(user)
    if group is not None:
        return identity_of_group(group)
    groups = frozenset(group.name.removeprefix("/") for group in user.groups)
    return Identity(name=user.name, slug=slug(user.name), groups=groups, admin=bool(user.admin))


def group_of_account(user: Any) -> str | None:
    """The group whose session's account this is; ``None`` for a person, whatever her name is."""
    if not is_account(user.name):
        return None
    told = getattr(user, "user_info", None) or {}
    group = told.get(GROUP)
    return group if isinstance(group, str) and account_of(group) == user.name else None
