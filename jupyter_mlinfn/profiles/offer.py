"""What one person is offered, out of the file and of her groups of this moment.

Groups are compared as whole paths, exactly: ``a/admin`` is not ``b/admin``. An offer holds nothing
of other people's profiles, and can be shown as JSON; only the *names* of what is closed to her are
remembered inside, so that she can be told "not for you" instead of "there is no such thing".
"""

from __future__ import annotations

from pydantic import Field

from jupyter_mlinfn.model.areas import AreaKind
from jupyter_mlinfn.model.plans import Identity, Limits, OnFull, Pool, Privilege
from jupyter_mlinfn.model.states import Frozen
from jupyter_mlinfn.profiles.document import NONE, Accelerator, Book, Image, Profile, Volume
from jupyter_mlinfn.profiles.nearness import show_size
from jupyter_mlinfn.profiles.together import is_together
from jupyter_mlinfn.profiles.values import EVERYONE

CHOOSE = "choose"
"""The word, in a profile's ``charge``, that lets the person say which of her groups pays."""


class Size(Frozen):
    """An amount of memory: its name in the offer, such as ``16GiB``, and its bytes."""

    name: str
    amount: int


class Named(Frozen):
    """Something of the offer that is chosen by its name."""

    name: str
    title: str
    description: str | None = None


class AcceleratorOffer(Named):
    """An accelerator; ``pool`` is ``None`` for a session without one (name ``none``)."""

    pool: Pool | None = None


class AreaOffer(Named):
    """A volume; an ``optional`` one is mounted when it is chosen, any other always."""

    kind: AreaKind
    writable: bool
    optional: bool


class ResourceOffer(Named):
    """A countable resource: so many at ``most`` in one session."""

    most: int


class ProfileOffer(Frozen):
    """A profile as it is offered to one person; the first of each list is the default."""

    name: str
    title: str
    description: str | None = None
    images: tuple[Named, ...] = ()
    cpu: tuple[float, ...]
    memory: tuple[Size, ...]
    shm: int | None = None
    accelerators: tuple[AcceleratorOffer, ...] = ()
    areas: tuple[AreaOffer, ...] = ()
    charge: tuple[str, ...] = ()
    resources: tuple[ResourceOffer, ...] = ()
    limits: Limits = Limits()
    on_full: OnFull = "refuse"
    collaborative: bool = False
    privileges: tuple[Privilege, ...] = ()
    backends: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    advisory: bool = False
    closed: frozenset[str] = Field(default=frozenset(), exclude=True, repr=False)
    """``image:NAME``, ``accelerator:NAME``, … of this profile that are not for this person."""


class Offer(Frozen):
    """Everything that is offered to ``user``, in the order of the file; the first is the default.

    ``digest`` is that of the file it was made from; ``group`` the group whose session it is for.
    """

    user: str
    group: str | None = None
    title: str
    digest: str
    profiles: tuple[ProfileOffer, ...]
    closed: frozenset[str] = Field(default=frozenset(), exclude=True, repr=False)
    """The names of profiles that exist and are not for this person."""
    together: frozenset[str] = Field(default=frozenset(), exclude=True, repr=False)
    """Those of them that a group of hers can start for all of its members."""

    def find(self, name: str) -> ProfileOffer | None:
        """The offered profile of that name."""
        return next((profile for profile in self.profiles if profile.name == name), None)


def make_offer(book: Book, identity: Identity) -> Offer:
    """What ``identity`` is offered now; empty where no profile is for any of her groups."""
    offered = [
        made
        for profile in book.profile
        if _is_for(profile, identity) and (made := _offered(book, profile, identity))
    ]
    names = {profile.name for profile in offered}
    return Offer(
        user=identity.name,
        group=identity.group,
        title=book.title,
        digest=book.digest,
        profiles=tuple(offered),
        closed=frozenset(profile.name for profile in book.profile) - names,
        together=frozenset(
            profile.name
            for profile in book.profile
            if any(is_together(profile, group) for group in identity.groups)
        )
        - names,
    )


