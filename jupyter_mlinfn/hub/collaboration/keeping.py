"""What of group sessions goes on in the hub's own process, beside the requests of people.

The round: accounts and roles follow the offer and the groups; a session whose group has lost it is
ended. Nothing is asked of the hub's database while neither changed. At its begin it adds the page's
routes and the one rule of the login, before the hub listens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from jupyterhub.app import JupyterHub
from jupyterhub.utils import maybe_future, url_path_join
from tornado import web

from jupyter_mlinfn.hub.collaboration.accounts import Accounts
from jupyter_mlinfn.hub.collaboration.changes import Changes
from jupyter_mlinfn.hub.collaboration.handlers import routes
from jupyter_mlinfn.hub.desk import Desk
from jupyter_mlinfn.profiles.together import PREFIX, groups_together, is_account

LOG = logging.getLogger("JupyterHub.mlinfn")
EVERY = 5.0
"""Seconds from one round to the next: so long a group waits for its session after a reload."""
SOON = 0.05
"""Seconds between two looks whether the hub is ready to be added to."""
NOT_A_PERSON = (
    f"Names that begin with {PREFIX} are those of groups' sessions on this hub. Nobody logs in by "
    "one: ask the people who run it for an account of another name."
)
Hook = Callable[[Any, Any, Any], Any]


class Keeper:
    """Of the hub whose offer ``desk`` has."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._accounts = Accounts()
        self._changes = Changes()
        self._kept: tuple[str, ...] | None = None
        self._failing = ""

    async def go_on(self) -> None:
        """One round after the other, for as long as the hub runs."""
        hub = await _the_hub()
        self._open(hub)
        self.watch(hub.db)
        while True:
            await self.look(hub)
            await asyncio.sleep(EVERY)

    def watch(self, db: Any) -> None:
        """Rounds go by what is written from now on; the first one is made in any case."""
        self._changes.watch(db)

    async def look(self, hub: Any) -> None:
        """One round. What hinders it is logged once, not each time."""
        try:
            await self._look(hub)
        except Exception as error:
            # whatever it is, the next round is made: without one, who is out stays in
            hub.db.rollback()
            self._kept = None
            if self._failing != str(error):
                LOG.exception("The sessions of groups are not looked after.")
            self._failing = str(error)
        else:
            self._failing = ""

    async def _look(self, hub: Any) -> None:
        book = await asyncio.to_thread(self._desk.book.book)
        wanted = groups_together(book)
        if wanted == self._kept and not self._changes.any:
            return
        closed = self._accounts.keep(hub.db, wanted)
        # its own writes are none of these; nothing else was written since: nothing was awaited
        self._changes.forget()
        ended = await self._end(hub, closed)
        self._kept = wanted if ended else None

    async def _end(self, hub: Any, closed: Iterable[Any]) -> bool:
        """Whether none of these accounts has a server any more: one that starts or ends just now,
        or that a hub which begins has not looked for yet, is ended in a later round."""
        over = True
        for user in (hub.users[orm_user] for orm_user in closed):
            for name, spawner in list(user.spawners.items()):
                if spawner.active and not spawner.pending:
                    LOG.warning("%s ends: no profile is for it any more.", spawner._log_name)
                    await hub.proxy.delete_user(user, name)
                    await user.stop(name)
                over = over and not spawner.active
            over = over and not any(row.server for row in user.orm_user.orm_spawners.values())
        return over

    def _open(self, hub: Any) -> None:
        prefix = hub.hub_prefix
        made = [(url_path_join(prefix, path), *rest) for path, *rest in routes(self._desk)]
        # before the hub's own: some of them stand in front of one of the hub's
        hub.tornado_application.add_handlers(".*", made)
        hub.authenticator.post_auth_hook = _no_group_logs_in(hub.authenticator.post_auth_hook)


def _no_group_logs_in(own: Hook | None) -> Callable[[Any, Any, Any], Awaitable[Any]]:
    """The login's last word, before the site's ``own``: on whichever login it is."""

    async def last_word(authenticator: Any, handler: Any, model: Any) -> Any:
        if is_account(model["name"]):
            LOG.warning("Refused a login as %r: the name is kept for a group.", model["name"])
            raise web.HTTPError(403, NOT_A_PERSON, reason="Not allowed")
        return model if own is None else await maybe_future(own(authenticator, handler, model))

    return last_word


async def _the_hub() -> Any:
    """The hub of this process, once it is made and before it listens."""
    while not (
        JupyterHub.initialized()
        and getattr(JupyterHub.instance(), "tornado_application", None) is not None
    ):
        await asyncio.sleep(SOON)
    return JupyterHub.instance()
