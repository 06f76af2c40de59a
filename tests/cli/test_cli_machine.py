"""What the program says of the machine: GPUs, environments, doctor. No server runs here."""

from __future__ import annotations

import shutil

import pytest

from jupyter_mlinfn.diagnosis import NEEDED, Check, Diagnosis, failures

pytestmark = pytest.mark.slow


def test_gpus_are_listed_or_calmly_missed(program) -> None:
    ended = program.run("gpus", "--json")
    assert ended.code == 0
    assert isinstance(ended.json["accelerators"], list)
    assert ended.json["taken_at"]
    assert bool(ended.json["missing"]) is not bool(ended.json["accelerators"])
    assert program.run("gpus").code == 0


@pytest.mark.skipif(shutil.which("cc") is None, reason="the simulated driver is built with cc")
def test_simulated_gpus_are_shown_as_such(program) -> None:
    simulated = {"MLINFN_GPUS": "simulated"}
    seen = program.run("gpus", "--json", env=simulated).json
    assert seen["simulated"] is True
    slices = [device for device in seen["accelerators"] if device["mig"]]
    assert slices
    assert all(device["parent"] for device in slices)
    for_people = program.run("gpus", env=simulated)
    assert "simulated" in for_people.err
    assert slices[0]["mig"]["profile"] in for_people.out


def test_environments_are_those_of_the_kernels(program) -> None:
    listed = program.run("env", "list", "--json").json["environments"]
    mine = next(one for one in listed if "python3" in one["kernels"])
    assert mine["packages"] > 10
    shown = program.run("env", "show", "python3", "--json").json
    assert shown["digest"].startswith("sha256:")
    assert {package["name"] for package in shown["packages"]} >= {"ipykernel", "click"}
    assert "inventoried, not locked" in program.run("env", "show", "python3").out
    assert "python3" in program.run("env", "list").out


def test_an_environment_that_is_not_there_is_exit_code_3_with_advice(program) -> None:
    ended = program.run("env", "show", "pyton3", "--json")
    assert ended.code == 3
    assert ended.json["error"]["code"] == "environment-missing"
    assert "python3" in ended.err


def test_the_doctor_finds_all_that_jobs_need(program) -> None:
    ended = program.run("doctor", "--json")
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert set(checks) >= NEEDED | {"gpus", "cgroup", "dispatcher", "slurm", "apptainer"}
    assert ended.code == 0, ended.out
    assert all(checks[name]["state"] == "ok" for name in NEEDED - {"data-folder"})
    assert all("could not be checked" not in check["text"] for check in checks.values())
    assert all(set(check) == {"name", "state", "text", "hint"} for check in checks.values())


def test_the_doctor_reports_a_data_folder_that_cannot_be_used(program) -> None:
    (program.home / "data").write_text("a file where the folder should be")
    ended = program.run("doctor", "--json")
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert ended.code == 1
    assert checks["data-folder"]["state"] == "missing"
    assert str(program.home / "data") in checks["data-folder"]["text"]
    assert checks["python"]["state"] == "ok"
    assert "Traceback" not in ended.err


def test_the_doctor_finds_programs_on_the_path(program, tmp_path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("sbatch", "squeue", "apptainer"):
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)
    path = {"PATH": str(tools)}  # a machine may have Slurm
    checks = program.run("doctor", "--json", env=path).json["checks"]
    seen = {check["name"]: check for check in checks}
    assert seen["apptainer"]["state"] == "ok"
    assert str(tools / "apptainer") in seen["apptainer"]["text"]
    assert "lacks scancel" in seen["slurm"]["text"]


def test_a_missing_part_is_no_fault_unless_jobs_need_it() -> None:
    slurm = Check(name="slurm", state="missing", text="x")
    kernels = Check(name="kernels", state="missing", text="x")
    some = Check(name="kernels", state="warning", text="x")
    assert failures(Diagnosis(checks=(slurm, some))) == []
    assert failures(Diagnosis(checks=(slurm, kernels))) == [kernels]


def configure(program, text: str) -> None:
    config = program.home / "config"
    config.mkdir()
    (config / "jupyter_mlinfn_config.py").write_text(text)


def test_an_error_nobody_expected_is_told_and_its_traceback_kept_in_a_file(program) -> None:
    configure(
        program,
        "import jupyter_mlinfn.workbench\n"
        "jupyter_mlinfn.workbench.Workbench.store = property(lambda bench: 1 / 0)\n",
    )
    ended = program.run("jobs", "--json")
    assert ended.code == 1
    assert ended.json["error"]["code"] == "unexpected"
    assert "Traceback" not in ended.err
    report = program.home / "data" / "mlinfn" / "errors.log"
    assert str(report) in ended.err
    assert "ZeroDivisionError" in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_a_setting_that_cannot_be_read_is_named(program) -> None:
    configure(program, "c.Mlinfn.job_memory = 'much'")
    ended = program.run("jobs", "--json")
    assert ended.code == 2
    assert ended.json["error"]["problems"][0]["field"] == "Mlinfn.job_memory"
