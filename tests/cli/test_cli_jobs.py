"""Jobs for real: the program submits, the dispatcher starts, a kernel runs, the end is told."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest

pytestmark = pytest.mark.slow


def wait_until(look: Any, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.1)
    raise AssertionError("waited in vain")


def state_of(program: Any, job: str) -> str:
    return str(program.run("job", "show", job, "--json").json["state"])


def test_a_job_that_succeeds(program, notebook: Path) -> None:
    ended = program.run("submit", str(notebook), "-p", "rate=0.25", "--wait", "--json")
    assert ended.code == 0, ended.err
    record = ended.json
    assert record["state"] == "succeeded"
    assert record["reason"] is None
    assert record["parameters"] == {"rate": 0.25}
    assert record["source"] == str(notebook)
    assert record["submitted_at"] <= record["started_at"] <= record["ended_at"]
    output = Path(record["output"])
    assert output.parent == Path(record["output_folder"])
    cells = nbformat.read(output, as_version=4).cells
    assert any("rate is 0.25" in str(cell.get("outputs")) for cell in cells)
    assert "Submitted fit as job" in ended.err


def test_a_notebook_error_is_exit_code_1_with_the_reason(program, make_notebook) -> None:
    path = make_notebook("bad.ipynb", ["print('before')", "1 / 0", "print('never')"])
    ended = program.run("submit", str(path), "--wait", "--json")
    assert ended.code == 1, ended.err
    assert ended.json["state"] == "failed"
    assert ended.json["reason"]["code"] == "notebook-error"
    assert "ZeroDivisionError" in ended.json["reason"]["text"]
    said = program.run("job", "log", ended.json["id"])
    assert "before" in said.out
    assert "never" not in said.out


def test_people_are_told_the_end_and_where_to_look(program, make_notebook) -> None:
    path = make_notebook("bad.ipynb", ["1 / 0"])
    ended = program.run("submit", str(path), "--wait")
    assert ended.code == 1
    assert "failed" in ended.out
    assert "ZeroDivisionError" in ended.out
    assert "mlinfn job log" in ended.out


@pytest.mark.parametrize("value", ["fast", "0.5.1", ""])
def test_a_parameter_that_cannot_be_parsed_is_exit_code_2(program, notebook, value: str) -> None:
    ended = program.run("submit", str(notebook), "-p", f"rate={value}", "--wait", "--json")
    assert ended.code == 2
    assert ended.json["error"]["code"] == "bad-parameter"
    assert ended.json["error"]["problems"][0]["field"] == "parameters.rate"
    assert program.run("jobs", "--json").json == {"jobs": [], "next": None}


def test_a_parameter_without_a_cell_is_refused_and_the_way_out_is_named(
    program, make_notebook
) -> None:
    path = make_notebook("plain.ipynb", ["print(size)"])
    ended = program.run("submit", str(path), "-p", "size=3", "--json")
    assert ended.code == 2
    assert "--create-parameters-cell" in ended.err
    words = ("submit", str(path), "-p", "size=3", "--create-parameters-cell", "--wait", "--json")
    assert program.run(*words).code == 0


@pytest.mark.parametrize("how", ["option", "notebook"])
def test_a_missing_environment_is_exit_code_3(program, notebook, make_notebook, how: str) -> None:
    if how == "option":
        words = ("submit", str(notebook), "--env", "pyton3")
    else:
        words = ("submit", str(make_notebook("other.ipynb", ["1"], kernel="gone")))
    ended = program.run(*words, "--wait", "--json")
    assert ended.code == 3
    assert ended.json["error"]["code"] == "environment-missing"


def test_an_unknown_backend_is_exit_code_3(program, notebook) -> None:
    ended = program.run("submit", str(notebook), "--backend", "moon", "--json")
    assert ended.code == 3
    assert ended.json["error"]["code"] == "backend-missing"


def test_asking_for_more_than_there_ever_is_is_refused(program, notebook) -> None:
    ended = program.run("submit", str(notebook), "--cpus", "4096", "--json")
    assert ended.code == 4
    dry = program.run("submit", str(notebook), "--cpus", "4096", "--json", "--dry-run")
    assert dry.code == 4


def test_a_dry_run_says_what_would_happen_and_leaves_nothing(program, notebook) -> None:
    ended = program.run("submit", str(notebook), "-p", "rate=2", "--dry-run", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["ok"] is True
    assert ended.json["accepted"] == {"rate": 2.0}
    assert ended.json["forecast"]["text"]
    for_people = program.run("submit", str(notebook), "--dry-run")
    assert "Nothing was submitted." in for_people.out
    assert program.run("jobs", "--json").json["jobs"] == []


def test_a_dry_run_has_the_exit_code_of_a_submit(program, notebook) -> None:
    words = ("submit", str(notebook), "--dry-run", "--json")
    gone = program.run(*words, "--env", "gone")
    assert gone.code == 3
    assert gone.json["ok"] is False
    assert program.run(*words, "--env", "gone", "-p", "rate=x").code == 2


def test_inside_a_job_a_submit_is_skipped_unless_nested(program, notebook) -> None:
    inside = {"MLINFN_JOB": "abcdefghij"}
    ended = program.run("submit", str(notebook), "--json", env=inside)
    assert ended.code == 0
    assert ended.json["skipped"] is True
    assert "skipped inside a job" in ended.err.lower()
    assert program.run("submit", "nothing.ipynb", env=inside).code == 0
    assert program.run("jobs", "--json").json["jobs"] == []
    nested = program.run("submit", str(notebook), "--nested", "--json", env=inside)
    assert nested.code == 0
    assert len(nested.json["id"]) == 10


def test_a_submitted_notebook_does_not_submit_itself_again(program, make_notebook) -> None:
    path = make_notebook(
        "self.ipynb",
        [
            "import subprocess, sys\n"
            "words = [sys.executable, '-I', '-m', 'jupyter_mlinfn.cli', 'submit', 'self.ipynb']\n"
            "done = subprocess.run(words, capture_output=True, text=True)\n"
            "print(done.returncode, done.stderr)"
        ],
    )
    ended = program.run("submit", str(path), "--wait", "--json")
    assert ended.code == 0, ended.err
    assert "0 Skipped inside a job" in program.run("job", "log", ended.json["id"]).out
    assert len(program.run("jobs", "--json").json["jobs"]) == 1


def test_a_script_is_a_job_too(program) -> None:
    path = program.home / "count.py"
    path.write_text(
        "import os, time\n"
        "for step in range(3):\n"
        "    print('n is', os.environ['MLINFN_PARAM_n'], flush=True)\n"
        "    time.sleep(0.1)\n"
    )
    ended = program.run("submit", str(path), "-p", "n=3", "--wait", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["kind"] == "script"
    assert program.run("job", "log", ended.json["id"]).out.splitlines() == ["n is 3"] * 3


def test_a_cell_alone_comes_by_standard_input(program, notebook) -> None:
    words = ("submit", str(notebook), "--cell", "-", "--wait", "--json")
    ended = program.run(*words, stdin="print('only', 6 * 7)")
    assert ended.code == 0, ended.err
    assert ended.json["kind"] == "cell"
    log = program.run("job", "log", ended.json["id"]).out
    assert "only 42" in log
    assert "rate is" not in log


def test_a_job_is_known_by_the_beginning_of_its_id(program, notebook) -> None:
    job = program.run("submit", str(notebook), "--json").json["id"]
    assert program.run("job", "show", job[:4], "--json").json["id"] == job
    other = "zzzz" if not job.startswith("z") else "yyyy"
    unknown = program.run("job", "show", other, "--json")
    assert unknown.code == 2
    assert unknown.json["error"]["code"] == "job-not-found"
    odd = program.run("job", "show", "../../etc", "--json")
    assert odd.code == 2
    assert odd.json["error"]["code"]


def test_show_is_the_record_with_everything_behind_it(program, notebook) -> None:
    record = program.run("submit", str(notebook), "--wait", "--json").json
    shown = program.run("job", "show", record["id"], "--json").json
    assert record.items() <= shown.items()
    assert shown["spec"]["files"][0]["role"] == "notebook"
    assert shown["history"][0]["state"] == "succeeded"
    words = program.run("job", "show", record["id"]).out
    for fact in ("succeeded", str(notebook), record["output"], "inventoried, not locked"):
        assert fact in words


def test_the_list_shows_every_job_and_can_be_narrowed(program, notebook, make_notebook) -> None:
    good = program.run("submit", str(notebook), "--wait", "--json").json["id"]
    path = make_notebook("bad.ipynb", ["1 / 0"])
    bad = program.run("submit", str(path), "--wait", "--json", "--name", "café \x1b").json
    assert bad["error"]["code"] == "bad-name"
    bad = program.run("submit", str(path), "--wait", "--json", "--name", "café").json["id"]
    listed = program.run("jobs", "--json").json
    assert [job["id"] for job in listed["jobs"]] == [bad, good]
    failed = program.run("jobs", "--state", "failed", "--json").json["jobs"]
    assert [job["id"] for job in failed] == [bad]
    found = program.run("jobs", "--search", "fit", "--json").json["jobs"]
    assert [job["id"] for job in found] == [good]
    assert "No job fits." in program.run("jobs", "--search", "nowhere").out
    first = program.run("jobs", "--limit", "1", "--json").json
    assert [job["id"] for job in first["jobs"]] == [bad]
    second = program.run("jobs", "--limit", "1", "--cursor", first["next"], "--json").json
    assert [job["id"] for job in second["jobs"]] == [good]
    rows = program.run("jobs").out.splitlines()
    assert len(rows) == 3
    assert "café" in rows[1]
    assert "✕ failed" in rows[1]


LONG = "import time\nfor n in range(600):\n    print('step', n, flush=True)\n    time.sleep(0.1)"


def test_a_running_job_is_followed_cancelled_and_keeps_what_it_wrote(
    program, make_notebook
) -> None:
    path = make_notebook("long.ipynb", ["print('first')", LONG])
    job = program.run("submit", str(path), "--json").json["id"]
    wait_until(lambda: "step 2" in program.run("job", "log", job).out)
    assert state_of(program, job) == "running"
    opened = program.run("job", "open", job, "--json").json
    assert opened["final"] is False
    assert "first" in Path(opened["path"]).read_text()
    follower = program.start("job", "log", "-f", job)
    assert program.run("job", "delete", job, "--yes", "--json").code == 1
    cancelled = program.run("job", "cancel", job, "--json")
    assert cancelled.code == 0
    assert cancelled.json["cancelling"] or cancelled.json["state"] == "cancelled"
    out, err = follower.communicate(timeout=60)
    assert follower.returncode == 0
    assert "step 0" in out
    assert "cancelled" in err
    wait_until(lambda: state_of(program, job) == "cancelled")
    assert program.run("job", "cancel", job, "--json").code in (0, 1)


def test_ctrl_c_ends_the_waiting_and_not_the_job(program, make_notebook) -> None:
    path = make_notebook("long.ipynb", [LONG])
    waiting = program.start("submit", str(path), "--wait", "--json")
    assert waiting.stderr is not None
    said = waiting.stderr.readline() + waiting.stderr.readline()
    assert "Submitted" in said
    time.sleep(1)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    record = json.loads(out)
    assert f"mlinfn job show {record['id']}" in err
    wait_until(lambda: state_of(program, record["id"]) == "running")
    program.run("job", "cancel", record["id"])


def test_rerun_keeps_what_is_not_changed(program, notebook) -> None:
    words = ("submit", str(notebook), "-p", "rate=0.25", "--memory", "600MiB", "--wait", "--json")
    first = program.run(*words).json
    again = program.run("job", "rerun", first["id"], "--wait", "--json")
    assert again.code == 0, again.err
    assert again.json["rerun_of"] == first["id"]
    assert again.json["parameters"] == {"rate": 0.25}
    changed = program.run(
        "job", "rerun", first["id"], "-p", "rate=4", "--time", "90min", "--wait", "--json"
    ).json
    assert changed["parameters"] == {"rate": 4.0}
    assert changed["resources"]["time"] == 5400
    assert changed["resources"]["memory"] == 600 * 2**20
    wrong = program.run("job", "rerun", first["id"], "-p", "rate=x", "--json")
    assert wrong.code == 2
    assert program.run("job", "rerun", first["id"], "--env", "gone", "--json").code == 3


def test_delete_asks_where_somebody_can_answer_and_keeps_the_output(program, notebook) -> None:
    record = program.run("submit", str(notebook), "--wait", "--json").json
    unasked = program.run("job", "delete", record["id"], "--json")
    assert unasked.code == 2
    assert "--yes" in unasked.err
    assert program.run("job", "delete", record["id"], "--yes", "--json").json["deleted"] is True
    assert program.run("job", "show", record["id"], "--json").code == 2
    assert Path(record["output"]).is_file()


def test_clean_shows_first_and_removes_only_when_told(program, notebook) -> None:
    record = program.run("submit", str(notebook), "--wait", "--json").json
    assert program.run("job", "clean", "--json").json["items"] == []
    words = ("job", "clean", "--older-than", "1s", "--outputs")
    time.sleep(1.2)
    preview = program.run(*words, "--json").json
    assert [item["id"] for item in preview["items"]] == [record["id"]]
    assert preview["done"] is False
    assert "Nothing was removed" in program.run(*words).out
    assert Path(record["output"]).is_file()
    assert program.run(*words, "--yes", "--json").json["done"] is True
    assert not Path(record["output"]).exists()
    assert program.run("jobs", "--json").json["jobs"] == []
