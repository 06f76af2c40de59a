"""The hub's accounts and roles of groups' sessions, made as the offer and the groups are now.

One account for each group that a profile for working together names, marked as such; one role for
each, given to the group itself: who is in the group now is found by JupyterHub at each request.
Whatever else was done to such a role is undone here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from typing import Any

from jupyterhub import orm, roles

from jupyter_mlinfn.hub.identity import GROUP, group_of_account
from jupyter_mlinfn.profiles.together import PREFIX, ROLE_PREFIX, account_of, role_of

LOG = logging.getLogger("JupyterHub.mlinfn")


class Accounts:
    """Keeps the accounts in the hub's database; only ever used on the hub's own thread."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def keep(self, db: Any, wanted: Collection[str]) -> None:
        """Let the members of each of these groups into its session, and nobody into any other.

        A group that the hub does not know yet gets its session when it does. An account of that
        name that somebody else made is not touched, and its group gets no session.
        """
        names = {role_of(group).name for group in wanted}
        for role in _our_roles(db):
            if role.name not in names:
                LOG.warning("%s is closed: no profile is for it any more.", role.description)
                db.delete(role)
        for group in wanted:
            found = _groups(db, group)
            _let_in(db, group, found if found and self._account(db, group) else [])
        db.commit()

    def _account(self, db: Any, group: str) -> bool:
        name = account_of(group)
        user = orm.User.find(db, name)
        if user is None:
            shown = {"name": name, "display_name": f"Group {group}"}
            user = orm.User(name=name, user_info={**shown, GROUP: group})
            db.add(user)
            roles.assign_default_roles(db, user)
            LOG.info("The account %s was made for the session of the group %s.", name, group)
        if group_of_account(user) == group:
            return True
        if name not in self._told:
            self._told.add(name)
            LOG.error(
                "The group %s gets no session: somebody has the account %s already. Remove it, "
                "and look first whose it is.",
                group, name,
            )  # fmt: skip
        return False


def accounts_in(db: Any) -> Iterator[tuple[str, Any]]:
    """All accounts of groups' sessions that there are, with their groups."""
    for user in db.query(orm.User).filter(orm.User.name.startswith(PREFIX)):
        group = group_of_account(user)
        if group is not None:
            yield group, user


def _our_roles(db: Any) -> list[Any]:
    named = orm.Role.name.startswith(f"{ROLE_PREFIX}{PREFIX}")
    return list(db.query(orm.Role).filter(named))


def _groups(db: Any, path: str) -> list[Any]:
    """The hub's groups of this path; the provider may write it with a slash before it."""
    return [found for name in (path, f"/{path}") if (found := orm.Group.find(db, name))]


def _let_in(db: Any, group: str, found: list[Any]) -> None:
    told = role_of(group)
    role = orm.Role.find(db, told.name)
    if role is None or set(role.scopes) != set(told.scopes) or role.description != told.description:
        role = roles.create_role(
            db,
            {"name": told.name, "description": told.description, "scopes": list(told.scopes)},
            commit=False,
        )
    for bearers, right in ((role.groups, found), (role.users, []), (role.services, [])):
        if list(bearers) != right:
            bearers[:] = right
