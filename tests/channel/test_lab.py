"""What ``make lab`` prepares for a person without a conda channel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.channel import lab
from tests.channel.downloads import DownloadFailed

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

PREPARE = """
import os, sys
from pathlib import Path
from tests.channel import lab

lab.CACHE, lab.MANAGED = Path(sys.argv[1]), Path(sys.argv[2])
lab.SPECS = ["python", "greeting"]
lab.is_current = lambda *_: True
lab.build = lambda *_: None
lab.main()
sys.stdout.flush()
os._exit(0)
"""


def no_wheels(*_: object) -> Path:
    raise DownloadFailed("pip could not download wheels.")


def test_without_wheels_the_lab_is_told_of_calmly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(lab, "CACHE", tmp_path)
    monkeypatch.setattr(lab, "build", no_wheels)
    lab.main()
    said = capsys.readouterr().out
    assert "pip could not download wheels." in said
    assert "Everything else in the lab works as always." in said


def test_nothing_is_made_for_who_has_a_channel(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLINFN_CHANNELS", "conda-forge")
    monkeypatch.setattr(lab, "build", lambda *_: pytest.fail("a channel was made"))
    lab.main()
    assert capsys.readouterr().out == ""


def test_the_managed_environment_runs_where_it_lies_and_is_made_once(
    small_channel: Path, tmp_path: Path
) -> None:
    (tmp_path / "channels").mkdir()
    (tmp_path / "channels" / "demo").symlink_to(small_channel)
    managed = tmp_path / "managed"
    argv = [sys.executable, "-c", PREPARE, str(tmp_path / "channels"), str(managed)]
    inodes = []
    for _ in range(2):
        ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        inodes.append((managed / lab.NAME).stat().st_ino)
    assert inodes[0] == inodes[1]
    greet = managed / lab.NAME / "bin" / "greet"
    ended = subprocess.run([str(greet)], capture_output=True, text=True, env={}, check=False)
    assert ended.stdout == "Hello from greeting 2.0\n"
    assert greet.read_text().startswith(f"#!{managed}{os.sep}{lab.NAME}/bin/python")
    assert [path.name for path in managed.iterdir()] == [lab.NAME]
