"""Sessions that belong to a group: whose account they run under, and who may do what with it.

A profile with ``collaborative = true`` is started for one of the groups that it names, by any
member, and reached by all of them. On the hub such a session is a server of an account of its own,
``collab-<safe form of the group's whole path>``; nobody has that name or logs in by it.
"""

from __future__ import annotations

from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.profiles.document import Book, Profile, Volume
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.values import EVERYONE

PREFIX = "collab-"
ROLE_PREFIX = "mlinfn-"


class GroupRole(Frozen):
    """What the members of one group may do with its session; a role of JupyterHub."""

    name: str
    description: str
    scopes: tuple[str, ...]


def account_of(group: str) -> str:
    """The hub's account of the group's session; two paths never share one (``names.slug``)."""
    return f"{PREFIX}{slug(group)}"


def is_account(name: str) -> bool:
    """Whether a name is kept for groups' sessions; whatever it is, no person may have it."""
    return name.lower().startswith(PREFIX)


def groups_together(book: Book) -> tuple[str, ...]:
    """The groups that have a session of their own, sorted; ``*`` is no group."""
    named = {group for one in book.profile if one.collaborative for group in one.groups}
    return tuple(sorted(named - {EVERYONE}))


def identity_of_group(group: str) -> Identity:
    """The group as the one whose session it is: in this one group, and in no other."""
    account = account_of(group)
    return Identity(name=account, slug=slug(account), groups=frozenset({group}), group=group)


def is_together(profile: Profile, group: str) -> bool:
    """Whether this group can start the profile as its session."""
    return profile.collaborative and group != EVERYONE and group in profile.groups


def is_one_persons(volume: Volume) -> bool:
    """Whether each person has one of her own: nothing for a session that is a whole group's."""
    copies = volume.backup.source if volume.backup is not None else ""
    return "{user}" in f"{volume.source or ''}{copies}"


def role_of(group: str) -> GroupRole:
    """The least that members need: start, see and stop this one account's servers, reach them."""
    account = account_of(group)
    return GroupRole(
        name=f"{ROLE_PREFIX}{account}",
        description=f"The session of the group {group}"[:255],
        scopes=(f"access:servers!user={account}", f"servers!user={account}"),
    )
