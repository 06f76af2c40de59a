"""Searching packages: the asking side, its program, and what happens when that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jupyter_mlinfn.environments import search
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.environments.search import PackageSearch
from jupyter_mlinfn.model.errors import Refused, Unavailable

pytestmark = pytest.mark.slow

Make = Callable[..., PackageSearch]


@pytest.fixture
def searching(tmp_path: Path) -> Iterator[Make]:
    made: list[PackageSearch] = []

    def make(*channels: str, **more: object) -> PackageSearch:
        policy = Policy.model_validate({"user": "me", "channels": channels, **more})
        made.append(PackageSearch(lambda: policy, tmp_path / "repodata"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_names_and_versions_newest_first(searching: Make, small_channel: Path) -> None:
    found = searching(small_channel.as_uri()).find("greet")
    (package,) = found.packages
    assert (package.name, package.versions) == ("greeting", ("2.0", "1.0"))
    assert package.channel == small_channel.as_uri()
    assert (found.more, found.problem) == (False, None)


def test_over_http(searching: Make, small_channel: Path, served: Callable[[Path], str]) -> None:
    (package,) = searching(served(small_channel)).find("greeting").packages
    assert package.versions == ("2.0", "1.0")


def test_many_matches_are_cut_and_that_is_said(searching: Make, small_channel: Path) -> None:
    found = searching(small_channel.as_uri()).find("e")
    assert 0 < len(found.packages) <= search.LIMIT
    assert found.more is (len(found.packages) == search.LIMIT)


def test_a_channel_that_is_silent_hides_no_other(searching: Make, small_channel: Path) -> None:
    found = searching("http://127.0.0.1:9/none", small_channel.as_uri()).find("greeting")
    assert [package.name for package in found.packages] == ["greeting"]
    assert found.problem is not None
    assert "http://127.0.0.1:9/none" in found.problem


def test_a_package_of_two_channels_is_shown_as_the_first_has_it(
    searching: Make, small_channel: Path, served: Callable[[Path], str]
) -> None:
    first = served(small_channel)
    found = searching(first, small_channel.as_uri()).find("greeting")
    assert [package.channel for package in found.packages] == [first]


def test_a_channel_that_may_not_be_used_is_not_asked(searching: Make) -> None:
    allowed = searching("file:///a", allowed_channels=["file:///a"])
    with pytest.raises(Refused):
        allowed.find("x", ["file:///b"])
    assert allowed._feed is None


def test_a_program_that_was_killed_is_started_again(searching: Make, small_channel: Path) -> None:
    asking = searching(small_channel.as_uri())
    asking.find("greeting")
    feed = asking._feed
    assert feed is not None
    os.kill(feed.pid, signal.SIGKILL)
    assert asking.find("greeting").packages
    assert asking._feed is not feed


def test_a_program_that_does_not_answer_is_given_up(
    searching: Make, small_channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = searching(small_channel.as_uri())
    asking.find("greeting")
    feed = asking._feed
    assert feed is not None
    monkeypatch.setattr(search, "PATIENCE", 0.3)
    os.kill(feed.pid, signal.SIGSTOP)
    with pytest.raises(Unavailable, match="did not answer"):
        asking.find("greeting")
    assert asking._feed is None
    monkeypatch.undo()
    assert asking.find("greeting").packages


def test_it_rests_after_a_while(
    searching: Make, small_channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "IDLE_SECONDS", 0.1)
    asking = searching(small_channel.as_uri())
    asking.find("greeting")
    assert asking._rest is not None
    asking._rest.join(20)
    assert asking._feed is None


def test_asking_imports_no_solver() -> None:
    code = (
        "import sys, jupyter_mlinfn.workbench, jupyter_mlinfn.environments.search\n"
        "import jupyter_mlinfn.server.environments, jupyter_mlinfn.environments.own.store\n"
        "import jupyter_mlinfn.environments.own.tasks, jupyter_mlinfn.environments.catalogue\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(ended.stdout.split())
    assert "jupyter_mlinfn" in loaded
    assert not loaded & {"rattler", "conda_lock"}
