"""The magics in real kernels, as a server with our provisioner starts them."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from jupyter_mlinfn.magics import shim_folder

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from tests.magics.conftest import Kernel, Ran

    Start = Callable[..., Kernel]

IPYKERNEL = ("-m", "ipykernel_launcher", "-f", "{connection_file}")

STAND_IN = """\
import json, os, sys, time
if "hang" in sys.argv:
    print("started", os.getpid(), flush=True)
    time.sleep(600)
print(json.dumps({"argv": sys.argv[1:], "cwd": os.getcwd(), "environ": dict(os.environ),
                  "stdin": sys.stdin.read()}))
print("for people ü", file=sys.stderr)
sys.exit(3 if "fail" in sys.argv else 0)
"""


def call_of(ran: Ran) -> dict[str, Any]:
    """What the stand-in was called with; its words for people stand before or after."""
    return json.loads(next(line for line in ran.out.splitlines() if line.startswith("{")))


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """Code for a kernel that puts a program which reports its call in the place of mlinfn."""
    file = tmp_path / "stand_in.py"
    file.write_text(STAND_IN)
    return f"import mlinfn; mlinfn.start('the-kernel', {sys.executable!r}, '-I', {str(file)!r})"


def test_the_program_runs_in_a_kernel_without_this_package(plain_kernel: Kernel) -> None:
    assert plain_kernel.run("import jupyter_mlinfn").error
    ran = plain_kernel.run("%mlinfn --version")
    assert not ran.error
    assert ran.out.startswith("mlinfn ")


def test_nothing_is_left_in_the_namespace_nor_in_the_environment(plain_kernel: Kernel) -> None:
    ran = plain_kernel.run(
        "import os, sys; print(sorted(n for n in dir() if not n.startswith('_')),"
        " 'PYTHONPATH' in os.environ, sys.path[-1].endswith('magics/shim'))"
    )
    names = ran.out.replace("'open', ", "")  # IPython 8 and newer have an ``open`` of their own
    assert names == "['In', 'Out', 'exit', 'get_ipython', 'os', 'quit', 'sys'] False True\n"


def test_load_ext_works_again_and_again(plain_kernel: Kernel) -> None:
    assert not plain_kernel.run("%load_ext mlinfn").error
    assert not plain_kernel.run("%reload_ext mlinfn").error
    assert "mlinfn " in plain_kernel.run("%mlinfn --version").out


def test_the_call_is_clean_of_what_belongs_to_the_kernels_python(
    start_kernel: Start, plain_python: Path, stand_in: str, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    (broken / "pydantic").mkdir(parents=True)
    (broken / "pydantic" / "__init__.py").write_text("raise RuntimeError('broken pydantic')")
    env = {"PYTHONPATH": str(broken), "LD_LIBRARY_PATH": "/nowhere", "CONDA_PREFIX": "/conda"}
    kernel = start_kernel((str(plain_python), *IPYKERNEL), env)
    assert "broken pydantic" in kernel.run("import pydantic").error
    assert "mlinfn " in kernel.run("%mlinfn --version").out
    assert not kernel.run("%mlinfn env list --json").error

    kernel.run(stand_in)
    environ = call_of(kernel.run("%mlinfn gpus"))["environ"]
    assert not {"PYTHONPATH", "LD_LIBRARY_PATH", "CONDA_PREFIX", "VIRTUAL_ENV"} & set(environ)
    assert environ["HOME"] == os.environ["HOME"]


def test_words_streams_folder_and_kernel_reach_the_program(
    plain_kernel: Kernel, stand_in: str, tmp_path: Path
) -> None:
    plain_kernel.run(stand_in + "\nrate = 0.5")
    ran = plain_kernel.run("%mlinfn submit -p 'a b=c d' -p rate=$rate -- --odd")
    call = call_of(ran)
    assert call["argv"] == [
        "submit", "--from-kernel", "the-kernel", "-p", "a b=c d", "-p", "rate=0.5", "--", "--odd",
    ]  # fmt: skip
    assert call["cwd"] == str(tmp_path / "notebooks")
    assert call["stdin"] == ""
    assert "for people ü" in ran.out.splitlines()
    assert not ran.err  # painted red by notebooks
    assert plain_kernel.run("%mlinfn submit --json").err == "for people ü\n"
    assert call_of(plain_kernel.run("%mlinfn jobs"))["argv"] == ["jobs"]


def test_the_kernel_id_is_the_servers(start_kernel: Start, plain_python: Path) -> None:
    kernel = start_kernel((str(plain_python), *IPYKERNEL))
    known = kernel.run("import mlinfn; print(mlinfn._session.kernel_id)").out.strip()
    assert known == kernel.manager.provisioner.kernel_id
    assert known


def test_a_failure_stops_the_cell_without_a_traceback(plain_kernel: Kernel, stand_in: str) -> None:
    plain_kernel.run(stand_in)
    ran = plain_kernel.run("%mlinfn fail\nprint('went on')")
    assert ran.error == "mlinfn fail ended with exit code 3."
    assert "went on" not in ran.out


def test_a_quote_left_open_is_said_in_words(plain_kernel: Kernel) -> None:
    assert "a quote is opened and not closed" in plain_kernel.run("%mlinfn submit 'a").error


def test_interrupt_ends_the_program(plain_kernel: Kernel, stand_in: str) -> None:
    plain_kernel.run(stand_in)
    timer = threading.Timer(1.5, plain_kernel.manager.interrupt_kernel)
    timer.start()
    ran = plain_kernel.run("%mlinfn hang")
    timer.join()
    assert "KeyboardInterrupt" in ran.error
    program = int(ran.out.split()[1])
    until = time.monotonic() + 10
    while psutil.pid_exists(program) and time.monotonic() < until:
        time.sleep(0.05)
    assert not psutil.pid_exists(program)
    assert plain_kernel.run("print('alive')").out == "alive\n"


def test_inside_a_job_nothing_is_submitted(
    start_kernel: Start, plain_python: Path, stand_in: str
) -> None:
    kernel = start_kernel((str(plain_python), *IPYKERNEL), {"MLINFN_JOB": "aaaaaaaaaa"})
    kernel.run(stand_in)
    for code in ("%mlinfn submit", "%%mlinfn submit\n1 + nothing_of_this"):
        ran = kernel.run(code)
        assert not ran.error
        assert ran.out.startswith("mlinfn submit: skipped inside a job.")
    nested = call_of(kernel.run("%mlinfn submit --nested"))["argv"]
    assert nested == ["submit", "--from-kernel", "the-kernel", "--nested"]


def test_exec_lines_of_the_persons_own_configuration_still_run(
    start_kernel: Start, plain_python: Path
) -> None:
    profile = Path(os.environ["IPYTHONDIR"]) / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(
        "c.InteractiveShellApp.exec_lines = ['from_config = 1']"
    )
    kernel = start_kernel((str(plain_python), *IPYKERNEL))
    assert kernel.run("print(from_config)").out == "1\n"
    assert "mlinfn " in kernel.run("%mlinfn --version").out


def test_exec_lines_of_the_kernel_spec_still_run(start_kernel: Start, plain_python: Path) -> None:
    kernel = start_kernel((str(plain_python), *IPYKERNEL, "--IPKernelApp.exec_lines=from_spec = 2"))
    assert kernel.run("print(from_spec)").out == "2\n"
    assert "mlinfn " in kernel.run("%mlinfn --version").out


def test_a_persons_own_module_of_that_name_is_left_alone(
    start_kernel: Start, plain_python: Path, tmp_path: Path
) -> None:
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "mlinfn.py").write_text("print('run by accident'); mine = 1")
    kernel = start_kernel((str(plain_python), *IPYKERNEL))
    ran = kernel.run("import mlinfn; print(mlinfn.mine)")
    assert ran.out == "run by accident\n1\n"


def test_a_kernel_that_already_runs_code_keeps_it(start_kernel: Start, plain_python: Path) -> None:
    kernel = start_kernel((str(plain_python), *IPYKERNEL, "-c", "own = 3"))
    assert kernel.run("print(own)").out == "3\n"


def test_a_restarted_kernel_has_the_magics(plain_kernel: Kernel) -> None:
    plain_kernel.manager.restart_kernel()
    plain_kernel.client.wait_for_ready(timeout=60)
    assert "mlinfn " in plain_kernel.run("%mlinfn --version").out


def test_the_module_ipykernel_starts_with_the_magics_too(
    start_kernel: Start, plain_python: Path
) -> None:
    kernel = start_kernel((str(plain_python), "-m", "ipykernel", "-f", "{connection_file}"))
    assert "mlinfn " in kernel.run("%mlinfn --version").out


def test_a_kernel_that_is_not_ipythons_starts_as_it_would_without_us(
    start_kernel: Start, tmp_path: Path
) -> None:
    """A stand-in for bash, R and the like: it writes down how it was started."""
    report = tmp_path / "report.json"
    code = (
        "import json, os, sys, time\n"
        f"with open({str(report)!r} + '.part', 'w') as f:\n"
        "    json.dump({'argv': sys.argv[1:], 'environ': dict(os.environ)}, f)\n"
        f"os.rename({str(report)!r} + '.part', {str(report)!r})\n"
        "time.sleep(60)"
    )
    argv = (sys.executable, "-c", code, "{connection_file}", "--plain", "{odd}")
    start_kernel(argv, {"OWN": "1"}, ready=False, language="bash")
    until = time.monotonic() + 20
    while not report.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    started = json.loads(report.read_text())
    assert started["argv"][1:] == ["--plain", "{odd}"]
    added = {name for name in started["environ"] if name not in os.environ}
    assert added <= {"OWN", "JPY_PARENT_PID", "LC_CTYPE"}


def test_a_cell_alone_is_submitted_by_its_source(plain_kernel: Kernel, stand_in: str) -> None:
    plain_kernel.run(stand_in)
    ran = plain_kernel.run("%%mlinfn submit -p a=1 --gpus 1\nprint(a, 'ü')")
    call = call_of(ran)
    assert call["argv"] == [
        "submit", "--from-kernel", "the-kernel", "-p", "a=1", "--gpus", "1", "--cell", "-",
    ]  # fmt: skip
    assert call["stdin"] == "print(a, 'ü')\n"


def test_a_cell_that_needs_more_is_refused_with_an_offer(
    plain_kernel: Kernel, stand_in: str
) -> None:
    plain_kernel.run(stand_in + "\nimport math\nrows = [1, 2]\ndef own(): ...")
    ran = plain_kernel.run("%%mlinfn submit\nprint(math.pi, rows, own(), ghost)\n!ls")
    assert ran.out == ""
    assert ran.error.splitlines() == [
        "The cell uses names that it does not define, and a job starts empty:",
        "  math  (module math)",
        "  rows  (list)",
        "  own  (function)",
        "  ghost  (not defined in this notebook either)",
        "Take them along with:  %%mlinfn submit --with math,rows,own",
        "What is defined nowhere has to be defined in the cell.",
        "Nothing was submitted.",
    ]
    refused = plain_kernel.run("%%mlinfn submit --with own\nown()").error
    assert "own cannot be taken along: own is defined in this notebook." in refused


def test_variables_taken_along_are_there_in_the_job(
    plain_kernel: Kernel, stand_in: str, tmp_path: Path
) -> None:
    plain_kernel.run(stand_in + "\nimport math\nrows = [1, 2]")
    ran = plain_kernel.run("%%mlinfn submit --with math,rows\nprint(math.floor(2.5), rows)")
    call = call_of(ran)
    kept = Path(call["argv"][-1])
    assert kept.parent == tmp_path / "notebooks" / ".mlinfn"
    plain_kernel.run("%reset -f")
    assert plain_kernel.run(call["stdin"]).out == "2 [1, 2]\n"

    plain_kernel.run(stand_in + "\nrows = 1")
    assert plain_kernel.run("%%mlinfn submit fail --with rows\nrows").error
    assert list(kept.parent.glob("with-*")) == [kept]


def test_only_submit_takes_a_cell(plain_kernel: Kernel) -> None:
    assert "Only submit takes a cell" in plain_kernel.run("%%mlinfn jobs\n1").error
    assert "syntax error in line 1" in plain_kernel.run("%%mlinfn submit\nx = (").error


def test_a_program_that_was_removed_is_said_in_words(plain_kernel: Kernel) -> None:
    plain_kernel.run("import mlinfn; mlinfn.start('id', '/gone/bin/python', '-I')")
    assert "is not there any more (/gone/bin/python)" in plain_kernel.run("%mlinfn jobs").error


def test_without_our_starter_the_program_on_the_path_is_used(
    start_kernel: Start, plain_python: Path, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "mlinfn"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nprint('found', sys.argv[1:])\n")
    program.chmod(0o755)
    env = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    spec = {"metadata": {"kernel_provisioner": {"provisioner_name": "local-provisioner"}}}
    kernel = start_kernel((str(plain_python), *IPYKERNEL), env, **spec)
    assert "not found" in kernel.run("%mlinfn jobs").err
    kernel.run(f"import sys; sys.path.append({str(shim_folder())!r})\n%load_ext mlinfn")
    assert kernel.run("%mlinfn submit a.ipynb").out == "found ['submit', 'a.ipynb']\n"
    program.unlink()
    assert "was not found" in kernel.run("%mlinfn submit a.ipynb").error
