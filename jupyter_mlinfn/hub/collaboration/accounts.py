"""The hub's accounts and roles of groups' sessions, made as the offer and the groups are now.

One account for each group that a profile for working together names, marked as such; one role for
each, given to the group itself: who is in the group now is found by JupyterHub at each request.
Whatever else was done to such a role is undone here.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from jupyterhub import orm, roles
from sqlalchemy.orm import joinedload, lazyload

from jupyter_mlinfn.hub.identity import GROUP, group_of_account
from jupyter_mlinfn.profiles.together import PREFIX, ROLE_PREFIX, account_of, role_of

LOG = logging.getLogger("JupyterHub.mlinfn")
_NO_MORE = lazyload("*")
"""Without shares, members, roles of each row, which cost JupyterHub queries of their own."""


class Accounts:
    """Keeps the accounts in the hub's database; only ever used on the hub's own thread."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def keep(self, db: Any, wanted: Collection[str]) -> list[Any]:
        """Let the members of each of these groups into its session, and nobody into any other;
        the accounts of those others.

        A group that the hub does not know yet gets its session when it does. An account of that
        name that somebody else made is not touched, and its group gets no session. However many
        groups there are: three queries, and a commit only where something was not as it has to be.
        """
        ours, known, users = _our_roles(db), _groups(db, wanted), _users(db)
        names = {role_of(group).name for group in wanted}
        different = [self._close(db, ours[name]) for name in ours.keys() - names]
        for group in wanted:
            found = known.get(group, [])
            if found and account_of(group) not in users:
                users[account_of(group)] = _new_account(db, group)
                different.append(True)
            open_to = found if found and self._is_its_own(users[account_of(group)], group) else []
            different.append(_let_in(db, group, ours.get(role_of(group).name), open_to))
        if any(different):
            db.commit()
        told = ((group_of_account(user), user) for user in users.values())
        return [user for group, user in told if group is not None and group not in wanted]

    def _close(self, db: Any, role: Any) -> bool:
        LOG.warning("%s is closed: no profile is for it any more.", role.description)
        db.delete(role)
        return True

    def _is_its_own(self, user: Any, group: str) -> bool:
        if group_of_account(user) == group:
            return True
        if user.name not in self._told:
            self._told.add(user.name)
            LOG.error(
                "The group %s gets no session: somebody has the account %s already. Remove it, "
                "and look first whose it is.",
                group, user.name,
            )  # fmt: skip
        return False


def _new_account(db: Any, group: str) -> Any:
    name = account_of(group)
    shown = {"name": name, "display_name": f"Group {group}"}
    user = orm.User(name=name, user_info={**shown, GROUP: group})
    db.add(user)
    roles.assign_default_roles(db, user)
    LOG.info("The account %s was made for the session of the group %s.", name, group)
    return user


def _users(db: Any) -> dict[str, Any]:
    """Whoever has a name of a group's account, with the servers of each."""
    asked = db.query(orm.User).filter(orm.User.name.startswith(PREFIX))
    asked = asked.options(joinedload(orm.User._orm_spawners), _NO_MORE)
    return {user.name: user for user in asked}


def _our_roles(db: Any) -> dict[str, Any]:
    named = orm.Role.name.startswith(f"{ROLE_PREFIX}{PREFIX}")
    bearers = (orm.Role.groups, orm.Role.users, orm.Role.services)
    asked = db.query(orm.Role).filter(named)
    asked = asked.options(*(joinedload(one).options(_NO_MORE) for one in bearers), _NO_MORE)
    return {role.name: role for role in asked}


def _groups(db: Any, paths: Collection[str]) -> dict[str, list[Any]]:
    """The hub's groups by path; the provider may write it with a slash before it."""
    names = [name for path in paths for name in (path, f"/{path}")]
    found: dict[str, list[Any]] = {}
    if names:
        for group in db.query(orm.Group).filter(orm.Group.name.in_(names)).options(_NO_MORE):
            found.setdefault(group.name.removeprefix("/"), []).append(group)
    return found


def _let_in(db: Any, group: str, role: Any, found: list[Any]) -> bool:
    """Whether the role had to be made, or made to be as it has to be."""
    told, different = role_of(group), False
    if role is None or set(role.scopes) != set(told.scopes) or role.description != told.description:
        wanted = {"name": told.name, "description": told.description, "scopes": list(told.scopes)}
        role = roles.create_role(db, wanted, commit=False)
        different = True
    for bearers, right in ((role.groups, found), (role.users, []), (role.services, [])):
        if set(bearers) != set(right):
            bearers[:] = right
            different = True
    return different
