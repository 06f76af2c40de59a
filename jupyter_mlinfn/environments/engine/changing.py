"""Plan a change: packages added, removed, updated; everything else stays as it can."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rattler import RepoDataRecord

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import read_papers, with_requirements
from jupyter_mlinfn.environments.engine.plans import Plan
from jupyter_mlinfn.environments.engine.records import completed
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.solving import Question, answer
from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.environments.locks.requirements import (
    check_conda,
    check_pip,
    conda_name,
    pip_name,
)
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.own.record import EnvironmentRecord
from jupyter_mlinfn.model.environment_tasks import Alter
from jupyter_mlinfn.model.errors import InputError


@dataclass(frozen=True)
class _Present:
    """The environment as it is."""

    lock: Lock
    wish: Wish
    records: Sequence[RepoDataRecord]
    pip: tuple[LockedPackage, ...]

    def names(self) -> set[str]:
        return {record.name.normalized for record in self.records}


@dataclass(frozen=True)
class _Orders:
    """The request, sorted by who carries it out; names of pip packages are canonical."""

    add: tuple[str, ...]
    add_pip: tuple[str, ...]
    remove: frozenset[str]
    remove_pip: frozenset[str]
    update: tuple[str, ...]
    update_pip: tuple[str, ...]
    everything: bool

    @property
    def concerns_conda(self) -> bool:
        return bool(self.add or self.remove or self.update or self.everything)


def plan_change(
    assignment: Assignment, request: Alter, record: EnvironmentRecord, reporter: Reporter
) -> Plan:
    """What ``request`` comes to. Raises :class:`MlinfnError` in words for people."""
    place, platform = assignment.place, assignment.policy.platform
    lock, wish = read_papers(place.papers(record.digest))
    here = lock.of(platform)
    conda = [package for package in here if package.manager == "conda"]
    present = _Present(
        lock=lock,
        wish=wish,
        records=completed(conda, place.prefix(record.digest), assignment.layout.packages),
        pip=tuple(package for package in here if package.manager == "pip"),
    )
    orders = _orders(request, present)
    reporter.say("solving", _what(orders))
    plan = Plan(
        action="change",
        records=present.records,
        channels=wish.channels or lock.channels or assignment.policy.channels,
        wish=wish,
        pip=present.pip,
        base=lock,
        digest=record.digest,
        origin=record.origin,
        notes=_notes(lock, platform),
    )
    if orders.concerns_conda:
        plan = _change_conda(plan, present, orders, assignment)
    plan = _change_pip(plan, present, orders)
    return replace(plan, wished_anew=plan.wish != wish)


def _change_conda(plan: Plan, present: _Present, orders: _Orders, assignment: Assignment) -> Plan:
    gone = _with_dependents(orders.remove, present.records)
    kept = [spec for spec in plan.wish.conda if conda_name(spec) not in gone]
    wished = with_requirements(kept, [*orders.add, *orders.update])
    wish = plan.wish.model_copy(update={"conda": wished})
    assignment.policy.check_channels(wish.all_channels)
    free = {conda_name(spec) for spec in orders.update}
    staying = [r for r in present.records if r.name.normalized not in gone]
    locked = [] if orders.everything else [r for r in staying if r.name.normalized not in free]
    specs = _specs(wished, orders, [record.name.normalized for record in staying])
    if not specs:
        raise InputError(
            "Nothing would be left of the environment. Nothing was changed.",
            code="bad-input",
            field="remove",
            hint="Delete the environment instead.",
        )
    question = Question(
        channels=plan.channels,
        specs=specs,
        platform=assignment.policy.platform,
        locked=locked,
        forbidden=tuple(sorted(orders.remove)),
        cuda=assignment.policy.cuda,
    )
    return replace(plan, records=answer(question, assignment.repodata), wish=wish)


def _specs(wished: Sequence[str], orders: _Orders, staying: Sequence[str]) -> tuple[str, ...]:
    """What the solver must fulfil: all that is there stays, unless packages are taken away."""
    if orders.remove or orders.everything:
        return tuple(wished) or tuple(staying)
    named = {conda_name(spec) for spec in wished}
    return (*wished, *(name for name in staying if name not in named))


def _change_pip(plan: Plan, present: _Present, orders: _Orders) -> Plan:
    kept_wishes = [t for t in plan.wish.pip if pip_name(t) not in orders.remove_pip]
    new = {pip_name(text): text for text in (*orders.add_pip, *orders.update_pip)}
    wished = tuple([t for t in kept_wishes if pip_name(t) not in new] + list(new.values()))
    wish = plan.wish.model_copy(update={"pip": wished})
    moved = _python(plan.records) != _python(present.records)
    kept = _reachable(present.pip, wished, orders.remove_pip)
    if not (new or orders.everything or moved) or not wished:
        return replace(plan, wish=wish, pip=kept if wished else ())
    free = set(new) if not (orders.everything or moved) else {p.name for p in kept}
    kept = tuple(package for package in kept if pip_name(package.name) not in free)
    return replace(plan, wish=wish, pip=kept, pip_wanted=wished)


def _orders(request: Alter, present: _Present) -> _Orders:
    conda, pip = present.names(), {pip_name(p.name) for p in present.pip}
    remove, remove_pip = _sorted_names(request.remove, conda, pip, "remove")
    update, update_pip = _sorted_names(request.update, conda, pip, "update")
    orders = _Orders(
        add=tuple(check_conda(text) for text in request.add),
        add_pip=tuple(check_pip(text) for text in request.add_pip),
        remove=frozenset(conda_name(text) for text in remove),
        remove_pip=frozenset(pip_name(text) for text in remove_pip),
        update=update,
        update_pip=update_pip,
        everything=request.update_all,
    )
    if not (orders.concerns_conda or orders.add_pip or orders.remove_pip or orders.update_pip):
        raise InputError("Say what to change: packages to add, remove or update.", code="bad-input")
    return orders


def _sorted_names(
    texts: Iterable[str], conda: set[str], pip: set[str], field: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of ``texts`` conda installed, and which pip did. Raises :class:`InputError`."""
    of_conda: list[str] = []
    of_pip: list[str] = []
    for text in texts:
        checked = check_conda(text)
        name = conda_name(checked)
        if name in conda:
            of_conda.append(checked)
        elif name.replace("_", "-").replace(".", "-") in pip:
            of_pip.append(check_pip(checked))
        else:
            near = difflib.get_close_matches(name, [*conda, *pip], n=3)
            raise InputError(
                f"{name} is not in the environment. Nothing was changed.",
                code="not-installed",
                field=field,
                hint=f"Did you mean {' or '.join(near)}?" if near else "Add it first.",
            )
    return tuple(of_conda), tuple(of_pip)


