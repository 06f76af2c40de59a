"""What INDIGO IAM says of a person at ``/userinfo``, in its two claim profiles.

Which one is used is decided by the scopes that the client is registered with at IAM (1.9):

========  ================  ==========================  =========================
profile   claim             a group reads               user name
========  ================  ==========================  =========================
``iam``   ``groups``        ``users/ai-infn``           ``preferred_username``
``wlcg``  ``wlcg.groups``   ``/users/ai-infn``          ``preferred_username``
========  ================  ==========================  =========================

With ``wlcg`` IAM leaves ``groups`` out, so the two are never mixed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from jupyter_mlinfn.model.errors import Refused

ClaimProfile = Literal["iam", "wlcg"]
NameFrom = Literal["preferred_username", "sub"]

SCOPES: dict[ClaimProfile, tuple[str, ...]] = {
    "iam": ("openid", "profile", "email", "offline_access", "iam"),
    "wlcg": ("openid", "profile", "email", "offline_access", "wlcg", "wlcg.groups"),
}
"""What the hub asks for; the client has to be registered with exactly these."""

_CLAIMS: dict[ClaimProfile, str] = {"iam": "groups", "wlcg": "wlcg.groups"}
_LONGEST_GROUP = 255
"""Characters of a group's name in the hub's database."""


def groups_of(told: Mapping[str, Any], profile: ClaimProfile) -> frozenset[str]:
    """The full paths of a person's groups, without a leading slash, exactly as they are.

    What is no name of a group is left out, which never gives a right: the claim of the other
    profile, texts in place of lists, names that the hub cannot keep.
    """
    listed = told.get(_CLAIMS[profile])
    if not isinstance(listed, list):
        return frozenset()
    paths = (one.removeprefix("/") for one in listed if isinstance(one, str))
    return frozenset(p for p in paths if 0 < len(p) <= _LONGEST_GROUP and p.isprintable())


def claimed_name(told: Mapping[str, Any], name_from: NameFrom) -> str:
    """The claim that the hub's name is made of. Raises :class:`Refused`."""
    name = told.get(name_from)
    if not isinstance(name, str) or not name:
        raise Refused(
            f"Your login service told the hub no {name_from}. Tell the people who run this hub: "
            "its client needs the scope profile.",
            code="no-name",
        )
    return name


def shown_as(told: Mapping[str, Any], name: str) -> dict[str, str]:
    """How other people see her, in shared documents too (JupyterHub's ``user_info``)."""
    given = told.get("name")
    display = given.strip()[:100] if isinstance(given, str) and given.isprintable() else ""
    display = display or name
    initials = "".join(word[0] for word in display.split()[:2]).upper()
    return {"name": name, "display_name": display, "initials": initials}
