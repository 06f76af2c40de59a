"""Whether something was written in the hub's database that groups' sessions go by."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from sqlalchemy import event
from sqlalchemy.orm.attributes import instance_state

from jupyter_mlinfn.profiles.together import PREFIX, ROLE_PREFIX, is_account


class Changes:
    """Of the one session in which a hub writes all its database; nobody else writes it.

    Each flush passes here, so that nothing has to be asked for to know that nothing changed.
    """

    def __init__(self) -> None:
        # whatever was written before the hub began
        self.any = True

    def watch(self, db: Any) -> None:
        """From now on."""
        event.listen(db, "after_flush", self._flushed)
        event.listen(db, "after_rollback", self._undone)

    def forget(self) -> None:
        """What was written up to now was looked at."""
        self.any = False

    def _flushed(self, session: Any, _context: object) -> None:
        written = (*session.new, *session.dirty, *session.deleted)
        self.any = self.any or any(_counts(row) for row in written)

    def _undone(self, _session: object) -> None:
        self.any = True


def _counts(row: Any) -> bool:
    """Groups, our roles, and accounts of groups, whose rows are written when they are used."""
    # by the table: what JupyterHub deletes is a user of its own class around the row
    table = instance_state(row).class_
    if table is orm.Role:
        return str(row.name).startswith(f"{ROLE_PREFIX}{PREFIX}")
    return table is orm.Group or (table is orm.User and is_account(row.name))
