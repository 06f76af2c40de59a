"""What the program says before any job is involved: help, usage, input, errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.cli.main import VERBS, wants_json

pytestmark = pytest.mark.slow

LATE = {"pydantic", "rich", "sqlalchemy", "nbformat", "traitlets", "jupyter_core", "psutil"}


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["submit", "--help"],
        ["job", "--help"],
        ["job", "rerun", "--help"],
        ["env", "--help"],
        ["env", "create", "--help"],
        ["env", "gc", "--help"],
    ],
)
def test_help_imports_click_alone(words: list[str]) -> None:
    code = f"import sys; from jupyter_mlinfn.cli.main import main; main({words}); " + (
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0
    assert ended.stdout.startswith("Usage: mlinfn")
    assert not LATE & set(ended.stderr.split())


def test_help_names_every_verb_but_the_hidden_ones(program) -> None:
    said = program.run("--help").out
    for name, verb in VERBS.items():
        assert (f"\n  {name} " in said) is not verb.hidden


@pytest.mark.parametrize("words", [(name, "--help") for name in VERBS])
def test_every_verb_can_be_loaded(program, words: tuple[str, ...]) -> None:
    assert program.run(*words).code == 0


WRONG = {
    "unknown verb": (("sumbit",), 2, "usage"),
    "unknown option": (("jobs", "--colour"), 2, "usage"),
    "no notebook": (("submit",), 2, "usage"),
    "notebook that is not there": (("submit", "nothing.ipynb"), 2, "source-missing"),
    "parameter without value": (("submit", "fit.ipynb", "-p", "rate"), 2, "bad-parameter"),
    "parameter that is no name": (("submit", "fit.ipynb", "-p", "1x=2"), 2, "bad-parameter"),
    "parameter given twice": (("submit", "fit.ipynb", "-prate=1", "-prate=2"), 2, "bad-parameter"),
    "memory that is none": (("submit", "fit.ipynb", "--memory", "much"), 2, "bad-memory"),
    "memory beyond numbers": (("submit", "fit.ipynb", "--memory", "1e400G"), 2, "bad-memory"),
    "memory with a blank": (("submit", "fit.ipynb", "--memory", "16Gi "), 2, "bad-memory"),
    "full-width digit": (("submit", "fit.ipynb", "--cpus", "１"), 2, "bad-number"),
    "no CPU": (("submit", "fit.ipynb", "--cpus", "0"), 2, "bad-number"),
    "negative CPUs": (("submit", "fit.ipynb", "--cpus=-1"), 2, "bad-number"),
    "too many GPUs": (("submit", "fit.ipynb", "--gpus", "65"), 2, "bad-number"),
    "endless time": (("submit", "fit.ipynb", "--time", "99999-00:00:00"), 2, "bad-time"),
    "long name": (("submit", "fit.ipynb", "--name", "n" * 300), 2, "bad-input"),
    "unknown state": (("jobs", "--state", "done"), 2, "usage"),
    "page of nothing": (("jobs", "--limit", "-1"), 2, "bad-number"),
    "page without end": (("jobs", "--limit", "1000000000"), 2, "bad-number"),
    "watching in JSON": (("gpus", "--watch"), 2, "usage"),
}


@pytest.mark.parametrize(("words", "code", "error"), WRONG.values(), ids=WRONG)
def test_wrong_use_says_so_in_both_languages(
    program, notebook: Path, words: tuple[str, ...], code: int, error: str
) -> None:
    ended = program.run(*words, "--json")
    assert ended.code == code
    assert ended.json["error"]["code"] == error
    assert ended.json["error"]["text"]
    assert ended.err
    assert "Traceback" not in ended.err
    assert not (program.home / "data" / "mlinfn" / "jobs").exists() or not list(
        (program.home / "data" / "mlinfn" / "jobs").iterdir()
    )


def test_people_are_told_on_standard_error_alone(program) -> None:
    ended = program.run("submit", "nothing.ipynb")
    assert ended.out == ""
    assert "There is no file" in ended.err
    assert "Give the path of a notebook" in ended.err


def test_all_wrong_parameters_are_named_at_once(program, notebook: Path) -> None:
    ended = program.run("submit", str(notebook), "-p", "1x=2", "-p", "y", "--json")
    assert len(ended.json["error"]["problems"]) == 2


def test_a_near_verb_is_offered(program) -> None:
    assert "Did you mean 'submit'?" in program.run("sumbit").err


def test_json_is_asked_for_only_before_the_two_dashes() -> None:
    assert wants_json(["jobs", "--json"])
    assert not wants_json(["submit", "--", "--json"])


def test_a_broken_configuration_is_named_and_nothing_else_happens(program) -> None:
    config = program.home / "config"
    config.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text("c.Mlinfn.job_cpus = 'many")
    ended = program.run("jobs", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad-configuration"
    assert "jupyter_mlinfn_config.py" in ended.err


def test_a_setting_of_the_wrong_kind_is_named(program) -> None:
    config = program.home / "config"
    config.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text("c.Mlinfn.job_cpus = 'many'")
    ended = program.run("jobs", "--json")
    assert ended.code == 2
    assert "job_cpus" in ended.err


def test_a_setting_that_is_no_amount_of_memory_is_named(program) -> None:
    config = program.home / "config"
    config.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text("c.Mlinfn.job_memory = 'lots'")
    ended = program.run("jobs", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (2, "bad-memory")
    assert "The setting job_memory: 'lots' is not an amount of memory." in ended.err


def test_a_data_folder_that_cannot_be_made_is_a_missing_part(program) -> None:
    (program.home / "data").write_text("a file where the folder should be")
    ended = program.run("jobs", "--json")
    assert ended.code == 3
    assert ended.json["error"]["code"] == "data-folder"


def test_a_reader_that_leaves_is_no_error_to_complain_of(program) -> None:
    process = program.start("doctor", "--json")
    assert process.stdout is not None
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
