"""The hub's name for a person, out of what the provider says: never another person's."""

from __future__ import annotations

import re

from jupyter_mlinfn.profiles.names import LONGEST, slug

_KEPT = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")


def hub_name(claim: str) -> str:
    """``claim`` (a user name or a subject of the provider) as a name of the hub.

    A name such as ``ada``, ``ada.lovelace`` or ``a_b`` stays as it is: small letters and digits,
    with single ``.``, ``_`` or ``-`` between them, a letter first, at most 48 characters. All
    other names become their slug, with a hash: JupyterHub takes ``A`` and ``a`` for one person,
    and ``!``, ``=`` and ``/`` have a meaning in its scopes and addresses.
    """
    if not _KEPT.fullmatch(claim) or len(claim) > LONGEST:
        return slug(claim)
    # a name with "." or "_" has no meaning to a system; one without may (root), and slug knows
    return claim if "." in claim or "_" in claim else slug(claim)
