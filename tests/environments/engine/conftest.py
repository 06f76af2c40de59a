"""A person with a channel, and a package cache that all tests share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.channel.fixtures import served, small_channel
from tests.environments.engine.house import House

__all__ = ["served", "small_channel"]


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package cache, so that each package is unpacked once for all tests."""
    return tmp_path_factory.mktemp("packages")


@pytest.fixture
def house(tmp_path: Path, small_channel: Path, shared_cache: Path) -> Iterator[House]:
    """No environment yet; at the end nothing half-made may lie about."""
    house = House(tmp_path / "data", small_channel.as_uri(), shared_cache)
    yield house
    assert house.leftovers() == []


@pytest.fixture
def new_house(tmp_path: Path, small_channel: Path) -> House:
    """The same with an empty cache: every package has to be fetched."""
    return House(tmp_path / "data", small_channel.as_uri())


@pytest.fixture
def own_channel(tmp_path: Path, small_channel: Path) -> Path:
    """The small channel, to be spoiled."""
    return copy_of(small_channel, tmp_path / "channel")


@pytest.fixture
def make_house(tmp_path: Path) -> Callable[[str], House]:
    """A person with this channel and an empty cache."""
    return lambda channel: House(tmp_path / "data-of-another", channel)


def copy_of(channel: Path, folder: Path) -> Path:
    """A channel whose files can be replaced without harm to ``channel``."""
    return Path(shutil.copytree(channel, folder, symlinks=True))
