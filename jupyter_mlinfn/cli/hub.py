"""``mlinfn hub``: the admin's offer, checked, shown and compared before it comes into force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from jupyter_mlinfn.cli.options import json_option

if TYPE_CHECKING:
    from jupyter_mlinfn.model.errors import Problem, Refused
    from jupyter_mlinfn.model.plans import Identity, SpawnerKind
    from jupyter_mlinfn.profiles.document import Book
    from jupyter_mlinfn.profiles.reading import Reading

SPAWNERS = ("docker", "kube", "local")
spawner_option = click.option(
    "--spawner", type=click.Choice(SPAWNERS), help="For this spawner; else the file's own."
)
file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def hub() -> None:
    """Check a profiles.toml, show what it gives to somebody, and what another one would change.

    docs/profiles.md is the reference of the file.
    """


@hub.command()
@file_argument
@spawner_option
@json_option
def check(file: Path, spawner: SpawnerKind | None, as_json: bool) -> int:
    """Say every mistake of FILE at once, with its line; exit code 1 when there is one.

    With a spawner, also what that spawner cannot do of it: a mistake, or a note where the
    profile says advisory = true.
    """
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.profiles.places import ProfilesError
    from jupyter_mlinfn.profiles.reading import read

    book: Book | None = None
    notes: tuple[Problem, ...] = ()
    try:
        found = read(file)
    except ProfilesError as error:
        problems = error.problems
    else:
        book = found.book
        problems, notes = honoured(found, spawner or book.spawner)
    if as_json:
        shown = {"problems": problems, "notes": notes}
        emit(
            {
                "file": str(file),
                "right": not problems,
                "digest": book.digest if book else None,
                **{
                    key: [one.model_dump(mode="json") for one in ones]
                    for key, ones in shown.items()
                },
            }
        )
    else:
        show_check(file, book, problems, notes)
    return 1 if problems else 0


def honoured(
    found: Reading, spawner: SpawnerKind | None
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """What ``spawner`` cannot do of a file: mistakes, and notes of advisory profiles."""
    from jupyter_mlinfn.profiles.places import line_of
    from jupyter_mlinfn.profiles.spawners.honouring import CODE, NEEDED, unhonoured

    if spawner is None:
        return (), ()
    advisory = {profile.name for profile in found.book.profile if profile.advisory}
    problems: list[Problem] = []
    notes: list[Problem] = []
    for told in unhonoured(found.book, spawner):
        path = found.places.path(told.field)
        placed = found.places.problem(path, f"{told.text} {told.hint or ''}".strip(), code=CODE)
        name = (told.field or "").split(".")[1:2]
        told_only = advisory.issuperset(name) and told.code != NEEDED
        (notes if told_only else problems).append(placed)
    return tuple(sorted(problems, key=line_of)), tuple(sorted(notes, key=line_of))


def show_check(
    file: Path, book: Book | None, problems: tuple[Problem, ...], notes: tuple[Problem, ...]
) -> None:
    """One line a mistake, as editors read it: FILE:LINE: what is wrong."""
    from jupyter_mlinfn.cli.terminal import answer, inert, say
    from jupyter_mlinfn.profiles.wording import people

    for problem in problems:
        answer(inert(problem.text))
    for note in notes:
        say(f"Note: {inert(note.text)}")
    if problems:
        many = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        say(f"{inert(str(file))} has {many}.")
    elif book is not None:
        answer(f"{inert(str(file))} is right.")
        for profile in book.profile:
            answer(f"  {profile.name}: {inert(profile.title)}, for {people(profile.groups)}")


@hub.command()
@file_argument
@spawner_option
@click.option("--user", required=True, metavar="NAME", help="Who logs in.")
@click.option("--group", "groups", multiple=True, metavar="PATH", help="A group. Repeat for more.")
@click.option("--profile", metavar="NAME", help="The profile; else the first that is offered.")
@click.option("--image", metavar="NAME", help="One of its images, by name.")
@click.option("--cpu", metavar="N", help="One of its numbers of CPUs.")
@click.option("--memory", metavar="SIZE", help="One of its sizes, such as 8GiB.")
@click.option("--accelerator", metavar="NAME", help="One of its accelerators, or none.")
@click.option("--area", "areas", multiple=True, metavar="NAME", help="An optional volume. Repeat.")
@click.option(
    "--resource", "resources", multiple=True, metavar="NAME=N", help="So many of one. Repeat."
)
@click.option("--charge", metavar="GROUP", help="The group that pays.")
def render(
    file: Path,
    spawner: SpawnerKind | None,
    user: str,
    groups: tuple[str, ...],
    resources: tuple[str, ...],
    **chosen: object,
) -> None:
    """Print the exact traits that a spawner gets for somebody's session, as one JSON document.

    The site's own settings are the usual ones, and an example stands for a leased device.
    """
    from jupyter_mlinfn.cli.terminal import emit
    from jupyter_mlinfn.model.errors import InputError
    from jupyter_mlinfn.model.plans import Identity
    from jupyter_mlinfn.profiles.choice import choose
    from jupyter_mlinfn.profiles.names import slug
    from jupyter_mlinfn.profiles.offer import make_offer
    from jupyter_mlinfn.profiles.planning import make_plan
    from jupyter_mlinfn.profiles.reading import load
    from jupyter_mlinfn.profiles.spawners.rendering import render as traits_of
    from jupyter_mlinfn.profiles.together import identity_of_group

    book = load(file)
    kind = spawner or book.spawner
    if kind is None:
        raise InputError(
            "The file names no spawner. Say which one: --spawner docker, kube or local.",
            code="no-spawner",
            field="spawner",
        )
    identity = Identity(name=user, slug=slug(user), groups=frozenset(groups))
    together = {profile.name for profile in book.profile if profile.collaborative}
    if chosen["profile"] in together and len(groups) == 1:
        identity = identity_of_group(groups[0])
    offer = make_offer(book, identity)
    options = {key: value for key, value in chosen.items() if value not in (None, ())}
    if resources:
        options["resources"] = dict(text.partition("=")[::2] for text in resources)
    if not offer.profiles and chosen["profile"] not in together:
        raise nothing_for(identity, file, book)
    plan = make_plan(book, offer, choose(offer, options), identity)
    emit(
        {
            "spawner": kind,
            "profile": plan.profile,
            "traits": traits_of(plan, kind, book.ceiling.roots),
        }
    )


def nothing_for(identity: Identity, file: Path, book: Book) -> Refused:
    """The refusal of somebody who is offered nothing, in words for the administrator."""
    from jupyter_mlinfn.model.errors import Refused
    from jupyter_mlinfn.profiles.wording import people

    groups = tuple(sorted({group for profile in book.profile for group in profile.groups}))
    among = f"in {', '.join(sorted(identity.groups))}" if identity.groups else "in no group"
    return Refused(
        f"{file} offers nothing to {identity.name}, who is {among} here.",
        code="nothing-offered",
        field="profile",
        hint=f"Name groups with --group. There are profiles for {people(groups)}.",
    )


@hub.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@json_option
def diff(old: Path, new: Path, as_json: bool) -> int:
    """Say what changes, and for whom, when NEW takes the place of OLD; exit code 1 when it does."""
    from jupyter_mlinfn.cli.terminal import answer, emit, inert
    from jupyter_mlinfn.profiles.reading import load
    from jupyter_mlinfn.profiles.wording import compare

    found = compare(load(old), load(new))
    if as_json:
        emit({"differences": [one.model_dump(mode="json") for one in found]})
        return 1 if found else 0
    if not found:
        answer("Nothing changes for anybody.")
    for place in dict.fromkeys((one.profile, one.who) for one in found):
        profile, who = place
        answer(f"{profile or 'The file'}, for {inert(who)}:")
        for one in found:
            if (one.profile, one.who) == place:
                answer(f"  {inert(one.text)}")
    return 1 if found else 0


@hub.command()
def schema() -> None:
    """Print the JSON Schema of profiles.toml, for editors."""
    from jupyter_mlinfn.cli.terminal import answer
    from jupyter_mlinfn.profiles.schema import text

    answer(text().rstrip("\n"))
