"""Packages added, removed, updated; the way back; the same request looked at before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.locks.wishes import Wish, read_wish
from jupyter_mlinfn.model.environment_tasks import Alter, Create, Restore
from tests.environments.engine.house import House, run

pytestmark = pytest.mark.slow


def wish(house: House, name: str) -> Wish:
    found = read_wish((house.papers(name) / "environment.yml").read_text(), "environment.yml")
    assert isinstance(found, Wish)
    return found


def test_what_is_added_comes_and_the_rest_stays(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    before = house.versions("mine")
    result = house.done(Alter(name="mine", add=("humanize",)))
    assert result.change is not None
    assert [change.name for change in result.change.added] == ["humanize"]
    assert result.change.removed == result.change.changed == ()
    assert house.versions("mine") == {**before, "humanize": "4.11.0"}
    assert "humanize 4.11.0" in house.record("mine").history[-1].text
    assert wish(house, "mine").conda == ("python", "greeting <2", "humanize")


def test_the_old_prefix_stays_for_who_runs_in_it(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    old = house.prefix("mine")
    house.done(Alter(name="mine", update=("greeting>=2",)))
    assert run(old / "bin" / "greet") == "Hello from greeting 1.0"
    assert run(house.prefix("mine") / "bin" / "greet") == "Hello from greeting 2.0"
    assert run(house.place("mine").current / "bin" / "greet") == "Hello from greeting 2.0"


def test_what_was_changed_by_hand_in_the_old_prefix_is_told(house: House) -> None:
    """Files shared with the cache are known already: what took their place must be seen."""
    house.create("mine", "python", "greeting <2")
    (edited,) = house.prefix("mine").glob("lib/python3.*/site-packages/greeting.py")
    draft = edited.with_name("draft")
    draft.write_text(edited.read_text().replace("Hello", "HELLO"))
    draft.replace(edited)
    told = house.done(Alter(name="mine", add=("humanize",))).text
    assert "Changed by hand before" in told
    assert "greeting.py was changed. It is kept." in told
    assert "by hand" not in house.done(Alter(name="mine", remove=("humanize",))).text


def test_only_what_is_named_is_updated(house: House) -> None:
    house.create("mine", "python", "greeting", "humanize <4.10")
    house.done(Alter(name="mine", update=("humanize>=4",)))
    assert house.versions("mine")["humanize"] == "4.11.0"
    house.create("other", "python", "greeting==1.0", "humanize <4.10")
    house.done(Alter(name="other", update=("greeting>=1",)))
    assert house.versions("other")["greeting"] == "2.0"
    assert house.versions("other")["humanize"] == "4.9.0"


def test_everything_is_updated_within_what_was_asked_for(house: House) -> None:
    house.create("mine", "python", "greeting <2", "humanize <4.10")
    house.done(Alter(name="mine", update=("humanize>=4",)))
    house.done(Restore(name="mine", digest=house.record("mine").history[0].digest))
    house.done(Alter(name="mine", add=("greeting",)))
    house.done(Alter(name="mine", update_all=True))
    assert house.versions("mine")["greeting"] == "2.0"
    assert house.versions("mine")["humanize"] == "4.9.0"


def test_what_needs_a_removed_package_goes_with_it(house: House) -> None:
    house.create("mine", "python", "greeting", "wants-old")
    result = house.done(Alter(name="mine", remove=("humanize",)))
    assert result.change is not None
    assert {change.name for change in result.change.removed} == {"humanize", "wants-old"}
    assert wish(house, "mine").conda == ("python", "greeting")


def test_what_nothing_needs_any_more_goes_too(house: House) -> None:
    house.create("mine", "python", "greeting", "wants-old")
    house.done(Alter(name="mine", remove=("wants-old",)))
    assert "humanize" not in house.versions("mine")


def test_back_to_an_earlier_lock_without_installing(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    first = house.record("mine")
    old = house.prefix("mine").stat().st_ino
    house.done(Alter(name="mine", update=("greeting>=2",)))
    second = house.record("mine")
    result = house.done(Restore(name="mine", digest=first.digest[7:17]))
    assert house.record("mine").digest == first.digest
    assert house.prefix("mine").stat().st_ino == old
    assert result.change is not None
    assert [c.before for c in result.change.changed] == ["2.0 pyhd_0"]
    house.done(Restore(name="mine", digest=second.digest))
    assert house.record("mine").digest == second.digest
    assert [entry.action for entry in house.record("mine").history] == [
        "create", "change", "restore", "restore",
    ]  # fmt: skip


def test_back_to_an_earlier_lock_whose_prefix_was_spoiled(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    first = house.record("mine").digest
    (module,) = house.prefix("mine").glob("lib/python3.*/site-packages/greeting.py")
    house.done(Alter(name="mine", update=("greeting>=2",)))
    module.unlink()
    house.done(Restore(name="mine", digest=first))
    assert run(house.prefix("mine") / "bin" / "greet") == "Hello from greeting 1.0"
    assert house.is_whole("mine")


def test_what_was_changed_by_hand_is_told_and_kept(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    old = house.prefix("mine")
    (site,) = old.glob("lib/python3.*/site-packages")
    (site / "by_hand.py").write_text("x = 1\n")
    result = house.done(Alter(name="mine", add=("humanize",)))
    assert "by_hand.py is new" in result.text
    assert (site / "by_hand.py").exists()
    house.done(Restore(name="mine", digest=house.record("mine").history[0].digest))
    assert house.is_whole("mine")
    (kept,) = house.place("mine").folder.glob("prefixes/*-replaced-*")
    assert list(kept.glob("lib/python3.*/site-packages/by_hand.py"))


def test_a_preview_then_the_change(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    before = house.place("mine").record.read_bytes()
    request = Alter(name="mine", update=("greeting>=2",))
    task = house.tasks.start(request.model_copy(update={"preview": True}))
    preview = house.finished(task)
    assert preview.change is not None
    assert [(c.before, c.after) for c in preview.change.changed] == [("1.0 pyhd_0", "2.0 pyhd_0")]
    assert house.place("mine").record.read_bytes() == before
    house.done(request.model_copy(update={"after": task.id}))
    assert house.record("mine").digest == preview.change.digest


def test_a_preview_of_another_state_or_request_is_not_carried_out(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    request = Alter(name="mine", update=("greeting>=2",))
    task = house.tasks.start(request.model_copy(update={"preview": True}))
    house.finished(task)
    other = house.do(Alter(name="mine", remove=("greeting",), after=task.id))
    assert other.code == "preview-stale"
    house.done(Alter(name="mine", add=("humanize",)))
    late = house.do(request.model_copy(update={"after": task.id}))
    assert (late.code, late.exit_code) == ("preview-stale", 1)
    gone = house.do(request.model_copy(update={"after": "0" * 16}))
    assert gone.code == "preview-gone"


def test_the_same_again_changes_nothing(house: House) -> None:
    house.create("mine", "python", "greeting")
    before = house.place("mine").record.read_bytes()
    result = house.done(Alter(name="mine", update_all=True))
    assert "Nothing was changed" in result.text
    assert house.place("mine").record.read_bytes() == before


def test_a_package_that_is_not_there_cannot_be_removed(house: House) -> None:
    house.create("mine", "python", "greeting")
    result = house.do(Alter(name="mine", remove=("greetings",)))
    assert result.code == "not-installed"
    assert "Did you mean greeting?" in result.text


def test_nothing_left_is_refused(house: House) -> None:
    house.create("mine", "greeting")
    assert house.do(Alter(name="mine", remove=("python",))).exit_code == 2
    assert house.do(Alter(name="mine")).exit_code == 2


def test_what_an_installed_package_excludes_stays_out_though_a_lock_does_not_say(
    house: House, own_channel: Path
) -> None:
    """CEP 37 has no ``constrains``: the engine takes them from the package."""
    (index,) = own_channel.glob("noarch/repodata.json")
    content = json.loads(index.read_text())
    assert not any("constrains" in r and r["name"] == "python_abi" for r in content["packages"])
    house.create("mine", "python")
    text = (house.papers("mine") / "conda-lock.yml").read_text()
    house.done(Create(name="from-lock", file_name="conda-lock.yml", file_text=text))
    noted = next((house.prefix("from-lock") / "conda-meta").glob("python-3*.json"))
    assert json.loads(noted.read_text())["constrains"]


def test_a_state_that_never_was(house: House) -> None:
    house.create("mine", "greeting <2")
    result = house.do(Restore(name="mine", digest="0" * 12))
    assert (result.code, result.exit_code) == ("no-such-state", 2)


@pytest.mark.parametrize("name", ["../mine", "-x", "a/b", "a\nb", "x" * 300, "mïne", ""])
def test_names_that_cannot_be(house: House, name: str) -> None:
    """The engine looks itself: whoever wrote the request may have been careless."""
    result = house.unchecked(Create(name=name, packages=("greeting",)))
    assert (result.code, result.exit_code) == ("bad-name", 2)
    assert not house.layout.own.exists()
