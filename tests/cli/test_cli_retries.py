"""``--retries`` and ``--retry-on``, by the real program."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Program, write_notebook

pytestmark = pytest.mark.slow

FAILS_TWICE = """
from pathlib import Path
count = Path("count.txt")
count.write_text(count.read_text() + "x" if count.exists() else "x")
assert len(count.read_text()) > 2, "not yet"
"""


def test_a_named_reason_is_tried_again_until_it_succeeds(program: Program) -> None:
    path = write_notebook(program.home / "flaky.ipynb", [FAILS_TWICE])
    words = ("--retries", "3", "--retry-on", "notebook-error", "--wait", "--json")
    ended = program.run("submit", str(path), *words)
    assert ended.code == 0, ended
    record = ended.json
    assert (record["state"], record["attempts"], record["evictions"]) == ("succeeded", 3, 0)
    assert (record["retries"], record["retry_on"]) == (3, ["notebook-error"])
    shown = program.run("job", "show", record["id"]).out
    assert "retry 2 of 3" in shown


def test_retries_alone_do_not_repeat_what_the_code_did(program: Program) -> None:
    path = write_notebook(program.home / "broken.ipynb", ["1 / 0"])
    ended = program.run("submit", str(path), "--retries", "3", "--wait", "--json")
    assert (ended.code, ended.json["attempts"]) == (1, 1), ended


def test_what_cannot_be_is_said_at_once(program: Program) -> None:
    path = write_notebook(program.home / "a.ipynb", ["1"])
    too_many = program.run("submit", str(path), "--retries", "21")
    assert too_many.code == 2
    unknown = program.run("submit", str(path), "--retry-on", "bad-luck")
    assert unknown.code == 2
