"""The program that makes the backups which a profiles.toml asks for."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from traitlets.config import Config

from jupyter_mlinfn.hub.backups import Keeper, Wanted, folders_of, is_due, main
from jupyter_mlinfn.hub.configuring import _add_backups
from jupyter_mlinfn.model.plans import SpawnerKind
from jupyter_mlinfn.profiles.reading import load
from jupyter_mlinfn.storage.backups.copies import copies_in
from jupyter_mlinfn.storage.backups.making import make_copy
from jupyter_mlinfn.storage.backups.rule import Rule
from tests.hub.service.test_ending import lives
from tests.profiles.files import TEXT

HUB = """
import subprocess, sys, time
argv = [sys.executable, "-m", "jupyter_mlinfn.hub.backups", sys.argv[1], "--forever"]
print(subprocess.Popen(argv, start_new_session=True).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A profiles.toml with folders of two groups, and beside them what is none."""
    for name in ("cms", "lhcb"):
        folder = tmp_path / "data" / "groups" / name
        folder.mkdir(parents=True)
        (folder / "work.txt").write_text(name)
    (tmp_path / "data" / "groups" / "Not-A-Slug").mkdir()
    (tmp_path / "data" / "groups" / "link").symlink_to("/etc")
    (tmp_path / "data" / "groups" / "file").touch()
    made = tmp_path / "profiles.toml"
    text = TEXT.replace("/srv/data", f"{tmp_path}/data")
    made.write_text(text.replace("/srv/backups", f"{tmp_path}/backups"))
    return made


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_group_gets_its_copies_when_they_are_due(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(file)]) == 0
    assert [Path(str(one["source"])).name for one in told(capsys)] == ["cms", "lhcb"]
    kept = tmp_path / "backups" / "groups"
    assert sorted(os.listdir(kept)) == ["cms", "lhcb"]
    (copy,) = copies_in(str(kept / "cms")).copies
    assert (kept / "cms" / copy.id / "files" / "work.txt").read_text() == "cms"
    assert main([str(file)]) == 0
    assert told(capsys) == []


def test_one_that_fails_keeps_no_other_from_its_copy(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "backups" / "groups").mkdir(parents=True)
    (tmp_path / "backups" / "groups" / "cms").write_text("a file in the way")
    keeper = Keeper(file)
    assert keeper.round() == 3
    first, second = told(capsys)
    assert "error" in first
    assert "copy" in second
    assert keeper.round() == 0
    assert told(capsys) == [], "what failed is not tried again at once"


def test_due_is_by_the_newest_copy(tmp_path: Path) -> None:
    source, folder = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    one = Wanted(source, folder, timedelta(hours=24), Rule(86400))
    now = datetime.now(UTC)
    assert is_due(one, now)
    folder.mkdir()
    assert is_due(one, now)
    make_copy(source, folder, one.rule, now - timedelta(hours=23))
    assert not is_due(one, now)
    assert is_due(one, now + timedelta(hours=1))


def test_braces_stand_for_one_name(tmp_path: Path) -> None:
    for place in ("ada/x-ada", "ada/x-ben", "ben/x-ben", "Ada/x-Ada"):
        (tmp_path / place).mkdir(parents=True)
    found = folders_of(f"{tmp_path}/{{user}}/x-{{user}}")
    assert found == [
        (tmp_path / "ada" / "x-ada", {"user": "ada"}),
        (tmp_path / "ben" / "x-ben", {"user": "ben"}),
    ]
    shutil.rmtree(tmp_path / "ada")
    assert folders_of(f"{tmp_path}/none/{{group}}") == []


def test_a_hub_runs_it_also_for_a_file_that_asks_for_backups_later(file: Path) -> None:
    book = load(file)
    asks_for_none = book.model_copy(update={"volume": {"home": book.volume["home"]}})
    kind: SpawnerKind
    for asked, kind, number in (
        (book, "kube", 1),
        (asks_for_none, "kube", 0),
        (asks_for_none, "docker", 1),
        (asks_for_none, "local", 1),
    ):
        c = Config()
        _add_backups(c, file, asked, kind)
        services = c.JupyterHub.services.get_value([])
        assert len(services) == number
        for one in services:
            assert one["command"][1:] == [
                "-m",
                "jupyter_mlinfn.hub.backups",
                str(file),
                "--forever",
            ]
            assert not {"admin", "api_token", "url"} & set(one)


def test_a_file_that_is_wrong_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("schema = 2\n")
    assert main([str(file)]) == 2
    assert "profiles.toml:1" in capsys.readouterr().err


def test_a_backup_that_is_asked_for_while_it_runs_is_made(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asks = file.read_text()
    bare = re.sub(r"(?s)\[volume\.\w+\.backup\].*?(?=\n\[)", "", asks)
    assert bare != asks
    file.write_text(bare)
    keeper = Keeper(file)
    assert keeper.round() == 0
    assert told(capsys) == []
    file.write_text(asks)
    assert keeper.round() == 0
    assert len(told(capsys)) == 2


def test_it_ends_with_a_hub_that_is_killed(file: Path) -> None:
    hub = subprocess.Popen(
        [sys.executable, "-c", HUB, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert hub.stdout is not None
    # both copies are told when the program has begun to look after its hub
    lines = [hub.stdout.readline() for _ in range(3)]
    program = psutil.Process(next(int(line) for line in lines if line.strip().isdigit()))
    assert lives(program)
    hub.kill()
    hub.wait()
    deadline = time.monotonic() + 60
    while lives(program):
        assert time.monotonic() < deadline, "it outlived its hub"
        time.sleep(0.05)
    hub.stdout.close()
