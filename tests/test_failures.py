"""The last page of a red run, from what pytest and Playwright really write."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.failures import found, page

RED = """
import pytest
def test_wrong():
    assert [1, 2] == [1, 3], "two is not three"
@pytest.fixture
def broken():
    raise OSError("no room")
def test_never(broken): ...
def test_right(): ...
"""


def test_a_failure_and_a_broken_fixture_are_told_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / "test_red.py").write_text(RED)
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=red.xml"]
    subprocess.run([*argv, "test_red.py"], cwd=tmp_path, capture_output=True, check=False)
    failures = list(found(tmp_path))
    told = page(failures)
    assert [name for name, _ in failures] == ["test_red: test_wrong", "test_red: test_never"]
    assert "two is not three" in told
    assert "no room" in told
    assert "def test" not in told


def test_many_failures_stay_one_screen() -> None:
    told = page([(f"story {number}", "\x1b" + "x" * 5000) for number in range(8)])
    assert len(told) < 2000
    assert all(f"FAILED story {number}" in told for number in range(8))


def test_without_a_failure_the_reader_is_sent_upwards(tmp_path: Path) -> None:
    assert "above" in page(list(found(tmp_path)))
