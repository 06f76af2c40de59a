"""The program at a real terminal: a pseudo-terminal played by pexpect."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.terminals import at_terminal, end_of

pytestmark = pytest.mark.slow

__all__ = ["at_terminal"]  # a fixture


def test_waiting_shows_progress_and_leaves_only_the_end(
    program, make_notebook, at_terminal
) -> None:
    path = make_notebook("slow.ipynb", ["import time; time.sleep(2)", "print('done')"])
    child = at_terminal("submit", str(path), "--wait")
    child.expect("Submitted slow as job")
    child.expect("running")
    child.expect("succeeded after")
    code, _ = end_of(child)
    assert code == 0


def test_json_at_a_terminal_has_progress_on_standard_error_alone(
    program, notebook: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.json"
    words = f"'{sys.executable}' -I -m jupyter_mlinfn.cli submit '{notebook}' --wait --json"
    child = pexpect.spawn(
        "/bin/sh", ["-c", f"{words} > '{out}'"], env=program.env, encoding="utf-8", timeout=60
    )
    assert end_of(child)[0] == 0
    assert json.loads(out.read_text())["state"] == "succeeded"


def test_delete_asks_and_takes_no_for_an_answer(program, notebook: Path, at_terminal) -> None:
    job = program.run("submit", str(notebook), "--wait", "--json").json["id"]
    child = at_terminal("job", "delete", job)
    child.expect("Its output stays")
    child.sendline("n")
    code, said = end_of(child)
    assert code == 1
    assert "Nothing was removed." in said
    assert program.run("job", "show", job, "--json").code == 0
    child = at_terminal("job", "delete", job)
    child.expect("Its output stays")
    child.sendline("y")
    assert end_of(child)[0] == 0
    assert program.run("job", "show", job, "--json").code == 2


def test_ids_are_whole_on_a_narrow_terminal(program, notebook: Path, at_terminal) -> None:
    job = program.run("submit", str(notebook), "--wait", "--json").json["id"]
    _, said = end_of(at_terminal("jobs", columns=80))
    assert job in said
    assert "succeeded" in said
    lines = re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", said).splitlines()
    assert all(len(line) <= 80 for line in lines)


def test_a_log_at_a_terminal_cannot_command_it(program, notebook: Path, at_terminal) -> None:
    job = program.run("submit", str(notebook), "--wait", "--json").json["id"]
    attempt = program.home / "data" / "mlinfn" / "jobs" / job / "attempts" / "1"
    (attempt / "log.txt").write_bytes(b"\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[0m end\n")
    _, said = end_of(at_terminal("job", "log", job))
    assert "\x1b[31mred\x1b[0m end" in said
    assert "\x1b[2J" not in said
    assert "title" not in said
    assert "\x1b[2J" in program.run("job", "log", job).out
