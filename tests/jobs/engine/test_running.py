"""One attempt from claim to end, with the real supervisor, runner and kernel."""

from __future__ import annotations

import errno
import json
import os
import sys
import venv
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.supervisor import publishing
from tests.jobs.engine.making import make_attempt, run_to_end, start_supervisor, texts, wait_for
from tests.parts import took_part

pytestmark = pytest.mark.slow


def test_a_notebook_succeeds_and_is_published(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('first')", "", "1 + 1")
    end = run_to_end(folder)
    took_part("job engine", "supervisor, runner and ipykernel as programs of their own")
    assert end["state"] == "succeeded"
    assert end["reason"] is None
    assert end["output"] == str(tmp_path / "work/results/study-aaaaaaaaaa/study.ipynb")
    assert texts(end["output"])[0] == "first\n"
    assert not (tmp_path / "work/results/study-aaaaaaaaaa.part").exists()
    assert end["usage"]["peak_memory"] > 10 * 2**20
    assert end["usage"]["cpu_seconds"] > 0
    assert "first" in folder.log.read_text()
    kinds = [json.loads(line)["kind"] for line in folder.events.read_text().splitlines()]
    assert kinds == ["begun", "cell-start", "cell-done", "cell-start", "cell-done", "ended"]


def test_parameters_modules_and_working_folder(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import mine, os; print(mine.WHO, x, os.getcwd(), os.environ['MLINFN_PARAM_x'])",
        parameters_cell="x = 1",
        parameters={"x": 7},
        modules={"mine.py": "WHO = 'captured'"},
    )
    # the module was edited after submit: the job sees the old one
    (tmp_path / "work" / "mine.py").write_text("WHO = 'edited'")
    end = run_to_end(folder)
    assert texts(end["output"])[2] == f"captured 7 {tmp_path / 'work'} 7\n"


def test_a_kernel_of_a_job_writes_no_history_of_what_she_types(tmp_path: Path) -> None:
    profiles = tmp_path / "ipython"
    folder = make_attempt(
        tmp_path,
        "6 * 7",
        "print(Out[1], In[1], _, _i)",
        "print(get_ipython().ipython_dir)",
    )
    end = run_to_end(folder, {"IPYTHONDIR": str(profiles)})
    assert end["state"] == "succeeded"
    assert texts(end["output"])[1:] == ["42 6 * 7 42 6 * 7\n", f"{profiles}\n"]
    assert not list(profiles.rglob("history*"))


def test_a_vanished_working_folder_is_replaced_by_the_bundle(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "import os; print(os.getcwd())")
    (tmp_path / "work").rmdir()
    end = run_to_end(folder)
    assert end["state"] == "succeeded"
    assert texts(end["output"])[0] == f"{folder.bundle}\n"


def test_an_error_names_the_cell_and_keeps_the_output(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('kept')", "raise ValueError('no such thing')", "1")
    end = run_to_end(folder)
    assert end["state"] == "failed"
    assert end["reason"]["code"] == "notebook-error"
    assert "Cell 2 of 3 ended with ValueError: no such thing" in end["reason"]["text"]
    assert texts(end["output"])[0] == "kept\n"
    content = json.loads(Path(end["output"]).read_text())
    assert content["cells"][1]["outputs"][0]["ename"] == "ValueError"
    assert "no such thing" in folder.log.read_text()


def test_a_mistake_of_the_runner_itself_is_owned_up_to(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        # the notebook's file becomes a folder: saving it fails as nothing else makes it fail
        f"import pathlib\np = pathlib.Path({str(tmp_path)!r}) / 'data/jobs/aaaaaaaaaa/attempts/1'\n"
        "(p / 'notebook.ipynb').unlink(); (p / 'notebook.ipynb/x').mkdir(parents=True)",
    )
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "runner-died")
    assert "your code is not the cause" in end["reason"]["text"]
    assert "Traceback" in folder.log.read_text()


def test_kernels_of_other_languages_speak_by_loopback_and_get_variables(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import os; print(os.environ['MLINFN_PARAM_x'], x if 'x' in dir() else 'not injected')",
        kernel={"language": "R"},
        parameters={"x": [1, "é"]},
    )
    (folder.job_folder / "job.json").write_text(
        json.dumps({**folder.spec(), "injection": "environment"})
    )
    process = start_supervisor(folder)
    about = wait_for(lambda: read_json(folder.connection))
    assert (about["transport"], about["ip"], len(about["key"])) == ("tcp", "127.0.0.1", 64)
    process.wait(60)
    end = read_json(folder.end)
    assert end is not None
    assert texts(end["output"]) == ['[1, "\\u00e9"] not injected\n']


def test_sockets_and_their_key_are_private_and_gone_in_the_end(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "import time; time.sleep(1)")
    process = start_supervisor(folder)
    wait_for(folder.begun.exists)
    about = read_json(folder.connection)
    assert about is not None
    sockets = Path(about["ip"]).parent
    assert sockets.stat().st_mode & 0o777 == 0o700
    assert folder.connection.stat().st_mode & 0o777 == 0o600
    process.wait(60)
    assert not sockets.exists()
    assert not folder.connection.exists()


def test_recorded_values_and_magics_are_there_without_the_package(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import mlinfn; mlinfn.record(epoch=1, loss=0.5)",
        "%mlinfn submit",
        "import sys; print(sys.path[-1])",
    )
    end = run_to_end(folder)
    assert end["state"] == "succeeded", end
    assert json.loads(folder.values.read_text())["values"] == {"epoch": 1, "loss": 0.5}
    assert "skipped inside a job" in texts(end["output"])[1]
    assert texts(end["output"])[2].endswith("magics/shim\n")


def test_nobody_answers_input(tmp_path: Path) -> None:
    end = run_to_end(make_attempt(tmp_path, "input('your name?')"))
    assert end["reason"]["code"] == "notebook-error"
    assert "StdinNotImplementedError" in end["reason"]["text"]


def test_a_dead_kernel_is_noticed(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('kept')", "import os; os.kill(os.getpid(), 9)")
    end = run_to_end(folder)
    assert end["state"] == "failed"
    assert end["reason"]["code"] == "kernel-died"
    assert "SIGKILL" in end["reason"]["text"]
    assert texts(end["output"])[0] == "kept\n"


def test_a_kernel_that_cannot_start_is_told_with_what_it_said(tmp_path: Path) -> None:
    kernel = {"argv": [sys.executable, "-c", "import sys; sys.exit('no good')"]}
    folder = make_attempt(tmp_path, "1", kernel=kernel)
    end = run_to_end(folder)
    assert end["reason"]["code"] == "kernel-died"
    assert "no good" in folder.log.read_text()
    assert not folder.begun.exists()


def test_a_missing_environment_is_refused_before_any_code_runs(tmp_path: Path) -> None:
    kernel = {"argv": [str(tmp_path / "gone/bin/python"), "-m", "ipykernel_launcher"]}
    folder = make_attempt(tmp_path, "1", kernel=kernel)
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "environment-missing")
    assert "gone/bin/python" in end["reason"]["text"]
    assert not folder.begun.exists()


def test_a_changed_environment_is_refused_with_what_differs(tmp_path: Path) -> None:
    prefix = tmp_path / "venv"
    venv.create(prefix, with_pip=False)
    site = next((prefix / "lib").glob("python3*/site-packages"))
    for name, version in (("alpha", "2.0"), ("beta", "1.0")):
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    folder = make_attempt(
        tmp_path,
        script="print('must not run')",
        kernel={"argv": [str(prefix / "bin/python"), "-m", "ipykernel_launcher"]},
        digest="sha256:" + "0" * 64,
        packages=(
            {"name": "alpha", "version": "1.0", "source": "pypi"},
            {"name": "gamma", "version": "3", "source": "pypi"},
        ),
    )
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "environment-mismatch")
    for part in ("alpha is 2.0 instead of 1.0", "beta 1.0 was added", "gamma 3 is gone"):
        assert part in end["reason"]["text"]
    assert not folder.begun.exists()
    assert "must not run" not in folder.log.read_text()