def _is_for(profile: Profile, identity: Identity) -> bool:
    """A profile for working together is a group's, and no person's; any other is a person's."""
    if identity.group is not None:
        return is_together(profile, identity.group)
    return not profile.collaborative and belongs(identity, profile.groups)


def belongs(identity: Identity, groups: tuple[str, ...] | None) -> bool:
    """Whether ``groups`` of the file are for this person; ``None`` does not narrow anything."""
    return groups is None or EVERYONE in groups or not identity.groups.isdisjoint(groups)


def volumes_of(book: Book, profile: Profile, identity: Identity) -> dict[str, Volume]:
    """The volumes of a profile that are for this person, the optional ones last."""
    return {
        name: book.volume[name]
        for name in (*profile.volumes, *profile.optional_volumes)
        if belongs(identity, book.volume[name].groups)
    }


def _offered(book: Book, profile: Profile, identity: Identity) -> ProfileOffer | None:
    images = [name for name in profile.images if belongs(identity, book.image[name].groups)]
    accelerators = [
        name
        for name in profile.accelerators
        if name == NONE or belongs(identity, book.accelerator[name].groups)
    ]
    if (profile.images and not images) or (profile.accelerators and not accelerators):
        return None  # nothing is left of what makes it this profile
    resources = [n for n in profile.resources if belongs(identity, book.resource[n].groups)]
    volumes = volumes_of(book, profile, identity)
    optional = frozenset(profile.optional_volumes)
    return ProfileOffer(
        **_as_written(profile),
        images=tuple(_image(name, book.image[name]) for name in images),
        memory=tuple(Size(name=show_size(amount), amount=amount) for amount in profile.memory),
        accelerators=tuple(_accelerator(name, book.accelerator) for name in accelerators),
        areas=tuple(_area(name, volumes[name], name in optional) for name in volumes),
        charge=payers(profile, identity),
        resources=tuple(
            ResourceOffer(name=name, title=book.resource[name].title, most=profile.resources[name])
            for name in resources
        ),
        limits=limits_of(book, profile),
        closed=frozenset(
            [f"image:{name}" for name in profile.images if name not in images]
            + [f"accelerator:{n}" for n in profile.accelerators if n not in accelerators]
            + [f"resource:{name}" for name in profile.resources if name not in resources]
            + [f"area:{name}" for name in profile.optional_volumes if name not in volumes]
        ),
    )


_SAME = (
    "name", "title", "description", "cpu", "shm", "on_full", "collaborative",
    "privileges", "backends", "queues", "ports", "advisory",
)  # fmt: skip


def _as_written(profile: Profile) -> dict[str, object]:
    return {key: getattr(profile, key) for key in _SAME}


def payers(profile: Profile, identity: Identity) -> tuple[str, ...]:
    """Who can be charged for a session: the group of the file, or the person's groups that the
    profile is for; a group's own session is the group's, where the file says nothing else."""
    if profile.charge is None and identity.group is not None:
        return (identity.group,)
    if profile.charge is None:
        return ()
    if profile.charge != CHOOSE:
        return (profile.charge,)
    if EVERYONE in profile.groups:
        return tuple(sorted(identity.groups))
    return tuple(group for group in profile.groups if group in identity.groups)


def limits_of(book: Book, profile: Profile) -> Limits:
    """The times of a session, in seconds; the ceiling's where the profile has no ``max``."""
    times = profile.time
    return Limits(
        longest=times.max or book.ceiling.time,
        idle=times.idle,
        gpu_idle=times.gpu_idle,
        warn=times.warn,
    )


def _image(name: str, image: Image) -> Named:
    return Named(name=name, title=image.title, description=image.description)


def _accelerator(name: str, known: dict[str, Accelerator]) -> AcceleratorOffer:
    if name == NONE:
        return AcceleratorOffer(name=NONE, title="No GPU")
    return AcceleratorOffer(name=name, title=known[name].title, pool=known[name].pool(name))


def _area(name: str, volume: Volume, optional: bool) -> AreaOffer:
    return AreaOffer(
        name=name,
        title=volume.title,
        kind=volume.told_as(),
        writable=volume.mode == "rw",
        optional=optional,
    )
