"""From command lines to prefixes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_mlinfn.environments.programs import find_program
from jupyter_mlinfn.model.environments import KernelCommand
from tests.environments.making import program, write

Make = Callable[..., Path]


def kernel(*argv: str, language: str = "python", **env: str) -> KernelCommand:
    return KernelCommand(
        name="k", display_name="K", language=language, argv=argv, env=env, resource_dir="/res"
    )


@pytest.mark.parametrize("word", ["python", "python3", f"python3.{sys.version_info[1]}"])
def test_a_bare_python_is_the_servers_own(word: str) -> None:
    found = find_program(kernel(word, "-m", "ipykernel_launcher", PATH="/nowhere"))
    assert found.program == Path(sys.executable)
    assert found.prefix == Path(sys.prefix)
    assert found.problem is None


def test_a_bare_name_is_found_on_the_kernels_own_path(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v", "3.9.2")
    found = find_program(kernel("python3.9", PATH=f"{prefix}/bin:${{PATH}}"))
    assert (found.prefix, found.python) == (prefix, "3.9")


def test_a_venv_is_not_mistaken_for_the_python_it_was_made_with(
    tmp_path: Path, make_venv: Make
) -> None:
    prefix = make_venv(tmp_path / "v")
    base = program(tmp_path / "base" / "bin" / "python3.11")
    (prefix / "bin" / "python3.11").unlink()
    (prefix / "bin" / "python3.11").symlink_to(base)
    found = find_program(kernel(str(prefix / "bin" / "python")))
    assert (found.prefix, found.python) == (prefix, "3.11")


def test_a_link_from_elsewhere_leads_to_the_real_prefix(tmp_path: Path, make_conda: Make) -> None:
    prefix = make_conda(tmp_path / "c")
    link = tmp_path / "links" / "python"
    link.parent.mkdir()
    link.symlink_to(prefix / "bin" / "python3.12")
    found = find_program(kernel(str(link)))
    assert (found.prefix, found.python) == (prefix, "3.12")


def test_wrappers_are_looked_through(
    tmp_path: Path, make_conda: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "miniforge"
    conda = program(root / "bin" / "conda")
    prefix = make_conda(root / "envs" / "ml")
    python = str(prefix / "bin" / "python")
    monkeypatch.setenv("PATH", f"{conda.parent}:/usr/bin:/bin")
    launcher = ("-m", "ipykernel_launcher", "-f", "{connection_file}")
    for argv in (
        ("conda", "run", "-n", "ml", "--no-capture-output", "python", *launcher),
        ("conda", "run", "--live-stream", f"--prefix={prefix}", "python", *launcher),
        (str(conda), "run", "-p", str(prefix), "--cwd", "/tmp", "python", *launcher),
        ("/usr/bin/env", "-i", "A=1", "-u", "B", python, *launcher),
        ("env", "conda", "run", "-n", "ml", "python", *launcher),
        ("python", "-m", "nb_conda_kernels.runner", str(root), str(prefix), python, *launcher),
    ):
        found = find_program(kernel(*argv))
        assert found.problem is None, argv
        assert (found.prefix, found.python) == (prefix, "3.12"), argv


def test_a_missing_program_is_a_problem_in_words(
    tmp_path: Path, make_conda: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    conda = program(tmp_path / "base" / "bin" / "conda")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for argv, missing in (
        (("/gone/bin/python", "-m", "ipykernel"), "/gone/bin/python"),
        (("no-such-program",), "no-such-program"),
        ((str(conda), "run", "-n", "gone", "python"), f"{tmp_path}/base/envs/gone/bin/python"),
        (("env", "A=1", "/gone/python"), "/gone/python"),
    ):
        assert find_program(kernel(*argv)).problem == f"Its program {missing} is not there."
    assert "argv is empty" in str(find_program(kernel()).problem)


def test_what_cannot_be_known_is_not_guessed(tmp_path: Path) -> None:
    script = program(tmp_path / "start-kernel.sh")
    for argv in ((str(script), "{connection_file}"), ("/bin/sh", "-c", "exec python"), ("sh", "x")):
        found = find_program(kernel(*argv))
        assert (found.prefix, found.problem) == (None, None)


def test_another_language_has_a_prefix_only_in_conda(tmp_path: Path, make_conda: Make) -> None:
    alone = program(tmp_path / "usr" / "bin" / "R")
    assert find_program(kernel(str(alone), language="r")).prefix is None
    prefix = make_conda(tmp_path / "c")
    found = find_program(kernel(str(program(prefix / "bin" / "R")), language="r"))
    assert found.prefix == prefix


def test_templates_and_the_kernels_own_path_are_filled(tmp_path: Path, make_venv: Make) -> None:
    prefix = make_venv(tmp_path / "v")
    write(tmp_path / "extra" / "x.py")
    command = KernelCommand(
        name="k",
        display_name="K",
        language="python",
        argv=("{resource_dir}/bin/python",),
        env={"PYTHONPATH": f"{tmp_path}/extra:"},
        resource_dir=str(prefix),
    )
    found = find_program(command)
    assert found.prefix == prefix
    assert found.path == (tmp_path / "extra",)
