"""The spawn page: a card for each profile that a person may use, without a script.

What is shown comes from the offer, the choice of last time and the pools of this moment; texts of
people and of admins are text, never HTML (the template escapes all of it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader

from jupyter_mlinfn.hub.free import Free, free_now
from jupyter_mlinfn.hub.options import RESOURCE
from jupyter_mlinfn.model.leases import PoolState
from jupyter_mlinfn.model.plans import Choice
from jupyter_mlinfn.model.quantities import show_duration
from jupyter_mlinfn.profiles.choice import remembered, show_cpu
from jupyter_mlinfn.profiles.offer import Offer, ProfileOffer

TEMPLATES: Final = Path(__file__).parent / "templates"
_ENVIRONMENT: Final = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)


@dataclass(frozen=True)
class Option:
    """One thing to choose: ``value`` is a name of the offer."""

    value: str
    label: str
    chosen: bool


LONG: Final = 20
"""Letters of a name that a list to unfold surely shows on a narrow page; it wraps no line."""


@dataclass(frozen=True)
class Field:
    """What can be chosen of one kind; ``several``: any number of them."""

    name: str
    label: str
    options: tuple[Option, ...]
    several: bool = False

    @property
    def unfolded(self) -> bool:
        """Whether all options stand below each other, because a name is long."""
        return any(len(option.label) > LONG for option in self.options)


@dataclass(frozen=True)
class Card:
    """One profile. ``facts`` is what it has without a choice, ``free`` its accelerators,
    ``unkept`` what this hub does not keep of it."""

    name: str
    title: str
    description: str | None
    chosen: bool
    facts: tuple[str, ...]
    free: tuple[Free, ...]
    fields: tuple[Field, ...]
    unkept: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """``said`` are sentences on the choice of last time, ``problem`` is for admins alone,
    ``silent`` is why nobody knows what is free. ``whole_group`` is the group whose session this
    starts, ``together`` the page of such sessions, where there are any for her."""

    cards: tuple[Card, ...]
    said: tuple[str, ...] = ()
    problem: str | None = None
    silent: str | None = None
    groups: tuple[str, ...] = ()
    as_of: str | None = None
    whole_group: str | None = None
    together: str | None = None


def make_page(
    offer: Offer,
    last: Mapping[str, object],
    pools: Sequence[PoolState],
    now: datetime,
    *,
    groups: Sequence[str] = (),
    problem: str | None = None,
    silent: str | None = None,
    unkept: Mapping[str, tuple[str, ...]] | None = None,
    whole_group: str | None = None,
    together: str | None = None,
) -> Page:
    """What a person sees. ``last`` are her options of last time, whatever they are by now;
    ``pools`` is empty where the hub does not hand out devices; ``now`` has the zone of the page.
    """
    if not offer.profiles:
        return Page((), problem=problem, groups=tuple(sorted(groups)), together=together)
    choice, said = remembered(offer, last)
    known = {state.pool: state for state in pools}
    told = unkept or {}
    cards = tuple(
        _card(profile, choice, known, now, told.get(profile.name, ())) for profile in offer.profiles
    )
    shown = any(card.free for card in cards)
    as_of = f"{now:%H:%M:%S}" if shown else None
    return Page(
        cards, said, problem, silent=silent, as_of=as_of, whole_group=whole_group, together=together
    )


def render(page: Page) -> str:
    """The page as HTML for JupyterHub's ``options_form``."""
    return _ENVIRONMENT.get_template("offer.html").render(page=page)


def _card(
    profile: ProfileOffer,
    choice: Choice,
    pools: Mapping[str, PoolState],
    now: datetime,
    unkept: tuple[str, ...],
) -> Card:
    chosen = profile.name == choice.profile
    fields = _fields(profile, choice if chosen else None, pools)
    return Card(
        name=profile.name,
        title=profile.title,
        description=profile.description,
        chosen=chosen,
        facts=_facts(profile),
        free=tuple(
            free_now(pools[entry.name], entry.title, now)
            for entry in profile.accelerators
            if entry.pool and entry.name in pools
        ),
        fields=tuple(field for field in fields if field.several or len(field.options) > 1),
        unkept=unkept,
    )


def _facts(profile: ProfileOffer) -> tuple[str, ...]:
    """What is the same for everybody who takes this profile, in the order people ask for it."""
    facts = []
    if len(profile.cpu) == 1:
        facts.append(f"{show_cpu(profile.cpu[0])} CPU{'' if profile.cpu[0] == 1 else 's'}")
    if len(profile.memory) == 1:
        facts.append(_size(profile.memory[0].name))
    facts += [entry.title for entry in profile.accelerators if len(profile.accelerators) == 1]
    facts += [entry.title for entry in profile.images if len(profile.images) == 1]
    if profile.collaborative:
        facts.append("edited together")
    if profile.limits.longest:
        facts.append(f"at most {show_duration(profile.limits.longest)}")
    if profile.on_full == "wait":
        facts.append("waits in order when full")
    return tuple(facts)


def _fields(
    profile: ProfileOffer, choice: Choice | None, pools: Mapping[str, PoolState]
) -> list[Field]:
    def one(name: str, label: str, options: Sequence[tuple[str, str]], chosen: str | None) -> Field:
        first = chosen if chosen is not None else next(iter(options), ("", ""))[0]
        made = tuple(Option(value, text, value == first) for value, text in options)
        return Field(name, label, made)

    cpu = show_cpu(choice.cpu) if choice and choice.cpu else None
    size = {entry.amount: entry.name for entry in profile.memory}
    memory = size.get(choice.memory) if choice and choice.memory else None
    accelerators = [
        (entry.name, _with_count(entry.title, pools.get(entry.name)))
        for entry in profile.accelerators
    ]
    images = [(entry.name, entry.title) for entry in profile.images]
    return [
        one("image", "Software", images, choice.image if choice else None),
        one("cpu", "CPUs", [(show_cpu(count), show_cpu(count)) for count in profile.cpu], cpu),
        one("memory", "Memory", [(m.name, _size(m.name)) for m in profile.memory], memory),
        one("accelerator", "GPU", accelerators, choice.accelerator if choice else None),
        *_resources(profile, choice),
        one(
            "charge",
            "Charged to",
            [(g, g) for g in profile.charge],
            choice.charge if choice else None,
        ),
        *_areas(profile, choice),
    ]


def _resources(profile: ProfileOffer, choice: Choice | None) -> list[Field]:
    had = {entry.name: entry.count for entry in choice.resources} if choice else {}
    return [
        Field(
            f"{RESOURCE}{entry.name}",
            entry.title,
            tuple(
                Option(str(count), str(count or "none"), count == had.get(entry.name, 0))
                for count in range(entry.most + 1)
            ),
        )
        for entry in profile.resources
    ]


def _areas(profile: ProfileOffer, choice: Choice | None) -> list[Field]:
    had = (choice.areas or ()) if choice else ()
    options = tuple(
        Option(area.name, area.title, area.name in had) for area in profile.areas if area.optional
    )
    return [Field("areas", "Storage to mount as well", options, several=True)] if options else []


def _with_count(title: str, state: PoolState | None) -> str:
    return title if state is None else f"{title} · {state.free or 'none'} of {state.total} free"


def _size(name: str) -> str:
    """``16 GiB`` for people; the offer calls it ``16GiB``."""
    digits = name.rstrip("KMGTPiB")
    return f"{digits} {name[len(digits) :]}"
