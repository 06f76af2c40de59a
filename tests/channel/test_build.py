"""Building a channel: once, in one step, and calmly where no wheels are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.channel import recipes
from tests.channel.build import is_current
from tests.channel.downloads import DownloadFailed, fetch

ROOT = Path(__file__).parents[2]


def started(out: Path, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.channel", str(out), "--size", "small"],
        cwd=ROOT, env={**os.environ, **variables}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
def test_two_builds_at_once_make_one_channel(small_channel: Path, tmp_path: Path) -> None:
    out = tmp_path / "channel"
    both = [started(out), started(out)]
    assert [(one.communicate()[1], one.returncode) for one in both] == [("", 0), ("", 0)]
    assert is_current(out, "small")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".channel-")] == []
    names = {path.relative_to(out) for path in out.glob("*/*.conda")}
    assert names == {path.relative_to(small_channel) for path in small_channel.glob("*/*.conda")}
    for name in names:
        assert (out / name).read_bytes() == (small_channel / name).read_bytes(), name


def test_a_channel_that_is_there_is_left_alone(small_channel: Path) -> None:
    before = small_channel.stat()
    one = started(small_channel)
    assert one.communicate()[0].strip() == str(small_channel)
    assert (small_channel.stat().st_ino, small_channel.stat().st_mtime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
    )


def test_a_stale_stamp_is_noticed(small_channel: Path, tmp_path: Path) -> None:
    (tmp_path / ".made-of").write_text("something older")
    assert not is_current(tmp_path, "small")
    assert is_current(small_channel, "small")
    assert not is_current(small_channel, "demo")


def test_somebody_elses_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    one = started(tmp_path)
    _, said = one.communicate()
    assert one.returncode == 2
    assert "Name another folder." in said
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_missing_wheels_are_said_in_one_sentence(tmp_path: Path) -> None:
    nothing = recipes.Recipe("none", ("no-such-project-of-mlinfn-tests",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_NO_INDEX", "1")
        with pytest.raises(DownloadFailed, match="pip could not download wheels"):
            fetch(nothing, tmp_path)
    assert not list(tmp_path.glob("*.json"))
