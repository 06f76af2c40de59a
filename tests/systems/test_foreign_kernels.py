"""Jobs and magics with real kernels of other languages: R and bash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from jupyter_mlinfn.model.jobs import JobRequest
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench
from tests.cli.conftest import end_everything_below
from tests.systems.desk import Desk, output, texts
from tests.systems.jupyter import Jupyter
from tests.systems.kernels import install_bash, install_r

# the first test installs what is missing
pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(900)]

PARAMETERS = """\
rate <- 1          # a double, as R reads it
n <- 5L
tag <- "none # yet"
flag <- TRUE
low = 0;
unseen <- 0
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    yield Desk(home)
    end_everything_below(home)


@pytest.fixture(scope="module")
def with_r(desk: Desk) -> Desk:
    install_r(desk.data)
    return desk


@pytest.fixture(scope="module")
def with_bash(desk: Desk) -> Desk:
    install_bash(desk.data)
    return desk


def test_parameters_reach_r_as_they_are(with_r: Desk) -> None:
    show = 'cat(sep = "|", rate, n, flag, low, is.nan(unseen)); writeLines(tag, "tag.txt")'
    place = 'cat(getwd(), Sys.getenv("MLINFN_PARAM_rate"))'
    notebook = with_r.notebook("fit", "ir", show, place, parameters=PARAMETERS)
    before = notebook.read_bytes()
    tag = 'it\'s "q" \\ $x `id` \u00e9\nline 2 \U0001f600'
    given = ("rate=0.5", "n=-3", f"tag={tag}", "flag=false", "low=-inf", "unseen=nan")
    record = with_r.job(notebook, *(word for one in given for word in ("-p", one)))
    assert record["state"] == "succeeded"
    said = texts(record)
    assert said[2] == "0.5|-3|FALSE|-Inf|TRUE"
    assert said[3] == f"{notebook.parent} 0.5"
    assert (notebook.parent / "tag.txt").read_text("utf-8") == tag + "\n"
    cells = output(record).cells
    assert cells[1].metadata.tags == ["injected-parameters"]
    assert cells[0].source == PARAMETERS
    assert output(record).metadata.language_info.name == "R"
    assert notebook.read_bytes() == before
    assert not record["environment"]["digest"]


def test_what_r_cannot_take_is_refused_before_it_starts(
    with_r: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = with_r.notebook("refused", "ir", "print(rate)", parameters=PARAMETERS)
    wrong = ("-p", "n=0.5", "-p", "flag=maybe", "-p", "rat=1")
    ended = with_r.words("submit", str(notebook), *wrong)
    assert ended.code == 2
    assert "n takes a whole number" in ended.err
    assert "flag takes True or False" in ended.err
    assert "Did you mean rate?" in ended.err
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(with_r.data))
    bench = Workbench(Mlinfn(data_dir=str(with_r.data / "mlinfn")))
    draft = bench.submission.draft(JobRequest(source=str(notebook), parameters={"tag": "a\0b"}))
    assert [(p.code, p.field) for p in draft.problems] == [("bad-parameter", "parameters.tag")]


def test_code_of_r_is_not_searched_for_modules_of_python(with_r: Desk) -> None:
    odd = "library(helper)\nimport helper\nx <- c(1, 2) %in% 1:3 # ' \"\n`a b` <- function(x) {x}"
    notebook = with_r.notebook("odd", "ir", odd, "%%bash\nimport helper")
    (notebook.parent / "helper.py").write_text("raise SystemExit")
    draft = with_r.words("submit", str(notebook), "--dry-run", "--json").json
    assert draft["ok"]
    assert draft["modules"] == []
    assert draft["environment"] == {"name": "ir", "digest": None}
    assert any("cannot be listed" in note for note in draft["notes"])


def test_an_error_in_r_is_the_reason(with_r: Desk) -> None:
    cells = ('cat("before")', 'fill <- function() stop("the \u00e9tank is empty")\nfill()', "1")
    record = with_r.job(with_r.notebook("stops", "ir", *cells), code=1)
    assert record["reason"]["code"] == "notebook-error"
    assert re.search(r"Cell 2 of 3 .*the \u00e9tank is empty$", record["reason"]["text"])
    assert texts(record)[0] == "before"
    error = output(record).cells[1].outputs[-1]
    assert (error.output_type, "the \u00e9tank is empty" in error.evalue) == ("error", True)
    assert "fill()" in with_r.words("job", "log", record["id"]).out
    shown = with_r.words("job", "show", record["id"]).out
    assert "ir  (its packages cannot be listed)" in shown


