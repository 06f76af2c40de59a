"""What a person chose, judged against what she is offered: form and REST alike.

Only names of the offer are taken, and only under the keys of :data:`KEYS`. Nothing is read out of
a value: it is looked up. So there is no text, number or structure that could mean more than one of
the things that are offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from jupyter_mlinfn.model.errors import InputError, Problem, Refused
from jupyter_mlinfn.model.nearness import did_you_mean
from jupyter_mlinfn.model.plans import Choice, Resource
from jupyter_mlinfn.profiles.nearness import listed, shown
from jupyter_mlinfn.profiles.offer import Offer, ProfileOffer

MOST_TOLD = 20
"""So many mistakes of one kind are told: who makes more does not read them."""
T = TypeVar("T")
KEYS = ("profile", "image", "cpu", "memory", "accelerator", "areas", "charge", "resources")


def choose(offer: Offer, options: Mapping[str, object]) -> Choice:
    """The choice that ``options`` stand for, with every default filled in.

    Raises :class:`InputError` (400) with all problems at once for what is no thing of the offer,
    and :class:`Refused` (403) for what exists and is not for this person, or where nothing is.
    """
    check_keys(options)
    verdict = _judge(offer, find_profile(offer, options.get("profile")), options)
    if verdict.closed:
        raise Refused(verdict.closed[0].text, code="not-for-you", problems=verdict.closed)
    if verdict.problems:
        text = "Some of what was chosen is not offered."
        if len(verdict.problems) == 1:
            text = verdict.problems[0].text
        raise InputError(text, code="bad-choice", problems=verdict.problems)
    return verdict.choice


def remembered(offer: Offer, options: Mapping[str, object]) -> tuple[Choice, tuple[str, ...]]:
    """A choice of last time, and a sentence for each thing of it that is no longer offered.

    What went away becomes the default; the rest stays. Raises :class:`Refused` where nothing at
    all is offered.
    """
    wished = options.get("profile")
    default = find_profile(offer, None)
    profile = offer.find(wished) if isinstance(wished, str) else None
    if profile is None:
        choice = _judge(offer, default, {}).choice
        if wished is None:
            return choice, ()
        return choice, (
            f"The profile {shown(wished)} that you used last is no longer offered to you. "
            f"'{default.title}' is chosen instead.",
        )
    verdict = _judge(offer, profile, {key: options[key] for key in KEYS if key in options})
    said = [_no_longer(problem) for problem in (*verdict.closed, *verdict.problems)]
    return verdict.choice, tuple(dict.fromkeys(said))


def check_keys(options: Mapping[str, object]) -> None:
    """Raises :class:`InputError` for keys nobody knows: a whitelist, never a blacklist."""
    if not isinstance(options, Mapping):
        raise InputError(
            "The options are an object with names of the offer.", code="bad-choice", field="options"
        )
    problems = [
        Problem(
            code="unknown-option",
            field=str(key)[:80],
            text=f"There is no option {shown(key)}.{did_you_mean(key, KEYS)} "
            f"There are: {listed(KEYS)}.",
        )
        for key in islice((key for key in options if key not in KEYS), MOST_TOLD)
    ]
    if problems:
        raise InputError(problems[0].text, code="unknown-option", problems=problems)


def find_profile(offer: Offer, name: object) -> ProfileOffer:
    """The profile of that name, or the first of the offer for ``None``.

    Raises :class:`Refused` where it is not for this person or nothing is, :class:`InputError`
    where there is none of that name.
    """
    if not offer.profiles and offer.group is not None:
        raise Refused(
            f"The group {offer.group} has no session of its own any more: no profile for working "
            "together names it. Ask an administrator of this hub.",
            code="nothing-offered",
            field="profile",
        )
    if isinstance(name, str) and name in offer.together:
        raise Refused(
            f"The profile '{name}' is for working together: it is started for one of your groups, "
            "on the hub's page Collaboration.",
            code="not-for-you",
            field="profile",
        )
    if not offer.profiles:
        raise Refused(
            "No profile is offered to any of your groups. Ask an administrator of this hub to "
            "let one of your groups in, then log in again.",
            code="nothing-offered",
            field="profile",
        )
    if name is None:
        return offer.profiles[0]
    if isinstance(name, str) and (found := offer.find(name)):
        return found
    if isinstance(name, str) and name in offer.closed:
        raise Refused(
            f"The profile '{name}' is not for any of your groups. Choose another one, or ask an "
            "administrator of this hub.",
            code="not-for-you",
            field="profile",
        )
    names = [profile.name for profile in offer.profiles]
    raise InputError(
        f"There is no profile {shown(name)}.{did_you_mean(name, names)} "
        f"You are offered: {listed(names)}.",
        code="bad-choice",
        field="profile",
    )


@dataclass
class _Verdict:
    """What became of one set of options; ``choice`` has the default for all that was wrong."""

    choice: Choice
    problems: list[Problem] = field(default_factory=list)
    closed: list[Problem] = field(default_factory=list)


def _judge(offer: Offer, profile: ProfileOffer, options: Mapping[str, object]) -> _Verdict:
    desk = _Desk(profile)
    read: dict[str, Callable[[object], Any]] = {
        "image": desk.image,
        "cpu": desk.cpu,
        "memory": desk.memory,
        "accelerator": desk.accelerator,
        "areas": desk.areas,
        "charge": desk.charge,
        "resources": desk.resources,
    }
    values = {key: read[key](options.get(key)) for key in read}
    choice = Choice(profile=profile.name, **values)
    return _Verdict(choice=choice, problems=desk.problems, closed=desk.closed)


class _Desk:
    """Looks up one value after the other in one profile of the offer, and notes what is not
    there."""

    def __init__(self, profile: ProfileOffer) -> None:
        self.profile = profile
        self.problems: list[Problem] = []
        self.closed: list[Problem] = []

    def image(self, value: object) -> str | None:
        return self._one("image", value, {entry.name: entry.name for entry in self.profile.images})

    def accelerator(self, value: object) -> str | None:
        names = {entry.name: entry.name for entry in self.profile.accelerators}
        return self._one("accelerator", value, names)

    def charge(self, value: object) -> str | None:
        return self._one("charge", value, {group: group for group in self.profile.charge})

    def cpu(self, value: object) -> float | None:
        known = {show_cpu(count): count for count in self.profile.cpu}
        return self._one("cpu", _name_of(value, known), known)

    def memory(self, value: object) -> int | None:
        known = {size.name: size.amount for size in self.profile.memory}
        return self._one("memory", _name_of(value, known), known)

    def areas(self, value: object) -> tuple[str, ...]:
        """Names of volumes; those that are always there may be named, and change nothing."""
        if value is None:
            return ()
        if not isinstance(value, list | tuple):
            self._wrong("areas", f"'areas' is a list of names, not {shown(value)}.")
            return ()
        known = {area.name: area.name for area in self.profile.areas}
        if len(value) > len(known):
            self._wrong("areas", f"'areas' has {len(value)} names, and there are {len(known)}.")
            return ()
        found = {self._look("areas", item, known, kind="area") for item in value}
        return tuple(a.name for a in self.profile.areas if a.optional and a.name in found)

    def resources(self, value: object) -> tuple[Resource, ...]:
        """So many of each: ``{"fpga-u55c": 1}``; 0 is as good as not saying it."""
        if value is None:
            return ()
        if not isinstance(value, Mapping):
            self._wrong(
                "resources", f"'resources' is an object of names and numbers, not {shown(value)}."
            )
            return ()
        known = {entry.name: entry.most for entry in self.profile.resources}
        if len(value) > MOST_TOLD:
            self._wrong("resources", f"'resources' has {len(value)} names.")
            return ()
        counts: dict[str, int] = {}
        for item, count in value.items():
            name = self._look("resources", item, known, kind="resource")
            if name is not None:
                allowed = {str(number): number for number in range(known[name] + 1)}
                field = f"resources.{name}"
                counts[name] = self._one(field, _name_of(count, allowed), allowed) or 0
        return tuple(Resource(name=n, count=counts[n]) for n in known if counts.get(n))

    def _one(self, key: str, value: object, known: Mapping[str, T]) -> T | None:
        """What ``known`` has under ``value``; its first where nothing was said, or nothing that
        is there."""
        default = next(iter(known.values()), None)
        if value is None:
            return default
        name = self._look(key, value, known)
        return default if name is None else known[name]

    def _look(
        self, key: str, value: object, known: Mapping[str, object], kind: str | None = None
    ) -> str | None:
        """``value`` where it is a name of ``known``; else ``None``, and it is noted."""
        kind = kind or key
        if isinstance(value, str) and value in known:
            return value
        if isinstance(value, str) and f"{kind}:{value}" in self.profile.closed:
            text = f"The {kind} {shown(value)} is not for any of your groups. Choose another one."
            self.closed.append(Problem(code="not-for-you", field=key, text=text))
            return None
        rest = " There is nothing to choose."
        if known:
            rest = f"{did_you_mean(value, known)} You are offered: {listed(known)}."
        self._wrong(key, f"'{self.profile.title}' has no {kind} {shown(value)}.{rest}")
        return None

    def _wrong(self, key: str, text: str) -> None:
        self.problems.append(Problem(code="bad-choice", field=key, text=text))


def show_cpu(count: float) -> str:
    """The name of a number of CPUs in the offer: ``2``, ``0.5``."""
    return f"{count:g}"


def _name_of(value: object, known: Mapping[str, float]) -> object:
    """The name under which ``known`` has the number ``value``; else ``value`` as it came."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return next((name for name, number in known.items() if number == value), value)


def _no_longer(problem: Problem) -> str:
    return f"Your choice of last time is no longer there: {problem.text} The default is chosen."
