"""Programs with a deadline and caps."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.model.errors import PartMissing, Unavailable
from jupyter_mlinfn.process import tree
from jupyter_mlinfn.process.run import run


def test_streams_code_and_input() -> None:
    done = run(["sh", "-c", "cat; echo told >&2; exit 3"], deadline=20, stdin=b"x" * 300_000)
    assert (done.returncode, len(done.stdout), done.stderr) == (3, 300_000, b"told\n")
    assert not done.truncated


def test_words_stay_words() -> None:
    words = ["$(id)", "; id", "--wrap=id", "a b", "`id`", "\n"]
    program = "import sys, json; print(json.dumps(sys.argv[1:]))"
    import json

    assert json.loads(run([sys.executable, "-c", program, *words], deadline=20).text) == words


def test_output_beyond_the_cap_is_read_and_dropped() -> None:
    done = run(["sh", "-c", "yes | head -c 5000000; echo end >&2"], deadline=20, max_output=1000)
    assert (len(done.stdout), done.truncated, done.returncode) == (1000, True, 0)
    assert done.stderr == b"end\n"


def test_at_the_deadline_the_whole_group_is_ended(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    script = f"sleep 1000 & echo $! > {file}; sleep 1000"
    with pytest.raises(Unavailable) as silent:
        run(["sh", "-c", script], deadline=0.5)
    assert silent.value.code == "program-silent"
    child = int(file.read_text())
    until = time.monotonic() + 5
    while child in tree.living() and time.monotonic() < until:
        time.sleep(0.01)
    assert child not in tree.living()


def test_a_program_that_ignores_its_input_is_no_trouble() -> None:
    assert run(["true"], deadline=20, stdin=b"x" * 10_000_000).returncode == 0


@pytest.mark.parametrize("program", ["/no/such/program", "no-such-program"])
def test_a_missing_program_is_named(program: str) -> None:
    with pytest.raises(PartMissing) as missing:
        run([program, "--token", "hush"], deadline=5)
    assert program in missing.value.text
    assert "hush" not in missing.value.text


def test_folder_and_environment(tmp_path: Path) -> None:
    done = run(
        ["sh", "-c", "pwd; echo $ONLY; echo $HOME"], deadline=20, cwd=tmp_path, env={"ONLY": "1"}
    )
    assert done.text.split("\n")[:3] == [str(tmp_path), "1", ""]
    assert os.environ.get("ONLY") is None
