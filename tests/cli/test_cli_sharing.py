"""``mlinfn job share``, ``jobs --shared``, and a shared job compared and run again."""

from __future__ import annotations

import os

import nbformat
import pytest

from tests.cli.conftest import Program


@pytest.mark.slow
def test_a_run_is_shared_and_run_again_in_a_terminal(program: Program) -> None:
    area = program.home / "group"
    area.mkdir()
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("rate = 0.5")
    cell.metadata["tags"] = ["parameters"]
    notebook.cells = [cell, nbformat.v4.new_code_cell("print('rate is', rate)")]
    nbformat.write(notebook, program.home / "fit.ipynb")
    where = {"env": {"MLINFN_SHARED_JOBS": str(area)}}
    first = program.run(
        "submit", "fit.ipynb", "-p", "rate=0.5", "--backend=local", "--wait", "--json"
    ).json["id"]
    shared = program.run("job", "share", first, **where)
    assert (shared.code, "shared in group" in shared.out) == (0, True), shared
    listed = program.run("jobs", "--shared", "--json", **where).json
    assert [one["id"] for one in listed["jobs"]] == [first]
    assert first in program.run("jobs", "--shared", "--search=rate=0.5", **where).out
    assert "Shared by" in program.run("job", "shared", first[:4], **where).out
    assert "rate is 0.5" in program.run("job", "shared", first, "--log", **where).out
    name = f"shared:{first}"
    mine = program.run("job", "rerun", name, "-p", "rate=0.7", "--wait", "--json", **where)
    assert mine.code == 0, mine.err
    assert mine.json["parameters"] == {"rate": 0.7}
    assert os.path.dirname(mine.json["source"]).endswith(f"shared/fit-{first}")
    diff = program.run("job", "diff", name, mine.json["id"], **where)
    assert "parameters (rate)" in diff.out, diff.err
    sweep = program.run(
        "submit", "fit.ipynb", "--sweep", "rate=1.5,2.5", "--backend=local", "--wait", "--json"
    ).json["id"]
    assert program.run("job", "share", sweep, **where).code == 0
    rows = program.run("job", "points", f"shared:{sweep}", "--csv", **where).out.splitlines()
    assert [row.split(",")[:3] for row in rows] == [
        ["index", "state", "rate"],
        ["0", "succeeded", "1.5"],
        ["1", "succeeded", "2.5"],
    ]
    log = program.run("job", "shared", sweep, "--point=1", **where)
    assert "rate is 2.5" in log.out, log.err
    assert f"points shared:{sweep}" in program.run("job", "shared", sweep, **where).out
    none = program.run("job", "rerun", f"shared:{sweep}", "--failed", **where)
    assert (none.code, "No point has failed" in none.err) == (2, True), none
    assert program.run("job", "unshare", sweep, **where).code == 0
    wrong = program.run("job", "rerun", first, "--into=x", **where)
    assert (wrong.code, "for shared jobs" in wrong.err) == (2, True)
    nowhere = program.run("job", "share", first, "--with=else", **where)
    assert (nowhere.code, "no area 'else'" in nowhere.err) == (2, True), nowhere
    assert program.run("job", "unshare", first, **where).code == 0
    assert list(area.iterdir()) == []
    assert "setting 'shared_jobs'" in program.run("jobs", "--shared").out
