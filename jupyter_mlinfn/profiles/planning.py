"""From a choice to a plan: everything about one session, before a device is leased.

A plan is made of the file's own values; what a person sent is only ever used to look them up. Her
name and her groups go into paths as slugs (``names.slug``), which hold no ``/`` and no dots.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jupyter_mlinfn.model.areas import Area, Audience
from jupyter_mlinfn.model.errors import Refused
from jupyter_mlinfn.model.plans import Choice, Identity, Mount, Plan, Pool, Resource
from jupyter_mlinfn.profiles.choice import choose, find_profile
from jupyter_mlinfn.profiles.document import NONE, Book, Profile, Volume
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.nearness import show_size
from jupyter_mlinfn.profiles.offer import Offer, volumes_of
from jupyter_mlinfn.profiles.sources import fill
from jupyter_mlinfn.profiles.values import EVERYONE

_SAFE = re.compile(r"[a-z0-9]+(?:-+[a-z0-9]+)*", re.ASCII)
"""What a slug is at least: one folder's name, never ``..``."""


def make_plan(book: Book, offer: Offer, choice: Choice, identity: Identity) -> Plan:
    """The whole session that ``choice`` stands for.

    The choice is judged once more, against ``offer``: a plan can never hold what is not offered.
    Raises as ``choose`` does, and :class:`Refused` where the offer is another person's or of
    another file (``stale-offer``) or the person's slug is none (``unsafe-name``).
    """
    if offer.user != identity.name or offer.digest != book.digest:
        raise Refused(
            "What is offered has changed since this page was made. Open it again and choose.",
            code="stale-offer",
            field="profile",
        )
    if not _SAFE.fullmatch(identity.slug):
        raise Refused(
            f"'{ascii(identity.slug)[1:-1][:60]}' is no safe form of a name.", code="unsafe-name"
        )
    choice = choose(offer, _as_options(choice))
    profile = next(entry for entry in book.profile if entry.name == choice.profile)
    offered = find_profile(offer, choice.profile)
    cpu, memory = choice.cpu, choice.memory
    assert cpu is not None
    assert memory is not None  # every profile has one, and choose fills defaults in
    placed = list(_place(book, profile, choice, identity))
    return Plan(
        identity=identity,
        profile=profile.name,
        title=profile.title,
        image=book.image[choice.image].reference if choice.image else None,
        cpu=cpu,
        memory=memory,
        shm=profile.shm,
        pool=_pool(book, choice.accelerator),
        on_full=profile.on_full,
        resources=tuple(
            Resource(name=book.resource[entry.name].site_name, count=entry.count)
            for entry in choice.resources
        ),
        mounts=tuple(sorted((m for mounts, _ in placed for m in mounts), key=lambda m: m.target)),
        areas=tuple(area for _, area in placed),
        environment=tuple(sorted(profile.variables.items())),
        privileges=frozenset(profile.privileges),
        collaborative=profile.collaborative,
        limits=offered.limits,
        charge=choice.charge,
        backends=profile.backends,
        queues=profile.queues,
        environments=profile.environments,
        ports=profile.ports,
        advisory=profile.advisory,
    )


def _as_options(choice: Choice) -> dict[str, object]:
    """A choice as the options that it came from; ``None`` is what was not said."""
    options: dict[str, object] = {
        "profile": choice.profile,
        "image": choice.image,
        "cpu": choice.cpu,
        "memory": None if choice.memory is None else show_size(choice.memory),
        "accelerator": choice.accelerator,
        "areas": choice.areas,
        "charge": choice.charge,
        "resources": {entry.name: entry.count for entry in choice.resources},
    }
    return options


def _pool(book: Book, name: str | None) -> Pool | None:
    return None if name in (None, NONE) else book.accelerator[name].pool(name)


def _place(
    book: Book, profile: Profile, choice: Choice, identity: Identity
) -> Iterator[tuple[tuple[Mount, ...], Area]]:
    """The mounts and the area of each volume, once for each group where it is ``each``."""
    for name, volume in volumes_of(book, profile, identity).items():
        if name in profile.optional_volumes and name not in (choice.areas or ()):
            continue
        for group in groups_of(volume, identity):
            yield _one_volume(name, volume, identity, group)


def groups_of(volume: Volume, identity: Identity) -> tuple[str | None, ...]:
    """The groups for which this person gets a volume: one unnamed, or each that it is for."""
    if volume.each is None:
        return (None,)
    wanted = volume.groups or ()
    return tuple(sorted(g for g in identity.groups if EVERYONE in wanted or g in wanted))


def _one_volume(
    name: str, volume: Volume, identity: Identity, group: str | None
) -> tuple[tuple[Mount, ...], Area]:
    words = {"user": identity.slug} | ({"group": slug(group)} if group is not None else {})
    owner = group if group is not None else volume.owner()
    target = fill(volume.target or "", words)
    mounts = []
    if target:
        mounts.append(
            Mount(
                kind=volume.kind,
                source=fill(volume.source or "", words),
                target=target,
                read_only=volume.mode == "ro",
                create=volume.create,
                shared_with=slug(owner) if owner is not None else None,
                size=volume.quota if volume.kind == "tmpfs" else None,
            )
        )
    snapshots = None
    if volume.backup is not None:
        snapshots = fill(volume.backup.target, words)
        source = fill(volume.backup.source, words)
        mounts.append(
            Mount(
                kind="bind",
                source=source,
                target=snapshots,
                read_only=True,
                create=volume.create,  # the engine starts nothing whose folder is not there
                shared_with=slug(owner) if owner is not None else None,
            )
        )
    area = Area(
        name=_area_name(name, words.get("group")),
        title=volume.title if group is None else f"{volume.title}: {group}",
        kind=volume.told_as(),
        path=target,
        writable=volume.mode == "rw",
        survives=volume.kind != "tmpfs",
        audience=_audience(volume),
        group=owner,
        batch=volume.batch,
        quota=volume.quota,
        snapshots=snapshots,
        bucket=fill(volume.source or "", words) if volume.kind == "bucket" else None,
        store=volume.store.told() if volume.store is not None else None,
    )
    return tuple(mounts), area


def _area_name(volume: str, group: str | None) -> str:
    """One name for each area of a session: no volume's name holds two dashes."""
    if group is None:
        return volume
    name = f"{volume}--{group}"
    return name if len(name) <= 63 else slug(name)


def _audience(volume: Volume) -> Audience:
    if volume.each is not None or volume.owner() is not None:
        return "group"
    if volume.told_as() == "shared":
        return "everyone"
    return "you" if "{user}" in (volume.source or "") or volume.kind == "tmpfs" else "everyone"
