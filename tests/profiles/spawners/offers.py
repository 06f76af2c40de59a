"""Every plan that the shipped offers can come to, with one thing chosen otherwise at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from jupyter_mlinfn.model.plans import Identity, Plan
from jupyter_mlinfn.profiles.choice import choose
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.offer import Offer, make_offer
from jupyter_mlinfn.profiles.planning import make_plan
from jupyter_mlinfn.profiles.reading import load
from jupyter_mlinfn.profiles.together import identity_of_group

FOLDER = Path(__file__).parents[3] / "deploy" / "profiles"
ML, AI = load(FOLDER / "ml-infn.toml"), load(FOLDER / "ai-infn.toml")


def person(name: str, *groups: str) -> Identity:
    """Somebody who logged in."""
    return Identity(name=name, slug=slug(name), groups=frozenset(groups))


ADA = person("ada", "ml-infn/users", "ml-infn/admins", "users/ai-infn", "admins/ai-infn")


def plan(book: Book, who: Identity = ADA, /, **options: object) -> Plan:
    """What she gets for these options, or the first group of a profile for working together.

    Raises as the offer does.
    """
    together = {one.name: one.groups for one in book.profile if one.collaborative}
    if options.get("profile") in together:
        who = identity_of_group(together[str(options["profile"])][0])
    offer = make_offer(book, who)
    return make_plan(book, offer, choose(offer, options), who)


def every_plan(book: Book, who: Identity = ADA) -> list[Plan]:
    """All profiles that she is offered, with each of their choices once."""
    return [plan(book, who, **options) for options in every_options(make_offer(book, who))]


def every_options(offer: Offer) -> Iterator[Mapping[str, object]]:
    """One set of options for each single choice of an offer."""
    for profile in offer.profiles:
        base = {"profile": profile.name}
        yield base
        yield from ({**base, "image": one.name} for one in profile.images)
        yield from ({**base, "cpu": one} for one in profile.cpu)
        yield from ({**base, "memory": one.name} for one in profile.memory)
        yield from ({**base, "accelerator": one.name} for one in profile.accelerators)
        yield from ({**base, "charge": one} for one in profile.charge)
        yield from ({**base, "resources": {one.name: one.most}} for one in profile.resources)
        yield {**base, "areas": [one.name for one in profile.areas if one.optional]}