def test_the_job_sees_no_secret_and_its_own_slot(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import os, json; print(json.dumps(dict(os.environ)))",
        accelerators=(),
    )
    secrets = {
        "JUPYTERHUB_API_TOKEN": "hush",
        "MY_SECRET": "hush",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "DB_PASSWORD": "hush",
        "PYTHONPATH": "/broken",
        "https_proxy": "http://user:hush@proxy",
        "LC_TIME": "C",
    }
    end = run_to_end(folder, secrets)
    seen = json.loads(texts(end["output"])[0])
    assert "hush" not in json.dumps(seen)
    assert "PYTHONPATH" not in seen
    assert seen["LC_TIME"] == "C"
    assert seen["CUDA_VISIBLE_DEVICES"] == ""
    assert seen["OMP_NUM_THREADS"] == "1"
    assert seen["MLINFN_JOB"] == "aaaaaaaaaa"
    for written in folder.job_folder.rglob("*"):
        if written.is_file():
            assert b"hush" not in written.read_bytes()


def test_claimed_accelerators_are_shown_and_locked_for_the_machine(tmp_path: Path) -> None:
    from jupyter_mlinfn.jobs import accelerator_locks

    locks = tmp_path / "locks"
    uuids = ("GPU-1", "MIG-2")
    folder = make_attempt(
        tmp_path,
        "import os, time; print(os.environ['CUDA_VISIBLE_DEVICES'])",
        "import pathlib\nwhile not pathlib.Path('go').exists(): time.sleep(0.05)",
        accelerators=uuids,
        accelerator_locks=str(locks),
    )
    process = start_supervisor(folder)
    wait_for(folder.begun.exists)
    assert all(accelerator_locks.is_held(locks, uuid) for uuid in uuids)
    # the runner holds them too: they outlive the supervisor
    process.kill()
    process.wait()
    assert all(accelerator_locks.is_held(locks, uuid) for uuid in uuids)
    (tmp_path / "work" / "go").touch()
    end = run_to_end(folder)
    assert texts(end["output"])[0] == "GPU-1,MIG-2\n"
    assert not any(accelerator_locks.is_held(locks, uuid) for uuid in uuids)


