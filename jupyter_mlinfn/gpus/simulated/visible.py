"""What a container would be shown of the simulated cards, as NVIDIA's runtime decides it.

The runtime reads ``NVIDIA_VISIBLE_DEVICES``. Without it, or with ``all``, everything is seen; with
``void`` or nothing in it there is not even the driver's library. A container that was given slices
sees these and the card they are cut from, of which the driver then tells nothing but the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from jupyter_mlinfn.gpus.simulated.state import Card, State

VARIABLE: Final = "NVIDIA_VISIBLE_DEVICES"


def visible(environment: Mapping[str, str]) -> frozenset[str] | None:
    """UUIDs that may be seen; ``None``: all of them."""
    told = environment.get(VARIABLE, "all")
    if told == "all":
        return None
    return frozenset(filter(None, told.split(","))) - {"void", "none"}


def as_seen(state: State, shown: frozenset[str]) -> State:
    """``state`` with the cards and slices of ``shown`` (UUIDs) alone."""
    seen = [_seen(card, shown) for card in state.cards]
    return replace(state, cards=[card for card in seen if card is not None])


def _seen(card: Card, shown: frozenset[str]) -> Card | None:
    if card.uuid in shown:
        return card
    slices = [one for one in card.instances if one.uuid in shown]
    if not slices:
        return None
    inside = {one.gi for one in slices}
    processes = [one for one in card.processes if one.gi in inside]
    return replace(card, refused=True, instances=slices, processes=processes)
