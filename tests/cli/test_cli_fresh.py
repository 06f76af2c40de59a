"""A run in a prepared Python is a run in a fresh one: the same code, the same words."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Program

pytestmark = pytest.mark.slow

RUNS = (
    ("env", "show", "python3"),
    ("env", "create", "a/b", "python", "--yes"),
    ("env", "tasks", "--json"),
    ("submit", "no.ipynb", "--json"),
    ("jobs", "--json"),
    ("job", "show", "0123456789"),
    ("areas", "--jsn"),
    ("backups",),
    ("hub", "check", "no.toml"),
    ("jobz",),
)


@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_it_says_what_a_fresh_one_says(program: Program, words: tuple[str, ...]) -> None:
    fresh = program.run(*words, fresh=True)
    assert "Traceback" not in fresh.err
    assert program.run(*words) == fresh


def test_it_has_the_environment_and_the_folder_it_was_given(
    program: Program, notebook: Path
) -> None:
    words = ("submit", notebook.name, "--backend", "slurm", "--dry-run", "--json")
    given = {"env": {"MLINFN_BACKENDS": "local"}, "cwd": notebook.parent}
    fresh = program.run(*words, fresh=True, **given)
    assert "leave the back-end 'slurm' out" in fresh.out
    assert program.run(*words, **given) == fresh
