"""What another file would change, in words and for whom.

Compared is what people get, not what is written: an image that changes is told with every profile
that offers it, a ceiling's time with every profile that has none of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.model.quantities import show_duration
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.profiles.document import NONE, Book, Profile
from jupyter_mlinfn.profiles.nearness import show_size
from jupyter_mlinfn.profiles.offer import limits_of, make_offer
from jupyter_mlinfn.profiles.values import EVERYONE

NOTHING = "none"


class Difference(Frozen):
    """One sentence, the profile it is about (``None``: none of them), and for whom it is."""

    profile: str | None
    who: str
    text: str


def compare(old: Book, new: Book) -> tuple[Difference, ...]:
    """What is other for people when ``new`` comes into force; running sessions keep what they
    have until they end."""
    return (*_profiles(old, new), *_first_choices(old, new), *_ceilings(old, new))


def people(groups: tuple[str, ...] | None) -> str:
    """Groups of the file, as a sentence names them."""
    if groups is None or EVERYONE in groups:
        return "everybody"
    return f"members of {', '.join(groups)}" if groups else "nobody"


def _profiles(old: Book, new: Book) -> Iterator[Difference]:
    before = {profile.name: profile for profile in old.profile}
    after = {profile.name: profile for profile in new.profile}
    for name, profile in before.items():
        if name not in after:
            text = f"The profile '{name}' goes away. Who chose it last time gets the default."
            yield Difference(profile=name, who=people(profile.groups), text=text)
    for name, profile in after.items():
        who = people(profile.groups)
        if name not in before:
            text = f"The profile '{name}' ({profile.title}) is new."
            yield Difference(profile=name, who=who, text=text)
            continue
        yield from _members(before[name], profile)
        for text in _sentences(old, before[name], new, profile):
            yield Difference(profile=name, who=who, text=text)


def _members(before: Profile, after: Profile) -> Iterator[Difference]:
    gained = tuple(group for group in after.groups if group not in before.groups)
    lost = tuple(group for group in before.groups if group not in after.groups)
    for groups, words in ((gained, "is offered"), (lost, "is no longer offered")):
        if groups:
            text = f"The profile '{after.name}' {words}."
            yield Difference(profile=after.name, who=people(groups), text=text)


def _sentences(old: Book, before: Profile, new: Book, after: Profile) -> Iterator[str]:
    lists, were = _lists(after), _lists(before)
    for label, values in lists.items():
        yield from _list_words(label, were[label], values)
    yield from _scalar_words("", _scalars(old, before), _scalars(new, after))
    parts, older = _parts(new, after), _parts(old, before)
    for name, facts in parts.items():
        if name in older:
            yield from _scalar_words(f"{name}: ", older[name], facts)


def _list_words(label: str, before: tuple[str, ...], after: tuple[str, ...]) -> Iterator[str]:
    if gained := [value for value in after if value not in before]:
        yield f"{label}: new {', '.join(gained)}."
    if lost := [value for value in before if value not in after]:
        yield f"{label}: no longer {', '.join(lost)}."
    if before and after and before[0] != after[0] and label in _WITH_A_DEFAULT:
        yield f"{label}: the default is {after[0]} instead of {before[0]}."


def _scalar_words(about: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for label, value in after.items():
        if value != before[label]:
            yield f"{about}{label} {value} instead of {before[label].removesuffix('.')}."


_WITH_A_DEFAULT = ("Images", "CPUs", "Memory", "Accelerators")


def _lists(profile: Profile) -> dict[str, tuple[str, ...]]:
    return {
        "Images": profile.images,
        "CPUs": tuple(f"{count:g}" for count in profile.cpu),
        "Memory": tuple(show_size(amount) for amount in profile.memory),
        "Accelerators": profile.accelerators,
        "Countable resources": tuple(f"{count} × {n}" for n, count in profile.resources.items()),
        "Volumes": profile.volumes,
        "Volumes on request": profile.optional_volumes,
        "Environments": profile.environments,
        "Back-ends": profile.backends,
        "Queues": profile.queues,
        "Ports": tuple(str(port) for port in profile.ports),
        "Privileges": profile.privileges,
        "Variables": tuple(f"{name}={value}" for name, value in profile.variables.items()),
    }


def _scalars(book: Book, profile: Profile) -> dict[str, str]:
    limits = limits_of(book, profile)
    times = {
        "Longest session": limits.longest,
        "End when idle": limits.idle,
        "End when the GPU is idle": limits.gpu_idle,
        "Warning before it": limits.warn,
    }
    return {
        "Title": profile.title,
        "Description": profile.description or NOTHING,
        "Shared memory": show_size(profile.shm) if profile.shm else NOTHING,
        "When all is taken:": profile.on_full,
        "Charged:": profile.charge or NOTHING,
        "Collaborative mode:": "yes" if profile.collaborative else "no",
        "Advisory:": "yes" if profile.advisory else "no",
        **{label: show_duration(time) if time else NOTHING for label, time in times.items()},
    }


def _parts(book: Book, profile: Profile) -> dict[str, dict[str, str]]:
    """The tables that a profile names, each as flat texts."""
    found: dict[str, BaseModel] = {}
    found |= {f"Image '{name}'": book.image[name] for name in profile.images}
    accelerators = [name for name in profile.accelerators if name != NONE]
    found |= {f"Accelerator '{name}'": book.accelerator[name] for name in accelerators}
    found |= {f"Resource '{name}'": book.resource[name] for name in profile.resources}
    volumes = (*profile.volumes, *profile.optional_volumes)
    found |= {f"Volume '{name}'": book.volume[name] for name in volumes}
    return {name: {key: _shown(key, value) for key, value in part} for name, part in found.items()}


def _shown(key: str, value: object) -> str:
    if key == "groups":
        return people(value if isinstance(value, tuple) else None)
    if value is None or value in ((), {}):
        return NOTHING
    if key in ("memory", "quota") and isinstance(value, int):
        return show_size(value)
    if key == "every" and isinstance(value, int):
        return show_duration(value)
    if isinstance(value, BaseModel):
        return ", ".join(f"{name} {_shown(name, part)}" for name, part in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}={part}" for name, part in value.items())
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _first_choices(old: Book, new: Book) -> Iterator[Difference]:
    """Whom another profile greets first: order matters, and is easily overlooked."""
    groups = {group for book in (old, new) for profile in book.profile for group in profile.groups}
    for group in sorted(groups):
        member = Identity(name="-", slug="-", groups=frozenset({group} - {EVERYONE}))
        before, after = (make_offer(book, member).profiles for book in (old, new))
        if before and after and before[0].name != after[0].name:
            yield Difference(
                profile=after[0].name,
                who=people((group,)),
                text=f"The default profile is '{after[0].name}' instead of '{before[0].name}'.",
            )


def _ceilings(old: Book, new: Book) -> Iterator[Difference]:
    for (key, before), (_, after) in zip(old.ceiling, new.ceiling, strict=True):
        if before == after:
            continue
        shown = [
            show_size(value)
            if key in ("memory", "shm") and isinstance(value, int)
            else show_duration(value)
            if key == "time" and isinstance(value, int)
            else _shown(key, value)
            for value in (after, before)
        ]
        text = f"Ceiling: {key} {shown[0]} instead of {shown[1]}."
        yield Difference(profile=None, who="profiles to come", text=text)
