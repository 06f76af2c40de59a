"""A group's area, somebody who shares there and a colleague."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jobs.sharing.people import SECRET, Person, person


@pytest.fixture
def area(tmp_path: Path) -> Path:
    """The group's folder."""
    folder = tmp_path / "group"
    folder.mkdir()
    return folder


@pytest.fixture
def ada(tmp_path: Path, area: Path) -> Iterator[Person]:
    """Who shares; she has a secret."""
    secret = tmp_path / "token"
    secret.write_text(SECRET, encoding="utf-8")
    made = person(tmp_path / "ada", area, secrets={"s": {"kind": "token", "file": str(secret)}})
    yield made
    made.store.close()


@pytest.fixture
def eve(tmp_path: Path, area: Path) -> Iterator[Person]:
    """The colleague."""
    made = person(tmp_path / "eve", area)
    yield made
    made.store.close()
