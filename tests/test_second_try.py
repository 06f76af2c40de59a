"""What passes alone is not red, what fails again is; told with a real pytest in its own folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.failures import found
from tests.second_try import MANY, second_try

pytestmark = pytest.mark.slow

SETTINGS = """[pytest]
markers = fault: kills
junit_family = xunit2
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    root = tmp_path / "suite"
    (root / "results").mkdir(parents=True)
    (root / "pytest.ini").write_text(SETTINGS)
    return root


def first_run(root: Path, tests: str) -> None:
    (root / "test_it.py").write_text(f"import pathlib, pytest\n{tests}")
    results = f"--junitxml={root / 'results/unit.xml'}"
    subprocess.run([sys.executable, "-m", "pytest", "-q", results], cwd=root, check=False)


def tried(root: Path) -> int:
    return second_try(root, root / "results", ["unit"])


LEFT_BEHIND = """
def test_leaves(): pathlib.left = True
def test_finds(): assert not hasattr(pathlib, "left")
"""


def test_what_another_test_left_behind_is_not_there_the_second_time(
    suite: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first_run(suite, LEFT_BEHIND)
    assert [name for name, _ in found(suite / "results")] == ["test_it: test_finds"]
    assert tried(suite) == 0
    assert "PASSED ALONE test_it: test_finds" in capfd.readouterr().out
    assert not list(found(suite / "results"))


def test_a_mistake_fails_again_and_is_told_once(suite: Path) -> None:
    first_run(suite, f"{LEFT_BEHIND}\ndef test_wrong(): assert 1 == 2")
    assert tried(suite) == 1
    assert [name for name, _ in found(suite / "results")] == ["test_it: test_wrong"]


def test_a_fault_campaign_has_one_try(suite: Path) -> None:
    campaign = """
@pytest.mark.fault
def test_kills():
    assert pathlib.Path("second").exists()
"""
    first_run(suite, campaign)
    (suite / "second").touch()
    assert tried(suite) == 1
    assert [name for name, _ in found(suite / "results")] == ["test_it: test_kills"]


def test_many_failures_are_not_chance(suite: Path) -> None:
    many = f"""
@pytest.mark.parametrize("n", range({MANY + 1}))
def test_wrong(n): assert pathlib.Path("second").exists()
"""
    first_run(suite, many)
    (suite / "second").touch()
    assert tried(suite) == 1
    assert not (suite / "results/second.xml").exists()


def test_nothing_is_tried_after_a_green_run(suite: Path) -> None:
    first_run(suite, "def test_right(): pass")
    assert tried(suite) == 0
    assert not (suite / "results/second.xml").exists()


def test_what_is_skipped_the_second_time_did_not_pass(suite: Path) -> None:
    """As where the part that a test needs cannot be started any more."""
    missing = """
def test_needs():
    if pathlib.Path("second").exists(): pytest.skip("it is gone")
    assert False
"""
    first_run(suite, missing)
    (suite / "second").touch()
    assert tried(suite) == 1


def test_a_failure_that_pytest_did_not_keep_is_red_all_the_same(suite: Path) -> None:
    first_run(suite, "def test_wrong(): assert 1 == 2")
    shutil.rmtree(suite / ".pytest_cache")
    assert tried(suite) == 1


def test_a_stage_without_a_report_is_red(suite: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A pytest that cannot even be loaded ends with 1, as one whose tests failed."""
    assert tried(suite) == 1
    assert "No report of unit" in capfd.readouterr().out