def test_the_partial_notebook_and_the_log_appear_while_a_cell_runs(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import time, pathlib\nprint('early', flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.05)",
    )
    process = start_supervisor(folder)
    wait_for(lambda: folder.log.exists() and "early" in folder.log.read_text())
    wait_for(lambda: folder.notebook.exists() and texts(folder.notebook)[0] == "early\n")
    assert not folder.end.exists()
    (tmp_path / "work" / "go").touch()
    process.wait(60)
    assert read_json(folder.end)["state"] == "succeeded"  # type: ignore[index]


def test_hostile_output_is_capped_and_harmless(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import sys\nfor _ in range(200): sys.stdout.write('x' * 100_000)\nprint()",
        "print('\\x1b]8;;http://evil\\x07link\\x1b[31mred\\x00\\x07\\u202eback')",
        "for i in range(1000): print(i, end='\\r')\nprint('done')",
        memory=2 << 30,
    )
    end = run_to_end(folder)
    assert end["state"] == "succeeded", end
    log = folder.log.read_text()
    assert len(log) < 200_000
    assert "the rest of this line was left out" in log
    assert not set(log) & set("\x1b\x00\x07\u202e\r")
    assert "linkredback" in log
    assert len(texts(end["output"])[0]) < 5 * 2**20
    assert texts(end["output"])[2] == "done\n"


@pytest.mark.slow
def test_a_picture_drawn_anew_again_and_again_is_one_picture(tmp_path: Path) -> None:
    """40 MiB shown 7 times are more than a notebook may hold, but it never holds more than 40."""
    folder = make_attempt(
        tmp_path,
        "from IPython.display import HTML, clear_output, display\n"
        "for epoch in range(7):\n"
        "    clear_output(wait=True)\n"
        "    display(HTML(f'<i>{epoch}</i>' + ' ' * 40 * 2**20))\n",
        "shown = display(HTML('first'), display_id=True)\nshown.update(HTML('second'))\n",
    )
    end = run_to_end(folder)
    cells = json.loads(Path(end["output"]).read_text())["cells"]
    (output,) = cells[0]["outputs"]
    assert "".join(output["data"]["text/html"]).startswith("<i>6</i>")
    assert cells[1]["outputs"][0]["data"]["text/html"] == ["second"]


def test_one_message_of_a_gigabyte_does_not_end_the_runner(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path, "print('y' * 300_000_000)", "print('still here')", memory=6 << 30
    )
    end = run_to_end(folder)
    assert end["state"] == "succeeded", end
    assert texts(end["output"])[1] == "still here\n"
    assert Path(end["output"]).stat().st_size < 64 * 2**20


def test_outputs_are_published_once_and_from_this_run_only(tmp_path: Path) -> None:
    work = tmp_path / "work"
    folder = make_attempt(
        tmp_path,
        "import os, pathlib\n"
        "pathlib.Path(os.environ['MLINFN_OUTPUT_DIR'], 'model.bin').write_text('m')\n"
        "pathlib.Path('plots').mkdir(); pathlib.Path('plots/a.txt').write_text('a')",
        outputs=("plots/*.txt", "*.csv", "../escape", "/etc/passwd"),
    )
    (work / "old.csv").write_text("old")
    os.utime(work / "old.csv", (1, 1))
    end = run_to_end(folder)
    published = Path(end["output"]).parent
    found = {str(p.relative_to(published)) for p in published.rglob("*") if p.is_file()}
    assert found == {"study.ipynb", "model.bin", "plots/a.txt"}


