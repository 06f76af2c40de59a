"""What the rounds ask of the hub's database: JupyterHub's own tables and session, in SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from jupyterhub import orm, roles
from jupyterhub.user import UserDict
from sqlalchemy import event

from jupyter_mlinfn.hub.collaboration.keeping import EVERY, Keeper
from jupyter_mlinfn.hub.identity import group_of_account
from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.profiles.together import account_of, role_of
from tests.systems.hub_way import OFFER

GROUPS = tuple(f"users/group-{number}" for number in range(4))
MINUTE = int(60 / EVERY)


def offer(*groups: str) -> str:
    named = ", ".join(f'"{group}"' for group in groups)
    return f"""{OFFER}
[[profile]]
name = "together"
title = "Working together"
groups = [{named}]
cpu = [4]
memory = ["8GiB"]
collaborative = {"true" if groups != ("*",) else "false"}
"""


class Counted:
    """How often the database was asked, and how often something was made lasting."""

    def __init__(self) -> None:
        self.queries = self.commits = 0


class Site:
    """The database of a hub that knows four groups, each with a session of its own."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "profiles.toml"
        self.file.write_text(offer(*GROUPS), encoding="utf-8")
        self.db = orm.new_session_factory("sqlite:///:memory:")()
        for role in roles.get_default_roles():
            roles.create_role(self.db, role)
        self.db.add_all([orm.Group(name=f"/{group}") for group in GROUPS])
        self.db.commit()
        self.hub = SimpleNamespace(db=self.db, users=UserDict(lambda: self.db, {}))
        self.keeper = Keeper(SimpleNamespace(book=WatchedBook(self.file)))  # type: ignore[arg-type]
        self.keeper.watch(self.db)

    def rounds(self, times: int = 1) -> Counted:
        with self.counting() as counted:
            for _ in range(times):
                asyncio.run(self.keeper.look(self.hub))
        assert not self.keeper._failing
        return counted

    @contextmanager
    def counting(self) -> Iterator[Counted]:
        counted, engine = Counted(), self.db.get_bind()

        def query(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            # JupyterHub tries each connection with one that reads no table
            counted.queries += statement != "SELECT 1"

        def commit(*_: object) -> None:
            counted.commits += 1

        event.listen(engine, "before_cursor_execute", query)
        event.listen(self.db, "after_commit", commit)
        yield counted
        event.remove(engine, "before_cursor_execute", query)
        event.remove(self.db, "after_commit", commit)

    def bearers(self, group: str) -> set[str]:
        role = orm.Role.find(self.db, role_of(group).name)
        return {one.name for one in role.groups} if role else set()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.db.close()
    made.db.get_bind().dispose()


def test_a_minute_in_which_nothing_changes_asks_nothing_of_the_database(site: Site) -> None:
    assert site.rounds().commits
    assert all(site.bearers(group) == {f"/{group}"} for group in GROUPS)
    quiet = site.rounds(MINUTE)
    assert (quiet.queries, quiet.commits) == (0, 0)


def test_members_and_people_who_come_and_go_cost_one_look_that_writes_nothing(site: Site) -> None:
    site.rounds()
    ada = orm.User(name="ada")
    site.db.add(ada)
    site.db.commit()
    assert site.rounds(MINUTE).queries == 0
    group = orm.Group.find(site.db, f"/{GROUPS[0]}")
    group.users.append(ada)
    site.db.commit()
    seen = site.rounds(MINUTE)
    # as many for four groups as for one
    assert (seen.queries, seen.commits) == (3, 0)


def test_what_is_given_to_a_role_by_hand_is_taken_in_the_next_round(site: Site) -> None:
    site.rounds()
    role = orm.Role.find(site.db, role_of(GROUPS[0]).name)
    role.users.append(orm.User(name="eve"))
    site.db.commit()
    assert site.rounds().commits
    assert role.users == []


def test_a_group_that_comes_later_and_one_that_goes(site: Site) -> None:
    site.rounds()
    site.file.write_text(offer(*GROUPS, "users/late"), encoding="utf-8")
    site.rounds()
    assert orm.User.find(site.db, account_of("users/late")) is None
    site.db.add(orm.Group(name="users/late"))
    site.db.delete(orm.Group.find(site.db, f"/{GROUPS[0]}"))
    site.db.commit()
    site.rounds()
    assert orm.User.find(site.db, account_of("users/late")) is not None
    assert site.bearers("users/late") == {"users/late"}
    assert site.bearers(GROUPS[0]) == set()


def test_a_file_that_names_no_group_any_more_closes_all_of_them(site: Site) -> None:
    site.rounds()
    site.file.write_text(offer("*"), encoding="utf-8")
    site.rounds(2)
    assert not any(orm.Role.find(site.db, role_of(group).name) for group in GROUPS)
    quiet = site.rounds(MINUTE)
    assert (quiet.queries, quiet.commits) == (0, 0)


def test_an_account_that_somebody_made_before_gives_way_when_it_is_removed(site: Site) -> None:
    name = account_of(GROUPS[0])
    site.db.add(orm.User(name=name))
    site.db.commit()
    site.rounds()
    assert site.bearers(GROUPS[0]) == set()
    # as the hub's own API does
    site.hub.users.delete(name)
    site.rounds()
    assert group_of_account(orm.User.find(site.db, name)) == GROUPS[0]
    assert site.bearers(GROUPS[0]) == {f"/{GROUPS[0]}"}


def test_a_round_that_failed_is_made_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(roles, "create_role", lambda *_, **__: 1 / 0)
        asyncio.run(site.keeper.look(site.hub))
    assert site.bearers(GROUPS[0]) == set()
    site.rounds()
    assert site.bearers(GROUPS[0]) == {f"/{GROUPS[0]}"}
