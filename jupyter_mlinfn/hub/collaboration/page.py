"""The page ``/hub/collaboration``: the sessions of one's groups, in words. No script is needed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from jupyter_mlinfn.model.quantities import show_moment
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.offer import Offer, make_offer
from jupyter_mlinfn.profiles.together import account_of, groups_together, identity_of_group

ROUTE: Final = "collaboration"
"""The page's path below the hub's own."""
State = Literal["off", "starting", "running", "ending"]
_WORDS: Mapping[State, str] = {
    "off": "not running",
    "starting": "starting",
    "running": "running",
    "ending": "ending",
}


@dataclass(frozen=True)
class Seen:
    """What the hub knows of one group's server; ``by`` is who started it, where that is known."""

    state: State = "off"
    by: str = ""
    since: datetime | None = None
    profile: str = ""


@dataclass(frozen=True)
class Session:
    """One group's session on the page; ``missing`` says why there is none to start."""

    group: str
    account: str
    state: State
    word: str
    told: str
    titles: tuple[str, ...]
    description: str | None
    lost: str
    missing: str = ""


@dataclass(frozen=True)
class CollaborationPage:
    """``groups`` are those of the person, for the sentence of an empty page."""

    sessions: tuple[Session, ...]
    groups: tuple[str, ...]
    as_of: str


def groups_for(book: Book, groups: Collection[str]) -> tuple[str, ...]:
    """The groups of a person that have a session of their own, sorted."""
    return tuple(group for group in groups_together(book) if group in groups)


def make_page(
    book: Book, groups: Collection[str], seen: Mapping[str, Seen | None], now: datetime
) -> CollaborationPage:
    """``seen`` is by the group; ``None`` where the account of the name is somebody else's. ``now``
    has the zone of the page."""
    sessions = tuple(
        _session(book, group, seen.get(group, Seen()), now) for group in groups_for(book, groups)
    )
    return CollaborationPage(sessions, tuple(sorted(groups)), f"{now:%H:%M:%S}")


def _session(book: Book, group: str, seen: Seen | None, now: datetime) -> Session:
    offer = make_offer(book, identity_of_group(group))
    missing = ""
    if seen is None:
        missing = (
            "There is none for now: an account of its name belongs to somebody else. "
            "Tell the people who run this hub."
        )
    elif not offer.profiles:
        missing = "There is nothing that this group may start. Ask the people who run this hub."
    seen = seen or Seen()
    running = offer.find(seen.profile) if seen.profile else None
    first = running or (offer.profiles[0] if offer.profiles else None)
    return Session(
        group=group,
        account=account_of(group),
        state=seen.state,
        word=_WORDS[seen.state],
        told=_told(seen, now),
        titles=tuple(
            profile.title for profile in (offer.profiles if running is None else [running])
        ),
        description=first.description if first else None,
        lost=lost(offer),
        missing=missing,
    )


def _told(seen: Seen, now: datetime) -> str:
    if seen.state == "off":
        return "Nobody has started it."
    by = f" by {seen.by}" if seen.by else ""
    at = f" at {show_moment(seen.since, now)}" if seen.since else ""
    return f"Started{by}{at}." if by or at else ""


def lost(offer: Offer) -> str:
    """What an end of the session takes from everybody in it, and what it leaves."""
    kept = _kept(offer)
    stays = f"What is saved in {_either(kept)} stays." if kept else "Nothing that was saved stays."
    return (
        "This ends it for everybody who is in it. Lost is what kernels and terminals are doing, "
        f"what they hold in memory, and every file outside of the group's areas. {stays}"
    )


def _kept(offer: Offer) -> list[str]:
    titles = [
        area.title
        for profile in offer.profiles
        for area in profile.areas
        if area.writable and area.kind != "scratch"
    ]
    return list(dict.fromkeys(titles))


def _either(titles: Sequence[str]) -> str:
    *most, last = titles
    return f"{', '.join(most)} and {last}" if most else last
