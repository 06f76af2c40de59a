"""The outputs of two runs: equal where they say the same, and the verdict in words."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder
from jupyter_mlinfn.jobs.exactness.node import present_node
from jupyter_mlinfn.jobs.exactness.notebooks import cells_of, content_hash
from jupyter_mlinfn.jobs.exactness.outputs import list_outputs, note_outputs, verdict
from jupyter_mlinfn.jobs.exactness.reading import read_node, read_outputs
from jupyter_mlinfn.model.exactness import Node, OutputFile, Verdict


def stream(text: str | list[str], name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def notebook(*outputs: dict[str, Any], source: str = "print(1)", at: str = "1") -> str:
    metadata = {"execution": {"iopub.execute_input": at}}
    cell = {"cell_type": "code", "execution_count": int(at), "metadata": metadata}
    cells = [{**cell, "source": source, "outputs": list(outputs)}]
    return json.dumps({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells})


def says(tmp_path: Path, text: str) -> str | None:
    path = tmp_path / "n.ipynb"
    path.write_text(text)
    return content_hash(path)


def test_times_counters_and_pieces_make_no_difference(tmp_path: Path) -> None:
    once = says(tmp_path, notebook(stream("a\nb\n"), at="1"))
    again = says(tmp_path, notebook(stream(["a\n"]), stream("b\n"), at="7"))
    assert once is not None
    assert once == again
    mixed = says(tmp_path, notebook(stream("a\n"), stream("!", "stderr"), stream("b\n")))
    other = says(tmp_path, notebook(stream("a\nb\n"), stream("!", "stderr")))
    assert mixed == other


def test_addresses_and_widgets_make_no_difference(tmp_path: Path) -> None:
    def shown(address: str, model: str) -> str:
        data = {
            "text/plain": f"<object at {address}>",
            "application/vnd.jupyter.widget-view+json": {"model_id": model},
        }
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        return notebook(output)

    assert says(tmp_path, shown("0x7f0a1b2c3d4e", "a")) == says(
        tmp_path, shown("0x7f0a1b2c0000", "b")
    )


@pytest.mark.parametrize(
    "other",
    [
        notebook(stream("a\nc\n")),
        notebook(stream("a\nb\n"), source="print(2)"),
        notebook({"output_type": "error", "ename": "E", "evalue": "x", "traceback": []}),
        notebook(stream("a\nb\n"), {"output_type": "display_data", "data": {"image/png": "QQ=="}}),
    ],
)
def test_what_it_says_makes_a_difference(tmp_path: Path, other: str) -> None:
    assert says(tmp_path, notebook(stream("a\nb\n"))) != says(tmp_path, other)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"cells": 3}', "[" * 100_000, '{"cells": [1]}'])
def test_what_is_no_notebook_does_not_hurt(tmp_path: Path, text: str) -> None:
    found = says(tmp_path, text)
    assert found is None or cells_of(json.loads(text)) == ()


def put(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def judge(first: Path, now: Path) -> dict[str, Any]:
    return verdict({"job": "aaaaaaaaaa", "files": list_outputs(first)}, list_outputs(now))


def test_the_verdict_names_what_differs(tmp_path: Path) -> None:
    first = put(tmp_path / "a", w_bin="1", m_json="2", x_csv="3", gone_txt="4")
    now = put(tmp_path / "b", w_bin="1", m_json="9", x_csv="3", new_txt="4")
    found = judge(first, now)
    assert found["same"] is False
    assert (found["equal"], found["different"]) == (["w.bin", "x.csv"], ["m.json"])
    assert (found["missing"], found["new"]) == (["gone.txt"], ["new.txt"])
    assert found["text"] == (
        "2 of 5 files are equal; m.json differs; gone.txt is missing; new.txt is new."
    )
    assert Verdict.model_validate(found).first == "aaaaaaaaaa"


def test_the_verdict_on_equal_outputs(tmp_path: Path) -> None:
    first = put(tmp_path / "a", w_bin="1", n_ipynb=notebook(stream("x"), at="1"))
    now = put(tmp_path / "b", w_bin="1", n_ipynb=notebook(stream("x"), at="2"))
    found = judge(first, now)
    assert (found["same"], found["text"]) == (True, "Same output: all 2 files are equal.")


def test_nothing_to_compare_with_is_no_verdict(tmp_path: Path) -> None:
    found = judge(put(tmp_path / "a"), put(tmp_path / "b", x_csv="1"))
    assert found["same"] is None
    assert "left no outputs" in found["text"]


def test_what_was_not_hashed_is_not_called_equal(tmp_path: Path) -> None:
    first, now = put(tmp_path / "a", w_bin="1"), put(tmp_path / "b", w_bin="2")
    found = verdict({"job": "a" * 10, "files": list_outputs(first, 0)}, list_outputs(now))
    assert found["same"] is None
    assert "too large to compare" in found["text"]


def test_links_are_not_followed(tmp_path: Path) -> None:
    folder = put(tmp_path / "a", w_bin="1")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "around").symlink_to(folder)
    assert [one["path"] for one in list_outputs(folder)] == ["w.bin"]


@pytest.fixture
def attempt(tmp_path: Path) -> AttemptFolder:
    path = tmp_path / "job" / "attempts" / "1"
    path.mkdir(parents=True)
    (tmp_path / "job" / "bundle").mkdir()
    return AttemptFolder(path)


def test_the_supervisors_notes_are_read_back(attempt: AttemptFolder, tmp_path: Path) -> None:
    target = put(tmp_path / "out", w_bin="1")
    first = {"job": "a" * 10, "files": list_outputs(target)}
    (attempt.bundle / "first-outputs.json").write_text(json.dumps(first))
    note_outputs(attempt, str(target))
    told = read_outputs(attempt.job_folder, tmp_path / "elsewhere")
    assert told is not None
    assert told[0].sha256 == list_outputs(target)[0]["sha256"]
    found = Verdict.model_validate_json((attempt.path / "verdict.json").read_bytes())
    assert found.same is True
    # what was noted counts, also when the files have changed since
    put(target, w_bin="2")
    assert read_outputs(attempt.job_folder, target) == told


def test_without_notes_the_files_of_now_count(attempt: AttemptFolder, tmp_path: Path) -> None:
    assert read_outputs(attempt.job_folder, tmp_path / "out") is None
    put(tmp_path / "out", w_bin="1")
    assert isinstance((read_outputs(attempt.job_folder, tmp_path / "out") or ())[0], OutputFile)


@pytest.mark.parametrize("first", ["[]", "{}", '{"job": 1, "files": [1]}', "nonsense"])
def test_damaged_notes_end_no_job(attempt: AttemptFolder, tmp_path: Path, first: str) -> None:
    (attempt.bundle / "first-outputs.json").write_text(first)
    note_outputs(attempt, str(put(tmp_path / "out", w_bin="1")))
    assert not (attempt.path / "verdict.json").exists()


@pytest.mark.parametrize("name", ["outputs.json", "verdict.json", "node.json", "notebook.ipynb"])
def test_pipes_in_the_place_of_our_notes_hold_nobody_up(
    attempt: AttemptFolder, tmp_path: Path, name: str
) -> None:
    os.mkfifo(attempt.path / name)
    assert read_outputs(attempt.job_folder, tmp_path / "out") is None
    assert read_node(attempt.path) is None
    assert content_hash(attempt.path / name) is None


PROC = {
    "cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC 7313\n",
    "driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\n",
    "driver/nvidia/gpus/0000:01:00.0/information": "Model: \t NVIDIA A100\nGPU UUID: \t GPU-1\n",
    "driver/nvidia/gpus/0000:02:00.0/information": "Model: \t Tesla T4\nGPU UUID: \t GPU-2\n",
}


@pytest.mark.parametrize(
    ("held", "models"),
    [
        ((), []),
        (("GPU-2",), ["Tesla T4"]),
        (("MIG-7",), ["NVIDIA A100", "Tesla T4"]),
        (("0",), ["NVIDIA A100", "Tesla T4"]),
    ],
)
def test_the_node_of_an_attempt(tmp_path: Path, held: tuple[str, ...], models: list[str]) -> None:
    for name, text in PROC.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    told = Node.model_validate(present_node(held, proc=tmp_path))
    assert told.cpu == "AMD EPYC 7313"
    assert (list(told.gpu_models), told.driver) == (models, "550.54.15" if held else None)


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    told = Node.model_validate(present_node(("GPU-1",), proc=tmp_path))
    assert (told.cpu, told.driver, told.gpu_models) == (None, None, ())
    assert told.kernel is not None
