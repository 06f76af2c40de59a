"""Who may start a group's session, looked at once more at the moment of the start.

JupyterHub's role says whether somebody may ask; the groups that it goes by are as old as the last
look at the login service. Before a start they are asked for again.
"""

from __future__ import annotations

from typing import Any, Final

from jupyterhub.user import User

from jupyter_mlinfn.hub.identity import group_of_account, identity_of
from jupyter_mlinfn.model.errors import Refused

NOT_A_MEMBER: Final = (
    "This session belongs to a group that you are not in. Its members start it, work in it and end "
    "it. If you were added to the group just now, log in again; else ask the people who run the "
    "group."
)


async def admit(spawner: Any) -> str:
    """The name of whoever starts this server, as the hub knows her; empty where nobody asked.

    Raises :class:`Refused` for a group's session: to who is no member (``not-a-member``), and for a
    second server of the group (``one-session``).
    """
    handler = spawner.handler
    asking = getattr(handler, "current_user", None)
    name = str(getattr(asking, "name", ""))
    group = group_of_account(spawner.user)
    if group is None:
        return name
    if spawner.name:
        raise Refused(
            f"The group {group} has one session, without a name of its own.", code="one-session"
        )
    if isinstance(asking, User) and not asking.admin:
        if spawner.authenticator.refresh_pre_spawn:
            await handler.refresh_auth(asking, force=True)
        if group not in identity_of(asking).groups:
            raise Refused(NOT_A_MEMBER, code="not-a-member")
    return name
