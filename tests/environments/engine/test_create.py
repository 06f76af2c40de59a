"""New environments by the real engine: from packages, from every kind of file, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.model.environment_tasks import Create, TaskEvent
from tests.environments.engine.house import PLATFORM, House, run

pytestmark = pytest.mark.slow


def test_packages_become_an_environment_that_runs(house: House) -> None:
    result = house.create("mine", "python", "greeting <2")
    assert result.change is not None
    assert {change.name for change in result.change.added} >= {"python", "greeting", "tzdata"}
    assert result.change.digest == house.record("mine").digest
    assert run(house.prefix("mine") / "bin" / "greet") == "Hello from greeting 1.0"
    told = run(house.prefix("mine") / "bin" / "python", "-c", "import sys; print(sys.prefix)")
    assert Path(told) == house.prefix("mine")


def test_no_file_names_the_folder_it_was_built_in(house: House) -> None:
    house.create("mine", "python", "greeting", "ipykernel")
    for path in house.prefix("mine").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"staging-" not in path.read_bytes(), path


def test_the_record_tells_what_it_is(house: House) -> None:
    result = house.create("mine", "python=3.11", "greeting")
    record = house.record("mine")
    assert record.python is not None
    assert record.python.startswith("3.11.")
    assert record.made_by == "eve"
    assert record.channels == house.policy.channels
    assert record.history[-1].digest == record.digest
    assert record.history[-1].action == "create"
    files = [p for p in house.prefix("mine").rglob("*") if p.is_symlink() or p.is_file()]
    assert result.change is not None
    assert record.files == result.change.files == len(files)
    assert record.size == sum(path.lstat().st_size for path in files)
    assert house.place("mine").current.resolve() == house.prefix("mine")


def test_the_papers_say_the_same(house: House) -> None:
    house.create("mine", "python", "greeting>=1,<2")
    papers = house.papers("mine")
    assert house.lock("mine").digest(PLATFORM) == house.record("mine").digest
    assert "greeting>=1,<2" in (papers / "environment.yml").read_text()
    explicit = (papers / "explicit.txt").read_text()
    assert "@EXPLICIT" in explicit
    assert "greeting-1.0-pyhd_0.conda#sha256:" in explicit
    assert house.is_whole("mine")
    assert manifest.read(papers / "manifest.json").files == house.record("mine").files


def test_every_kind_of_file_is_taken(house: House) -> None:
    house.create("mine", "python", "greeting <2")
    papers = house.papers("mine")
    channel = house.policy.channels[0]
    wish = f"dependencies: [python, 'greeting <2']\nchannels: ['{channel}']\n"
    files = {
        "environment.yml": wish,
        "conda-lock.yml": (papers / "conda-lock.yml").read_text(),
        "explicit.txt": (papers / "explicit.txt").read_text(),
    }
    for number, (name, text) in enumerate(files.items()):
        house.done(Create(name=f"from-{number}", file_name=name, file_text=text))
        assert house.versions(f"from-{number}") == house.versions("mine"), name
        assert house.record(f"from-{number}").digest == house.record("mine").digest, name


def test_a_channel_over_http(
    new_house: House, small_channel: Path, served: Callable[[Path], str]
) -> None:
    url = served(small_channel)
    new_house.done(Create(name="mine", packages=("python", "greeting"), channels=(url,)))
    assert new_house.versions("mine")["greeting"] == "2.0"
    assert new_house.record("mine").channels == (url,)
    assert all(package.url.startswith(url) for package in new_house.lock("mine").packages)


def test_events_tell_how_far_it_is(new_house: House) -> None:
    task = new_house.tasks.start(Create(name="mine", packages=("python", "greeting")))
    new_house.finished(task)
    lines = (new_house.layout.task(task.id) / "events.jsonl").read_text().splitlines()
    events = [TaskEvent.model_validate_json(line) for line in lines]
    phases = list(dict.fromkeys(event.phase for event in events))
    assert phases == ["starting", "solving", "checking", "linking", "finishing"]
    linking = [event for event in events if event.phase == "linking"]
    installed = new_house.versions("mine")
    assert all(event.total == len(installed) for event in linking)
    assert all(event.unit == "packages" for event in linking)
    assert {event.text for event in linking} & set(installed)


def test_a_preview_changes_nothing_and_is_carried_out_exactly(
    house: House, own_channel: Path
) -> None:
    request = Create(name="mine", packages=("python", "greeting"), channels=(str(own_channel),))
    task = house.tasks.start(request.model_copy(update={"preview": True}))
    preview = house.finished(task)
    assert preview.change is not None
    assert preview.change.files is not None
    assert not house.place("mine").folder.exists()
    # the channel has lost the newest since: the preview is what counts, not a new solution
    (index,) = own_channel.glob("noarch/repodata.json")
    content = json.loads(index.read_text())
    for kind in ("packages", "packages.conda"):
        content[kind] = {k: v for k, v in content[kind].items() if "greeting-2" not in k}
    for path in (*own_channel.glob("*/repodata*"),):
        path.unlink()
    index.write_text(json.dumps(content))
    result = house.done(request.model_copy(update={"after": task.id}))
    assert result.change is not None
    assert result.change.digest == preview.change.digest
    assert house.versions("mine")["greeting"] == "2.0"


def test_scripts_of_packages_are_not_run_and_that_is_said(house: House) -> None:
    result = house.create("mine", "afterwards", "python")
    assert "not run: afterwards" in result.text
    assert not (house.prefix("mine") / "afterwards-ran").exists()


def test_a_package_that_overwrites_another_ones_file_is_told(house: House) -> None:
    said = house.create("clash", "humanize", "clashing").text
    path = "lib/python3.11/site-packages/humanize/__init__.py"
    assert f"{path} is that of clashing, not of humanize" in said
    assert "leave one of the packages out" in said
    assert "clash" in (house.prefix("clash") / path).read_text()
    assert house.is_whole("clash")
    assert "overwrite" not in house.create("quiet", "humanize", "greeting").text


def test_a_name_that_is_taken(house: House, tmp_path: Path) -> None:
    house.create("mine", "greeting <2")
    first = house.place("mine").record.read_bytes()
    # the engine itself must refuse: two servers may have looked at the same moment
    result = house.unchecked(Create(name="mine", packages=("pip",)))
    assert result.code == "environment-exists"
    assert house.place("mine").record.read_bytes() == first