def test_an_r_that_dies_is_told_as_such(with_r: Desk) -> None:
    die = "tools::pskill(Sys.getpid(), tools::SIGKILL); Sys.sleep(60)"
    record = with_r.job(with_r.notebook("dies", "ir", 'cat("before")', die), code=1)
    assert record["reason"]["code"] == "kernel-died"
    assert "SIGKILL while cell 2 of 2 ran" in record["reason"]["text"]
    assert texts(record)[0] == "before"


@pytest.mark.parametrize(
    ("kernel", "cells"),
    [
        ("ir", ('file.create("up"); Sys.sleep(600)', 'file.create("after")')),
        ("bash", ("touch up; sleep 600", "touch after")),
    ],
)
def test_cancel_ends_the_kernel_and_runs_nothing_more(
    with_r: Desk, with_bash: Desk, kernel: str, cells: tuple[str, ...]
) -> None:
    notebook = with_r.notebook(f"long-{kernel}", kernel, *cells)
    record = with_r.cancel_when(notebook, (notebook.parent / "up").exists)
    assert (record["state"], record["reason"]["code"]) == ("cancelled", "cancelled-by-user")
    assert not (notebook.parent / "after").exists()
    assert with_r.kernels() == []


def test_an_r_that_goes_on_after_the_interrupt_is_cancelled_all_the_same(with_r: Desk) -> None:
    patient = 'tryCatch({file.create("up"); Sys.sleep(600)}, interrupt = function(e) cat("saved"))'
    notebook = with_r.notebook("patient", "ir", patient)
    record = with_r.cancel_when(notebook, (notebook.parent / "up").exists)
    assert record["state"] == "cancelled"
    assert texts(record) == ["saved"]


def test_bash_finds_parameters_in_its_environment(with_bash: Desk) -> None:
    show = 'printf "%s|" "$n" "$MLINFN_PARAM_n" "$MLINFN_PARAM_tag"; pwd'
    notebook = with_bash.notebook("shell", "bash", show, "ls /not/here", parameters="n=1")
    given = ("-p", "n=-3", "-p", 'tag=it\'s "q"')
    told = with_bash.words("submit", str(notebook), "--dry-run", *given).out
    assert "MLINFN_PARAM_<NAME>" in told
    record = with_bash.job(notebook, *given, code=1)
    assert texts(record)[1] == f'1|-3|"it\'s \\"q\\""|{notebook.parent}\n'
    assert record["reason"]["code"] == "notebook-error"
    assert record["reason"]["text"] == "Cell 3 of 3 ended with an error: 2"
    assert record["environment"]["digest"].startswith("sha256:")
    assert [cell.source for cell in output(record).cells] == ["n=1", show, "ls /not/here"]


def test_our_provisioner_changes_nothing_for_them(with_r: Desk, with_bash: Desk) -> None:
    plain = "--KernelProvisionerFactory.default_provisioner_name=local-provisioner"
    with ThreadPoolExecutor() as pool:
        theirs = pool.submit(look_at_kernels, with_r, "plain", plain)
        ours = look_at_kernels(with_r, "ours")
    assert [ours.pop("magics"), theirs.result().pop("magics")] == [True, False]
    assert ours == theirs.result()
    assert "IRkernel::main()" in ours["ir"]["words"]
    assert ours["bash"]["words"][1:3] == ["-m", "bash_kernel"]
    assert [ours[kernel]["said"] for kernel in ("ir", "bash")] == ["3", "3"]


def look_at_kernels(desk: Desk, name: str, *options: str) -> dict[str, Any]:
    """Kernels started by a server: command line and environment, without what always differs.

    ``magics`` says whether its Python kernels get ours: then our provisioner is at work.
    """
    code = {"ir": "cat(1 + 2)", "bash": "echo $((1 + 2))"}
    with Jupyter(desk.home / f"server-{name}", desk.data, *options) as server:
        python, *others = (server.start(kernel) for kernel in ("python3", *code))
        seen: dict[str, Any] = {}
        for kernel, started in zip(code, others, strict=True):
            said = server.ask_kernel(started, code[kernel]).strip()
            process = server.process_of(started)
            words, environ = process.cmdline(), process.environ()
            same = {"words": server.same(words, started), "environ": server.same(environ, started)}
            seen[kernel] = {**same, "said": said}
        last = server.process_of(python).cmdline()[-1]
        return {**seen, "magics": "code_to_run" in last}
