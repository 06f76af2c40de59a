"""What is wrong with a file although each of its values is right: names, ceilings, doubles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_mlinfn.model.errors import Problem
from jupyter_mlinfn.model.nearness import did_you_mean
from jupyter_mlinfn.model.quantities import show_duration
from jupyter_mlinfn.profiles import checking_images, checking_volumes
from jupyter_mlinfn.profiles.document import NONE, Ceiling, Profile
from jupyter_mlinfn.profiles.nearness import listed, show_size
from jupyter_mlinfn.profiles.parts import Found, Parts, parts_of
from jupyter_mlinfn.profiles.places import Places
from jupyter_mlinfn.profiles.together import is_one_persons
from jupyter_mlinfn.profiles.values import EVERYONE


def check(raw: Mapping[str, Any], places: Places) -> list[Problem]:
    """Every problem between the tables of a file, in no order."""
    parts = parts_of(raw)
    return [places.problem(path, text) for rule in RULES for path, text in rule(parts)]


def names_are_there(parts: Parts) -> Found:
    """What a profile names is a table of the file."""
    keys = {
        "images": ("image", parts.names["image"]),
        "accelerators": ("accelerator", (NONE, *parts.names["accelerator"])),
        "volumes": ("volume", parts.names["volume"]),
        "optional_volumes": ("volume", parts.names["volume"]),
    }
    for number, profile in parts.profile.items():
        for key, (kind, known) in keys.items():
            for at, name in enumerate(getattr(profile, key)):
                if name not in known:
                    yield ("profile", number, key, at), _no_table(kind, name, known)
        known = parts.names["resource"]
        for name in profile.resources:
            if name not in known:
                yield ("profile", number, "resources", name), _no_table("resource", name, known)


def _no_table(kind: str, name: str, known: Iterable[str]) -> str:
    known = tuple(known)
    there = f" There are: {listed(known)}." if known else ""
    return f"There is no [{kind}.{name}] in this file.{did_you_mean(name, known)}{there}"


def names_are_once(parts: Parts) -> Found:
    """No two profiles have one name, no volume is there always and on request."""
    first: dict[str, int] = {}
    for number, profile in parts.profile.items():
        if profile.name and profile.name in first:
            yield (
                ("profile", number, "name"),
                f"There are two profiles named '{profile.name}'. A name is a profile's for ever: "
                "choices of last time are remembered by it.",
            )
        first.setdefault(profile.name, number)
        for at, name in enumerate(profile.optional_volumes):
            if name in profile.volumes:
                yield (
                    ("profile", number, "optional_volumes", at),
                    f"'{name}' is in volumes, too: it is there always, or on request.",
                )
    if NONE in parts.names["accelerator"]:
        yield ("accelerator", NONE), "'none' stands for no accelerator. Choose another name."


def nothing_above_the_ceiling(parts: Parts) -> Found:
    """CPUs, memory, shared memory, time and accelerators stay under [ceiling]."""
    if parts.ceiling is None:
        return
    for number, profile in parts.profile.items():
        yield from _sizes(number, profile, parts.ceiling)
        for at, name in enumerate(profile.accelerators):
            entry = parts.accelerator.get(name)
            if name != NONE and entry is not None and entry.share() > parts.ceiling.slices:
                yield (
                    ("profile", number, "accelerators", at),
                    f"'{name}' is {entry.share()} sevenths of a GPU; the ceiling is "
                    f"{parts.ceiling.slices} (slices).",
                )


def _sizes(number: int, profile: Profile, ceiling: Ceiling) -> Found:
    for at, cpu in enumerate(profile.cpu):
        if cpu > ceiling.cpu:
            yield (
                ("profile", number, "cpu", at),
                f"{cpu:g} CPUs are above the ceiling of {ceiling.cpu:g}.",
            )
    for at, memory in enumerate(profile.memory):
        if memory > ceiling.memory:
            yield (
                ("profile", number, "memory", at),
                f"{show_size(memory)} is above the ceiling of {show_size(ceiling.memory)}.",
            )
    most = min([ceiling.shm or ceiling.memory, *profile.memory])
    if profile.shm is not None and profile.shm > most:
        yield (
            ("profile", number, "shm"),
            f"{show_size(profile.shm)} of shared memory is above {show_size(most)}: it counts as "
            "memory, so it stays under the profile's smallest memory, and under the ceiling.",
        )
    longest = profile.time.max
    if longest is not None and ceiling.time is not None and longest > ceiling.time:
        yield (
            ("profile", number, "time", "max"),
            f"{show_duration(longest)} is above the ceiling of {show_duration(ceiling.time)}.",
        )


def times_fit(parts: Parts) -> Found:
    """A warning comes before what it warns of."""
    for number, profile in parts.profile.items():
        times = profile.time
        ends = [end for end in (times.max, times.idle, times.gpu_idle) if end is not None]
        if times.warn is not None and any(times.warn >= end for end in ends):
            yield (
                ("profile", number, "time", "warn"),
                f"A warning {show_duration(times.warn)} before the end comes too early: max, idle "
                "and gpu_idle are all longer than it.",
            )
        if times.warn is not None and not ends:
            yield ("profile", number, "time", "warn"), "There is nothing to warn of: no max, idle."


def accelerators_are_apart(parts: Parts) -> Found:
    """A device belongs to one accelerator of the file, and a slice's size is its shape's."""
    first: dict[tuple[str, str | None], str] = {}
    for name, entry in parts.accelerator.items():
        other = first.setdefault((entry.model, entry.mig), name)
        if other != name:
            yield (
                ("accelerator", name, "model"),
                f"'{other}' has the same model and the same shape: a device belongs to one of "
                "them only. Offer one of them in both profiles.",
            )
        if entry.mig is not None and entry.slices not in (None, int(entry.mig[0])):
            yield (
                ("accelerator", name, "slices"),
                f"A slice {entry.mig} is {entry.mig[0]} sevenths of a GPU. Leave the key out.",
            )


def sessions_of_groups_are_theirs(parts: Parts) -> Found:
    """A session for working together belongs to a group that is named, and shows nobody's own."""
    for number, profile in parts.profile.items():
        if not profile.collaborative:
            continue
        for at, group in enumerate(profile.groups):
            if group == EVERYONE:
                yield (
                    ("profile", number, "groups", at),
                    "A session for working together belongs to a group: name each group that is "
                    "to have one. '*' is none.",
                )
        for key in ("volumes", "optional_volumes"):
            for at, name in enumerate(getattr(profile, key)):
                volume = parts.volume.get(name)
                if volume is not None and is_one_persons(volume):
                    yield (
                        ("profile", number, key, at),
                        f"'{name}' is one person's ({{user}}), and a session for working together "
                        "is a whole group's. Leave it out.",
                    )


RULES = (
    names_are_there,
    names_are_once,
    nothing_above_the_ceiling,
    times_fit,
    accelerators_are_apart,
    sessions_of_groups_are_theirs,
    checking_images.registries_are_plain,
    checking_images.images_are_allowed,
    checking_volumes.roots_are_safe,
    checking_volumes.volumes_are_whole,
    checking_volumes.sources_are_safe,
    checking_volumes.targets_are_safe,
    checking_volumes.nobody_reaches_anothers,
    checking_volumes.targets_are_apart,
)
