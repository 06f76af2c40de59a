"""``--after``, ``--after-ok``, ``--notify`` and ``--secret`` as people type them, for real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def declared(program: Any) -> Path:
    """A token that the person's settings declare."""
    token = Path(program.home) / "token"
    token.write_text("tOkEn-of-the-terminal-0123\n")
    config = Path(program.env["JUPYTER_CONFIG_DIR"])
    config.mkdir(exist_ok=True)
    secrets = {"iam": {"kind": "token", "file": str(token)}}
    with (config / "jupyter_mlinfn_config.py").open("a") as file:
        file.write(f"\nc.Mlinfn.secrets = {secrets!r}\n")
    return token


def test_jobs_after_jobs_by_the_first_letters_of_their_ids(
    program: Any, make_notebook: Any
) -> None:
    go = Path(program.home) / "go"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go)!r}).exists(): time.sleep(0.1)"
    fails = make_notebook("a.ipynb", [waits, "1 / 0"])
    first = program.run("submit", str(fails), "--json").json
    other = make_notebook("b.ipynb", ["print('b')"])
    never = program.run("submit", str(other), "--after-ok", first["id"][:6], "--json").json
    assert never["after_ok"] == [first["id"]]
    then = program.start("submit", str(other), "--after", first["id"][:6], "--wait", "--json")
    while len(program.run("jobs", "--json").json["jobs"]) < 3:
        assert then.poll() is None
    go.touch()
    _, told = then.communicate(timeout=120)
    assert then.returncode == 0, told
    ended = program.run("job", "show", never["id"], "--json").json
    assert (ended["state"], ended["reason"]["code"]) == ("failed", "dependency-failed")
    again = program.run("submit", str(other), "--after-ok", first["id"])
    assert again.code == 2
    assert "would never start" in again.err
    assert "After success" in program.run("job", "show", never["id"]).out


def test_a_job_that_nobody_knows_is_bad_input(program: Any, make_notebook: Any) -> None:
    ended = program.run("submit", str(make_notebook("a.ipynb", ["1"])), "--after", "zzz")
    assert ended.code == 2
    assert "There is no job '" in ended.err


def test_notices_that_cannot_be_sent_are_told_before(program: Any, make_notebook: Any) -> None:
    words = ("--notify", "mail", "--notify", "http://10.0.0.1/", "--dry-run")
    ended = program.run("submit", str(make_notebook("a.ipynb", ["1"])), *words)
    assert ended.code == 2
    assert "No mail server is set up here" in ended.out
    assert "https addresses only" in ended.out


def test_a_secret_reaches_the_job_and_no_answer(
    program: Any, make_notebook: Any, declared: Path
) -> None:
    reads = "import os; print(len(open(os.environ['BEARER_TOKEN_FILE']).read()))"
    shows = "print(open(os.environ['BEARER_TOKEN_FILE']).read())"
    notebook = make_notebook("a.ipynb", [reads, shows])
    done = program.run("submit", str(notebook), "--secret", "iam", "--wait", "--json")
    assert done.code == 0, done.err
    value = declared.read_text().strip()
    log = program.run("job", "log", done.json["id"])
    shown = program.run("job", "show", done.json["id"])
    output = Path(done.json["output"]).read_text()
    assert f"{len(value) + 1}" in log.out
    assert "***" in log.out
    assert value not in done.out + done.err + log.out + shown.out + output
    assert "iam" in shown.out
