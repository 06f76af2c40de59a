"""Paths as texts: which can become one, which lie in which, which belong to the system."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.profiles.sources import (
    can_hold,
    can_meet,
    is_below,
    source_problem,
    target_problem,
)


@pytest.mark.parametrize(
    ("first", "second", "meet"),
    [
        ("/a/{user}", "/a/{group}", True),
        ("/a/{user}", "/a/public", True),
        ("/a/x-{user}", "/a/x-1", True),
        ("/a/x-{user}", "/a/y-1", False),
        ("/a/x-{user}", "/a/y-{group}", False),
        ("/a/x-{user}", "/a/{group}-y", True),
        ("/a/{user}-x", "/a/{group}-y", False),
        ("/a/{user}/x", "/a/{group}/y", False),
        ("/a/{user}", "/b/{user}", False),
        ("/a/{user}", "/a/{user}/x", False),
        ("/a/{user}.x", "/a/bax", False),
    ],
)
def test_two_templates_meet_where_some_names_make_them_one(
    first: str, second: str, meet: bool
) -> None:
    assert can_meet(first, second) is can_meet(second, first) is meet


@pytest.mark.parametrize(
    ("folder", "path", "held"),
    [
        ("/a/{user}", "/a/{user}/x", True),
        ("/a/{user}", "/a/public/x", True),
        ("/a", "/a/{user}", True),
        ("/a", "/ab/{user}", False),
        ("/a/{user}", "/a/{user}", False),
        ("/a/{user}/x", "/a/{user}", False),
    ],
)
def test_a_folder_holds_what_can_lie_below_it(folder: str, path: str, held: bool) -> None:
    assert can_hold(folder, path) is held


def test_a_sibling_with_a_longer_name_is_not_below() -> None:
    assert is_below("/srv/data/x", "/srv/data")
    assert not is_below("/srv/data-secret", "/srv/data")
    assert not is_below("/srv/data", "/srv/data")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/etc", "belongs to the system"),
        ("/etc/mlinfn", "belongs to the system"),
        ("/var/lib/docker/volumes", "belongs to the system"),
        ("/var/run/docker.sock", "belongs to the system"),
        ("/var", "holds /var/run"),
        ("/var/lib", "holds /var/lib/"),
        ("/", "holds /"),
        ("/srv/engine.sock", "socket"),
    ],
)
def test_what_belongs_to_the_host_is_no_source(path: str, words: str) -> None:
    assert words in (source_problem(path) or "")


@pytest.mark.parametrize("path", ["/srv", "/home", "/var/lib/mlinfn", "/etcetera", "/runs"])
def test_what_does_not_is_one(path: str) -> None:
    assert source_problem(path) is None


@pytest.mark.parametrize("path", ["/", "/var", "/etc/x", "/usr", "/dev/shm", "/proc"])
def test_nothing_is_mounted_over_the_session_s_system(path: str) -> None:
    assert target_problem(path) is not None


@pytest.mark.parametrize("path", ["/home/jovyan", "/scratch", "/var/data", "/devices"])
def test_the_rest_of_a_session_may_be_a_target(path: str) -> None:
    assert target_problem(path) is None
