"""Which names a cell needs, judged without a kernel."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_mlinfn.magics import cells

CASES = {
    "x = 1\nx + 1": [],
    "x + 1\nx = 1": ["x"],
    "total = total + 1": ["total"],
    "total += 1": ["total"],
    "print(len(data), data, other)": ["data", "other"],
    "import numpy as np\nnp.ones(3)": [],
    "import os.path\nos.path.join('a')": [],
    "from a import b as c\nc; b": ["b"],
    "def f(a, b=default):\n    return a + b + later\nlater = 1": ["default"],
    "def f():\n    return later\nf()": ["later"],
    "def f():\n    global made\n    made = 1\ndef g():\n    return made": [],
    "f = lambda q, k=start: q + k + free": ["start", "free"],
    "[i * k for i in rows if i]; i": ["rows", "k", "i"],
    "{k: v for k, v in pairs}": ["pairs"],
    "for i in range(3):\n    print(i)": [],
    "with open(name) as stream:\n    stream.read()": ["name"],
    "try:\n    pass\nexcept OSError as error:\n    print(error)": [],
    "class A(Base):\n    x = 1\n    y = x\n    def m(self):\n        return self.x + z": [
        "Base",
        "z",
    ],
    "if (n := count) > 1:\n    n": ["count"],
    "match p:\n case [a, *b]:\n  a, b\n case {'k': v, **more}:\n  v, more": ["p"],
    "x: int\nx": ["x"],
    "a, (b, *c) = value\na, b, c": ["value"],
    "async def f():\n    await g()": ["g"],
    "await task": ["task"],
    "display(get_ipython(), Out, _)": [],
    "__name__": [],
    "from numpy import *\nones(3)": [],
    "get_ipython().run_line_magic('run', 'setup.py')\nready": [],
    "get_ipython().run_line_magic('timeit', 'x')\nready": ["ready"],
}


@pytest.mark.parametrize("source", CASES)
def test_names_a_cell_reads_before_it_defines_them(source: str) -> None:
    assert cells.missing_names(source, set()) == CASES[source]


def test_parameters_count_as_defined() -> None:
    words = ["submit", "-p", "a=1", "--parameter=b=x=2", "-pc=3", "--sweep", "d=1,2", "--cpus", "2"]
    assert cells.parameter_names(words) == {"a", "b", "c", "d"}
    assert cells.missing_names("a, b, c, d, e", cells.parameter_names(words)) == ["e"]


def test_a_syntax_error_is_said_with_its_line() -> None:
    with pytest.raises(cells.CellRefused, match="syntax error in line 2"):
        cells.missing_names("x = 1\nx = (", set())


def test_with_is_taken_out_of_the_words() -> None:
    words = ["submit", "--with", "a, b", "--gpus", "1", "--with=c"]
    assert cells.take_with(words) == (["submit", "--gpus", "1"], ["a", "b", "c"])


def shell(**names: Any) -> Any:
    return SimpleNamespace(user_ns=names, transform_cell=lambda cell: cell)


def test_missing_names_are_listed_with_the_offer() -> None:
    with pytest.raises(cells.CellRefused) as refused:
        cells.prepare(["submit", "--gpus", "1"], "f(data, os)", shell(data=[1], os=os))
    assert str(refused.value).splitlines()[1:] == [
        "  f  (not defined in this notebook either)",
        "  data  (list)",
        "  os  (module os)",
        "Take them along with:  %%mlinfn submit --with data,os --gpus 1",
        "What is defined nowhere has to be defined in the cell.",
    ]


def test_variables_travel_in_a_file_of_their_owner(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_mlinfn.magics.shim import mlinfn

    prepared = cells.prepare(
        ["submit", "--with", "a,path,b"],
        "result = a + b + [path.sep]",
        shell(a=[1], b=["two"], path=os.path),
    )
    assert prepared.kept is not None
    assert stat.S_IMODE(prepared.kept.stat().st_mode) == 0o600
    assert prepared.words == ["submit", "--cell", "-", "--input", str(prepared.kept)]
    monkeypatch.setitem(__import__("sys").modules, "mlinfn", mlinfn)
    found: dict[str, Any] = {}
    exec(prepared.text, found)
    assert found["result"] == [1, "two", "/"]
    assert (here / ".mlinfn" / ".gitignore").read_text() == "*\n"

    here.rename(here.with_name("copy"))
    monkeypatch.chdir(here.with_name("copy"))
    exec(prepared.text, found)
    here.with_name("copy").rename(here)
    prepared.discard()
    assert list(here.glob(".mlinfn/with-*")) == []


def test_what_the_job_could_not_load_is_refused_and_nothing_is_left(here: Path) -> None:

    def local() -> None: ...

    local.__module__ = "__main__"
    for value in (local, {"deep": local}, open(os.devnull)):  # noqa: SIM115
        with pytest.raises(cells.CellRefused, match="thing cannot be taken along"):
            cells.prepare(["submit", "--with", "thing"], "thing", shell(thing=value))
    assert list(here.glob(".mlinfn/with-*")) == []


def test_a_name_that_is_not_there_is_refused() -> None:
    with pytest.raises(cells.CellRefused, match="does not hold: ghost"):
        cells.prepare(["submit", "--with", "ghost"], "1", shell())


def test_too_much_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cells, "_MAX_KEPT", 1000)
    with pytest.raises(cells.CellRefused, match="larger than"):
        cells.prepare(["submit", "--with", "big"], "big", shell(big=b"x" * 2000))
    assert list(here.glob(".mlinfn/with-*")) == []
