"""Short-lived keys of an object store: what they are, and how S3's own programs are given them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from jupyter_mlinfn.model.areas import Area


@dataclass(frozen=True)
class Keys:
    """Good from ``begins`` to ``ends``, a session token with them; they are never printed."""

    access: str
    secret: str = field(repr=False)
    session: str = field(repr=False)
    begins: datetime
    ends: datetime

    def left(self, now: datetime) -> float:
        """Seconds for which they are good."""
        return (self.ends - now).total_seconds()

    def life(self) -> float:
        """Seconds for which they were made."""
        return (self.ends - self.begins).total_seconds()

    def document(self) -> str:
        """As S3's programs read them from a ``credential_process``."""
        told = {
            "Version": 1,
            "AccessKeyId": self.access,
            "SecretAccessKey": self.secret,
            "SessionToken": self.session,
            "Expiration": _written(self.ends),
            "Begins": _written(self.begins),
        }
        return json.dumps(told)


class KeySource(Protocol):
    """Who gives keys to an area."""

    def keys(self, area: Area, *, refused: Keys | None = None) -> Keys:
        """Keys that are good now, others than those that the store has ``refused``.

        Raises :class:`~jupyter_mlinfn.model.errors.MlinfnError` with a text for the person.
        """
        ...


def read_document(text: str | bytes) -> Keys:
    """The keys of a :meth:`Keys.document`. Raises ``ValueError`` for what is none."""
    try:
        told = json.loads(text)
        begins, ends = (datetime.fromisoformat(told[name]) for name in ("Begins", "Expiration"))
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        access, secret, session = (str(told[name]) for name in names)
        return Keys(access, secret, session, begins.astimezone(UTC), ends.astimezone(UTC))
    except (KeyError, TypeError) as error:
        raise ValueError("these are no keys") from error


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
