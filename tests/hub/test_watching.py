"""The offer while the hub runs: a changed file counts, a wrong one changes nothing."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from jupyter_mlinfn.hub.watching import WatchedBook
from jupyter_mlinfn.model.errors import InputError
from tests.systems.hub_way import OFFER


@pytest.fixture
def file(tmp_path: Path) -> Path:
    place = tmp_path / "profiles.toml"
    place.write_text(OFFER, encoding="utf-8")
    return place


def replace(file: Path, text: str) -> None:
    """As an editor does: another file under the same name, so another inode."""
    new = file.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, file)


def titles(book: WatchedBook) -> list[str]:
    return [profile.title for profile in book.book().profile]


def test_a_changed_file_is_read_again(file: Path) -> None:
    book = WatchedBook(file)
    assert titles(book)[0] == "Small"
    replace(file, OFFER.replace('title = "Small"', 'title = "Tiny"'))
    assert titles(book)[0] == "Tiny"


def test_a_wrong_file_keeps_the_old_and_tells_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = WatchedBook(file)
    replace(file, OFFER.replace("cpu = [4]", 'cpu = ["four"]'))
    with caplog.at_level(logging.ERROR):
        assert titles(book)[0] == "Small"
        assert titles(book)[0] == "Small"
    assert book.problem is not None
    assert book.problem.startswith("profiles.toml:")
    assert len(caplog.records) == 1
    replace(file, OFFER)
    assert titles(book)[0] == "Small"
    assert book.problem is None


def test_a_file_that_went_away_is_a_problem_and_no_crash(file: Path) -> None:
    book = WatchedBook(file)
    file.unlink()
    assert titles(book)[0] == "Small"
    assert book.problem is not None
    assert "cannot be read" in book.problem


def test_no_hub_without_an_offer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InputError), caplog.at_level(logging.ERROR):
        WatchedBook(tmp_path / "none.toml")
    assert "none.toml:1: The file cannot be read" in caplog.text