def _with_dependents(names: Iterable[str], records: Sequence[RepoDataRecord]) -> set[str]:
    """``names`` and everything that cannot be without them."""
    gone = set(names)
    needs = {r.name.normalized: {text.split(" ")[0] for text in r.depends} for r in records}
    while more := {name for name, needed in needs.items() if needed & gone} - gone:
        gone |= more
    return gone


def _reachable(
    packages: Sequence[LockedPackage], wished: Sequence[str], without: Iterable[str]
) -> tuple[LockedPackage, ...]:
    """The pip packages that ``wished`` still needs."""
    by_name = {pip_name(p.name): p for p in packages if pip_name(p.name) not in set(without)}
    todo = [pip_name(text) for text in wished]
    found: dict[str, LockedPackage] = {}
    while todo:
        name = todo.pop()
        if name in by_name and name not in found:
            found[name] = by_name[name]
            todo += [pip_name(needed) for needed in by_name[name].dependencies]
    return tuple(found[name] for name in sorted(found))


def _python(records: Sequence[RepoDataRecord]) -> str:
    """``3.11``: packages of pip are for one of these."""
    versions = [str(r.version) for r in records if r.name.normalized == "python"]
    return ".".join(versions[0].split(".")[:2]) if versions else ""


def _what(orders: _Orders) -> str:
    texts = [*orders.add, *orders.add_pip, *orders.update, *orders.update_pip]
    texts += sorted(orders.remove | orders.remove_pip)
    return ", ".join(texts[:4]) if texts else "everything"


def _notes(lock: Lock, platform: str) -> tuple[str, ...]:
    others = [other for other in lock.platforms if other != platform]
    if not others:
        return ()
    return (f"The new lock is for {platform} alone; lock again for {', '.join(others)}.",)