def test_scripts_and_commands(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        script="import mine, sys, os\nprint(mine.WHO, sys.argv[1:], os.getcwd())\nsys.exit(3)",
        modules={"mine.py": "WHO = 'captured'"},
        command=("a b", "--c"),
    )
    end = run_to_end(folder)
    assert (end["state"], end["exit_code"]) == ("failed", 3)
    assert end["reason"]["code"] == "command-failed"
    said = f"captured ['a b', '--c'] {tmp_path / 'work'}"
    assert said in folder.log.read_text()
    assert said in (tmp_path / "work/results/study-aaaaaaaaaa/study.log").read_text()
    other = make_attempt(
        tmp_path,
        job="bbbbbbbbbb",
        kind="command",
        command=("sh", "-c", "echo $MLINFN_JOB; kill -9 $$"),
    )
    end = run_to_end(other)
    assert (end["state"], end["exit_code"]) == ("failed", 137)
    assert "bbbbbbbbbb" in other.log.read_text()


def test_what_cannot_be_copied_does_not_keep_the_rest_from_being_published(tmp_path: Path) -> None:
    folder = make_attempt(
        tmp_path,
        "import os, pathlib, socket\n"
        "out = pathlib.Path(os.environ['MLINFN_OUTPUT_DIR']) / 'run'; out.mkdir()\n"
        "os.mkfifo(out / 'pipe'); os.symlink('/etc/hostname', out / 'link')\n"
        "(out / 'model.txt').write_text('trained')\n",
    )
    end = run_to_end(folder)
    results = tmp_path / "work/results/study-aaaaaaaaaa"
    assert end["output"] == str(results / "study.ipynb")
    assert (results / "run/model.txt").read_text() == "trained"
    assert (results / "run/link").is_symlink()
    assert not (results / "run/pipe").exists()


def test_a_disk_that_is_full_for_a_folder_of_results_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_attempt(tmp_path, "1")
    (folder.outputs / "run").mkdir(parents=True)
    (folder.outputs / "run" / "model.txt").write_text("trained")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copy2", full)
    with pytest.raises(publishing.NoSpaceError):
        publishing.publish(folder, folder.spec(), 0.0)
    assert not (tmp_path / "work/results/study-aaaaaaaaaa").exists()


def test_a_long_name_of_a_cell_is_no_reason_not_to_publish(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1", kind="script")
    folder.notebook.write_text("{}")
    spec = {**folder.spec(), "name": "é" * 200, "source": str(tmp_path / "work/study.py")}
    shown = publishing.publish(folder, spec, 0.0)
    assert shown is not None
    assert Path(shown).read_text() == "{}"


def test_a_signal_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, script="import os; os.kill(os.getpid(), 40)")
    end = run_to_end(folder)
    assert end["reason"]["code"] == "command-failed"
    assert "signal 40" in end["reason"]["text"]
    assert end["exit_code"] == 168


def test_an_unwritable_output_folder_keeps_the_results_in_the_job(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('kept')")
    (tmp_path / "work" / "results").write_text("a file where the folder should be")
    end = run_to_end(folder)
    assert end["state"] == "succeeded"
    assert end["output"] == str(folder.notebook)
    assert "output folder" in folder.events.read_text()


def test_the_folder_names_what_it_is(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1")
    assert AttemptFolder(folder.path).read_slot() is not None
    folder.claim.write_text("{")
    assert folder.read_slot() is None


def test_what_a_job_writes_has_the_rights_the_persons_own_session_gives(tmp_path: Path) -> None:
    """In a group's folder a colleague reads results; the job's own records stay private."""
    folder = make_attempt(tmp_path, "open('beside.txt', 'w').close()\nprint('x')")
    before = os.umask(0o002)
    try:
        end = run_to_end(folder)
    finally:
        os.umask(before)
    output = Path(end["output"])
    rights = {
        path.name: oct(path.stat().st_mode & 0o777)
        for path in (tmp_path / "work" / "beside.txt", output, output.parent)
    }
    assert rights == {
        "beside.txt": "0o664", output.name: "0o664", output.parent.name: "0o775",
    }  # fmt: skip
    assert folder.notebook.stat().st_mode & 0o077 == 0
