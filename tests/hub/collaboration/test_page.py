"""The page of group sessions: what it says in each state, and to whom it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jupyter_mlinfn.hub.collaboration.page import Seen, Session, groups_for, make_page
from jupyter_mlinfn.hub.page import make_page as spawn_page
from jupyter_mlinfn.hub.page import render
from jupyter_mlinfn.profiles.offer import make_offer
from jupyter_mlinfn.profiles.together import account_of, identity_of_group
from tests.profiles.files import TEXT, book, person
from tests.profiles.test_together import BOOK, FILE, MEMBERS

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC).astimezone()


def session(seen: Seen | None, text: str = FILE) -> Session:
    (one,) = make_page(book(text), {MEMBERS, "admins/ai-infn"}, {MEMBERS: seen}, NOW).sessions
    return one


def test_only_groups_of_the_person_with_a_session_of_their_own_are_told() -> None:
    assert groups_for(BOOK, {"cms", "a/cms", "admins/ai-infn"}) == ("cms",)
    page = make_page(BOOK, {"cms", "zeta"}, {}, NOW)
    assert [one.group for one in page.sessions] == ["cms"]
    assert page.sessions[0].account == account_of("cms")
    empty = make_page(BOOK, {"zeta", "admins/ai-infn"}, {}, NOW)
    assert (empty.sessions, empty.groups) == ((), ("admins/ai-infn", "zeta"))


def test_a_session_that_nobody_started_says_so() -> None:
    assert (session(Seen()).word, session(Seen()).told) == ("not running", "Nobody has started it.")


def test_a_session_that_runs_says_who_started_it_when_and_what_it_is() -> None:
    begun = NOW - timedelta(hours=2)
    told = session(Seen("running", "ada", begun, "together"))
    assert told.told == f"Started by ada at {begun:%H:%M}."
    assert told.titles == ("Working together",)
    assert session(Seen("running", "", begun)).told == f"Started at {begun:%H:%M}."
    assert session(Seen("starting", "ada")).told == "Started by ada."


def test_what_a_stop_takes_and_leaves_is_said() -> None:
    lost = session(Seen("running")).lost
    assert "ends it for everybody" in lost
    assert lost.endswith("What is saved in Collaboration stays.")
    bare = FILE.replace('volumes = ["collab"]\noptional', "volumes = []\noptional")
    assert session(Seen("running"), bare).lost.endswith("Nothing that was saved stays.")


def test_an_account_of_somebody_else_is_no_session() -> None:
    told = session(None)
    assert "belongs to somebody else" in told.missing
    assert told.state == "off"


def test_a_group_whose_image_is_not_for_it_may_start_nothing_and_is_told() -> None:
    text = FILE.replace('images = ["lab"]\ncpu = [4]', 'images = ["staff"]\ncpu = [4]')
    assert text != FILE
    assert "nothing that this group may start" in session(Seen(), text).missing


def test_the_spawn_page_leads_there_and_says_for_whom_it_starts() -> None:
    offer = make_offer(BOOK, identity_of_group(MEMBERS))
    told = render(spawn_page(offer, {}, (), NOW, whole_group="<a/b>"))
    assert "session of the group <b>&lt;a/b&gt;</b>" in told
    assert "href" not in told
    nothing = make_offer(book(TEXT.replace('groups = ["*"]', "groups = []")), person("otto"))
    linked = render(spawn_page(nothing, {}, (), NOW, together="/hub/collaboration"))
    assert '<a href="/hub/collaboration">' in linked
    assert "whole" not in linked
