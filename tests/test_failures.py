"""The last page of a red run: of what pytest writes here, and of what Playwright wrote once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.failures import found, page

pytestmark = pytest.mark.slow

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
PLAYWRIGHT = """<testsuites tests="2" failures="1"><testsuite name="zz.spec.ts" tests="2">
<testcase name="two is three" classname="zz.spec.ts" time="0.033">
<failure message="two is not three" type="expect.toEqual">
<![CDATA[  zz.spec.ts:2:1 › two is three ─────────────

    Error: two is not three

    expect(received).toEqual(expected) // deep equality

    Retry #1 ─────────────────────────────────────

    Error: two is not three
]]></failure></testcase>
<testcase name="only the second try" classname="zz.spec.ts" time="0.035">
<system-out><![CDATA[[[ATTACHMENT|../../ui-tests/test-results/zz/error-context.md]]]]></system-out>
</testcase></testsuite></testsuites>"""


def test_a_story_that_failed_twice_is_told_and_one_that_failed_once_is_not(tmp_path: Path) -> None:
    (tmp_path / "browser.xml").write_text(PLAYWRIGHT, encoding="utf-8")
    ((name, text),) = found(tmp_path)
    assert name == "zz.spec.ts: two is three"
    assert page([(name, text)]).startswith(f"FAILED {name}\nzz.spec.ts:2:1")
    assert "Error: two is not three" in page([(name, text)])


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
    told = page([(f"story {number}", "\x1b" + "x" * 5000) for number in range(90)])
    assert len(told) < 2000
    assert all(f"FAILED story {number}\n" in told for number in range(8))
    assert "82 more failed" in told


def test_without_a_failure_the_reader_is_sent_upwards(tmp_path: Path) -> None:
    assert "above" in page(list(found(tmp_path)))
