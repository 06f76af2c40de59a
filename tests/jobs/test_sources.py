"""Notebooks and scripts as they come: read once, checked for what running them needs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_mlinfn.jobs import sources
from jupyter_mlinfn.jobs.sources import check_path, parse_notebook, read_source
from jupyter_mlinfn.model.errors import InputError, NotFound
from tests.jobs.workplace import code, write_notebook


def test_the_bytes_are_those_of_the_file(work: Path) -> None:
    path = write_notebook(work / "n.ipynb", code("x = 1"), kernel="ir")
    source = read_source(path)
    assert source.content == path.read_bytes()
    assert (source.kind, source.kernel, source.language) == ("notebook", "ir", "r")
    assert source.texts == ("x = 1",)
    assert source.mtime == path.stat().st_mtime


def test_format_3_is_upgraded_and_said(work: Path) -> None:
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "input": "print(1)",
                        "language": "python",
                        "metadata": {},
                        "outputs": [],
                    }
                ],
                "metadata": {},
            }
        ],
    }
    path = work / "old.ipynb"
    path.write_text(json.dumps(old), encoding="utf-8")
    source = read_source(path)
    assert source.texts == ("print(1)",)
    assert "format 3" in source.notes[0]
    nbformat.validate(nbformat.reads(source.content.decode(), as_version=4))


GOOD: dict[str, Any] = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "not JSON",
        "[" * 100_000,
        json.dumps({**GOOD, "nbformat": 2}),
        json.dumps({**GOOD, "nbformat": 5}),
        json.dumps({**GOOD, "nbformat": "4"}),
        json.dumps({**GOOD, "nbformat": 3}),
        json.dumps({**GOOD, "metadata": None}),
        json.dumps({**GOOD, "metadata": {"language_info": "python"}}),
        json.dumps({**GOOD, "cells": {}}),
        json.dumps({**GOOD, "cells": ["x"]}),
        json.dumps({**GOOD, "cells": [{"cell_type": "heading", "source": "", "metadata": {}}]}),
        json.dumps({**GOOD, "cells": [{"cell_type": "code", "source": [1], "metadata": {}}]}),
        json.dumps({**GOOD, "cells": [{"cell_type": "code", "source": "x"}]}),
        json.dumps({**GOOD, "cells": [{**code("x"), "metadata": {"tags": "parameters"}}]}),
    ],
)
def test_what_cannot_run_is_refused_with_a_sentence(document: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_notebook(document.encode(), "n.ipynb")
    assert caught.value.code == "bad-notebook"
    assert caught.value.field == "source"
    assert "Open it in JupyterLab" in caught.value.text


def test_strange_metadata_are_no_kernel(work: Path) -> None:
    path = work / "n.ipynb"
    for spec in ([], "python3", {"name": 5}, {"name": ""}, {"language": []}):
        path.write_text(json.dumps({**GOOD, "metadata": {"kernelspec": spec}}), encoding="utf-8")
        assert (read_source(path).kernel, read_source(path).language) == (None, None)


def test_what_is_no_file(work: Path) -> None:
    (work / "folder.ipynb").mkdir()
    os.mkfifo(work / "pipe.ipynb")
    (work / "link.ipynb").symlink_to("nowhere")
    (work / "text.txt").touch()
    for name in ("folder.ipynb", "pipe.ipynb", "text.txt", "x" * 300 + ".ipynb"):
        with pytest.raises(InputError):
            read_source(work / name)
    for name in ("link.ipynb", "none.ipynb", "text.txt/n.ipynb"):
        with pytest.raises(NotFound):
            read_source(work / name)


def test_a_large_notebook_is_refused(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_SOURCE", 100)
    path = work / "n.ipynb"
    path.write_bytes(b" " * 101)
    with pytest.raises(InputError, match="Clear its outputs"):
        read_source(path)


@pytest.mark.parametrize(
    "text", ["relative.ipynb", "/a\nb", "/a\0b", "/a\x1b[2Jb", "/a\udcffb", ""]
)
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(InputError) as caught:
        check_path(text, "inputs.3")
    assert caught.value.field == "inputs.3"
    caught.value.text.encode("utf-8")


def test_paths_in_any_script() -> None:
    assert check_path("/home/Größe/数据/x y.ipynb").name == "x y.ipynb"
    assert check_path("/a/b/../c") == Path("/a/c")
