"""``mlinfn areas``, ``mlinfn backups`` and ``mlinfn restore``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.cli.main import main
from tests.storage.conftest import Shelf


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    made = Shelf(tmp_path / "group").fill()
    told = [made.area(quota=10**9, batch=("slurm",)).model_dump()]
    monkeypatch.setenv("MLINFN_AREAS", json.dumps(told))
    return made


def ask(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_from_a_copy_to_the_way_back(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("backups", "make", str(shelf.path), "--to", str(shelf.copies), "--keep", "all=1d")
    assert ask(capsys, *argv)["copy"]["files"] == 2
    (shelf.path / "notes.txt").unlink()
    assert main(["areas"]) == 0
    told = capsys.readouterr().out
    assert "users/ours" in told
    assert "slurm" in told
    assert "of 953.7 MiB (quota)" in told
    assert main(["backups", "list", "collab"]) == 0
    assert "2" in capsys.readouterr().out
    assert main(["backups", "show", "collab", "--deleted"]) == 0
    assert "notes.txt" in capsys.readouterr().out
    assert main(["restore", "collab", "notes.txt", "--over"]) == 0
    assert "notes.txt is back" in capsys.readouterr().out
    assert (shelf.path / "notes.txt").read_text() == "ours\n"
    beside = ask(capsys, "restore", "collab", "analysis/")
    assert (beside["state"], beside["files"]) == ("done", 1)


def test_what_cannot_be(shelf: Shelf, capsys: pytest.CaptureFixture[str]) -> None:
    shelf.copies.mkdir()
    assert ask(capsys, "restore", "collab", "x", code=2)["error"]["code"] == "no-such-copy"
    shelf.copy()
    for words, code in (
        (("restore", "collab", "../x"), "bad-path"),
        (("restore", "collab", "/etc/passwd"), "bad-path"),
        (("restore", "none", "x"), "no-such-area"),
        (("restore", "collab", "none"), "no-such-path"),
        (("restore", "collab", "notes.txt", "--copy", "../collab"), "no-such-copy"),
        (("backups", "show", "collab", "none"), "no-such-path"),
        (("backups", "make", str(shelf.path), "--to", str(shelf.path / "x")), "bad-folder"),
        (("backups", "make", str(shelf.path), "--to", "x", "--keep", "no"), "bad-rule"),
    ):
        assert ask(capsys, *words, code=2)["error"]["code"] == code, words
