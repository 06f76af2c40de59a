"""The pages of group sessions, in the hub's own process: its login, its look, its XSRF check.

Beside the page and its Stop there are the hub's own pages for groups' accounts with one thing more:
who is not in the group is told so in our sentence, not that "scopes" are missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from jupyterhub.apihandlers.auth import OAuthAuthorizeHandler
from jupyterhub.handlers.base import BaseHandler, UserUrlHandler
from jupyterhub.handlers.pages import SpawnHandler, SpawnPendingHandler
from jupyterhub.utils import url_path_join
from tornado import web

from jupyter_mlinfn.hub.collaboration.admitting import NOT_A_MEMBER
from jupyter_mlinfn.hub.collaboration.page import ROUTE, Seen, groups_for, make_page
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.hub.identity import group_of_account, identity_of
from jupyter_mlinfn.profiles.together import PREFIX, account_of

_CLIENT = "jupyterhub-user-"
"""What JupyterHub's OAuth clients of servers begin with; the account's name follows."""


class CollaborationHandler(BaseHandler):  # type: ignore[misc]  # jupyterhub is untyped to us
    """``/hub/collaboration``: the sessions of my groups."""

    def initialize(self, desk: Desk) -> None:
        """``desk`` has the offer."""
        self._desk = desk

    @web.authenticated
    async def get(self) -> None:
        """The page."""
        book = await asyncio.to_thread(self._desk.book.book)
        groups = identity_of(self.current_user).groups
        seen = {group: self._seen(group) for group in groups_for(book, groups)}
        page = make_page(book, groups, seen, datetime.now().astimezone())
        self.finish(await self.render_template("collaboration.html", page=page))

    def _seen(self, group: str) -> Seen | None:
        user = self.find_user(account_of(group))
        if user is None:
            return Seen()
        return seen_of(user) if group_of_account(user) == group else None


class StopHandler(BaseHandler):  # type: ignore[misc]
    """``/hub/collaboration/stop/ACCOUNT``, a form that is posted."""

    @web.authenticated
    async def post(self, account: str) -> None:
        """End the group's session, and show the page again."""
        user = self.find_user(account)
        allowed = self.has_scope(f"delete:servers!server={account}/")
        if user is None or group_of_account(user) is None or not allowed:
            raise web.HTTPError(403, NOT_A_MEMBER, reason="Not allowed")
        spawner = user.spawners.get("")
        if spawner is not None and spawner.active and not spawner.pending:
            self.log.info("%s ends the session of %s", self.current_user.name, account)
            await self.stop_single_user(user, "")
        self.redirect(url_path_join(self.hub.base_url, ROUTE))


def seen_of(user: Any) -> Seen:
    """What the hub knows of the one server of a group's account."""
    spawner = user.spawners.get("")
    if spawner is None or not (spawner.active or spawner.pending):
        return Seen()
    started = spawner.orm_spawner.started
    options = spawner.orm_spawner.user_options or {}
    return Seen(
        state={"spawn": "starting", "stop": "ending"}.get(spawner.pending, "running"),  # type: ignore[arg-type]
        by=spawner.started_by,
        since=started.replace(tzinfo=UTC) if started else None,
        profile=str(options.get("profile", "")),
    )


class _ForMembers(BaseHandler):  # type: ignore[misc]
    """Stands in front of a page of the hub. The hub's own checks come after it, all of them."""

    async def prepare(self) -> None:
        """Find out who asks, and refuse who is not in the group. Raises 403."""
        await super().prepare()
        account = self._account()
        if not self.current_user or not account.startswith(PREFIX):
            return
        mine = (f"access:servers!server={account}/", f"servers!server={account}/")
        if not any(self.has_scope(scope) for scope in mine):
            raise web.HTTPError(403, NOT_A_MEMBER, reason="Not allowed")

    def _account(self) -> str:
        return str(self.path_kwargs.get("user_name", ""))


class GroupSpawnHandler(_ForMembers, SpawnHandler):  # type: ignore[misc]
    """The form of a start."""


class GroupPendingHandler(_ForMembers, SpawnPendingHandler):  # type: ignore[misc]
    """The progress of a start."""


class GroupUrlHandler(_ForMembers, UserUrlHandler):  # type: ignore[misc]
    """The address of a session that does not run."""


class GroupAuthorizeHandler(_ForMembers, OAuthAuthorizeHandler):  # type: ignore[misc]
    """What a session that runs sends its visitors to."""

    def _account(self) -> str:
        client = self.get_query_argument("client_id", "")
        return str(client.removeprefix(_CLIENT)) if client.startswith(_CLIENT) else ""


def routes(desk: Desk) -> Sequence[tuple[Any, ...]]:
    """Paths below the hub's own prefix, and who answers there."""
    account, server = rf"(?P<user_name>{PREFIX}[^/]+)", "(?P<server_name>[^/]+)"
    return (
        (rf"{ROUTE}/?", CollaborationHandler, {"desk": desk}),
        (rf"{ROUTE}/stop/({PREFIX}[^/]+)", StopHandler),
        (rf"spawn/{account}", GroupSpawnHandler),
        (rf"spawn/{account}/{server}", GroupSpawnHandler),
        (rf"spawn-pending/{account}", GroupPendingHandler),
        (rf"spawn-pending/{account}/{server}", GroupPendingHandler),
        (rf"user/{account}(?P<user_path>/.*)?", GroupUrlHandler),
        (r"api/oauth2/authorize", GroupAuthorizeHandler),
    )
