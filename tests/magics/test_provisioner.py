"""Which command lines get the magics, and that all others stay as they are."""

from __future__ import annotations

import ast
import sys

import pytest

from jupyter_mlinfn.magics import (
    own_program,
    shim_folder,
    start_code,
    with_magics,
    without_history,
)

FILE = ("-f", "/run/kernel-1.json")

KERNELS = [
    ["/venv/bin/python", "-m", "ipykernel_launcher", *FILE],
    ["/venv/bin/python", "-Xfrozen_modules=off", "-m", "ipykernel_launcher", *FILE],
    ["python3", "-m", "ipykernel", *FILE, "--matplotlib=inline"],
    ["conda", "run", "-n", "ml", "--no-capture-output", "python", "-m", "ipykernel", *FILE],
    ["/usr/bin/env", "A=1", "python", "-m", "ipykernel_launcher", *FILE],
    ["python", "-m", "nb_conda_kernels.runner", "/c", "/c/e", "/c/e/bin/python", "-m",
     "ipykernel_launcher", *FILE],
]  # fmt: skip

OTHERS = [
    ["/usr/bin/R", "--slave", "-e", "IRkernel::main()", "--args", "/run/kernel-1.json"],
    ["/usr/bin/python3", "-m", "bash_kernel", *FILE],
    ["/opt/julia", "-i", "kernel.jl", "/run/kernel-1.json"],
    ["/usr/bin/python3", "-m", "JupyROOT.kernel.rootkernel", *FILE],
    ["/usr/bin/python3", "/opt/ipykernel_launcher.py", *FILE],
    ["xpython", *FILE],
    ["-m"],
    [],
]


@pytest.mark.parametrize("command", KERNELS, ids=" ".join)
def test_ipython_kernels_get_one_word_more(command: list[str]) -> None:
    added = with_magics(command, "an-id")
    assert added[:-1] == command
    assert added[-1] == "--IPKernelApp.code_to_run=" + start_code("an-id")


@pytest.mark.parametrize("command", OTHERS, ids=" ".join)
def test_other_kernels_stay_as_they_are(command: list[str]) -> None:
    assert with_magics(command, "an-id") == command
    assert without_history(command) == command


@pytest.mark.parametrize("command", KERNELS, ids=" ".join)
def test_a_job_s_ipython_kernel_keeps_no_history_unless_its_line_says_so(
    command: list[str],
) -> None:
    assert without_history(command) == [*command, "--HistoryManager.enabled=False"]
    own = [*command, "--HistoryManager.hist_file=/scratch/history.sqlite"]
    assert without_history(own) == own


@pytest.mark.parametrize("own", [["-c", "x = 1"], ["--IPKernelApp.code_to_run=x = 1"], ["--c=x"]])
def test_code_that_a_kernel_runs_already_is_kept(own: list[str]) -> None:
    command = [*KERNELS[0], *own]
    assert with_magics(command, "an-id") == command


def test_the_code_is_one_line_and_keeps_odd_paths_whole() -> None:
    code = start_code('it\'s "odd"\n{x}')
    assert "\n" not in code
    call = ast.parse(code).body[0].value  # type: ignore[attr-defined]
    inner = ast.parse(ast.literal_eval(call.args[0]))
    assert 'it\'s "odd"\n{x}' in {
        node.value for node in ast.walk(inner) if isinstance(node, ast.Constant)
    }


def test_the_program_is_ours_by_absolute_path() -> None:
    program = own_program()
    assert program[0] == sys.executable
    assert program[1] in {"-I", "-E"}
    assert program[-2:] == ("-m", "jupyter_mlinfn.cli")


def test_the_folder_on_the_path_offers_one_module_only() -> None:
    names = {path.name for path in shim_folder().iterdir()} - {"__pycache__"}
    assert names == {"mlinfn.py"}


def test_a_code_that_finds_no_folder_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    code = start_code("an-id").replace(str(shim_folder()), "/not/here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    exec(code)
    assert sys.path[-1] == "/not/here"
    assert "mlinfn" not in sys.modules
