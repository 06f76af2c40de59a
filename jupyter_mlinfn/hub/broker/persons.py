"""Whose a request is: by the hub's word on its token, and by nothing that the request says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from jupyter_mlinfn.hub.reclaim.watch import Key
from jupyter_mlinfn.model.kubernetes import owner
from jupyter_mlinfn.profiles.names import LONGEST, slug

USER: Final = "{user}"
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True)
class Person:
    """Who asks, from which of her servers. ``owner`` is the label of all that is hers,
    ``namespace`` where it lies."""

    user: str
    server: str
    slug: str
    owner: str
    namespace: str


def person(key: Key, template: str) -> Person:
    """The person behind a session; ``template`` as :func:`check_template` takes it."""
    user, server = key
    safe = slug(user)
    return Person(user, server, safe, owner(user), template.replace(USER, safe))


def check_template(template: str) -> str:
    """``template`` itself, if it makes a namespace of every name. Raises ValueError."""
    if not _NAMESPACE.fullmatch(template.replace(USER, LONGEST * "x")):
        raise ValueError(
            f"'{template}' makes no namespace of every name: a-z, 0-9 and '-', and with the "
            f"{LONGEST} characters that {USER} may become 63 at most"
        )
    return template
