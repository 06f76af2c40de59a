"""What becomes of an attempt when its supervisor, its runner or the whole machine is killed."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.process import locks, tree
from tests.jobs.engine.making import make_attempt, run_to_end, start_supervisor, wait_for

pytestmark = pytest.mark.slow

COUNTED = (
    "import os, pathlib, time\n"
    "with open('effects', 'a') as file: file.write('ran\\n')\n"
    "print('up', flush=True)\n"
    "while not pathlib.Path('go').exists(): time.sleep(0.05)\n"
    "print('over')"
)


def effects(tmp_path: Path) -> int:
    """How often the job's code ran."""
    file = tmp_path / "work" / "effects"
    return file.read_text().count("ran") if file.exists() else 0


def runner(folder: AttemptFolder) -> int:
    """The runner's process id."""
    return int((read_json(folder.runner) or {})["pid"])


def restart_the_machine(folder: AttemptFolder) -> None:
    """What the files look like after a restart: another boot wrote them."""
    for path in (folder.claim, folder.runner, folder.supervisor):
        told = read_json(path)
        if told is not None:
            told["machine"]["boot_id"] = "another boot"
            path.write_text(json.dumps(told))


def everybody(folder: AttemptFolder) -> list[int]:
    """All processes of the attempt and its supervisor."""
    members = tree.carrying("MLINFN_ATTEMPT_TOKEN", folder.read_slot().attempt_token)  # type: ignore[union-attr]
    supervisor = (read_json(folder.supervisor) or {})["pid"]
    return [*members, supervisor]


def test_a_new_supervisor_adopts_the_runner(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, COUNTED)
    first = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    first.kill()
    first.wait()
    assert locks.held(folder.runner_lock)
    second = start_supervisor(folder)
    wait_for(lambda: locks.held(folder.supervisor_lock))
    (tmp_path / "work" / "go").touch()
    second.wait(60)
    end = read_json(folder.end)
    assert end is not None
    assert end["state"] == "succeeded"
    assert effects(tmp_path) == 1
    assert "over" in Path(end["output"]).read_text()


def test_cancel_works_on_an_adopted_job(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, COUNTED)
    first = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    first.kill()
    first.wait()
    folder.cancel.touch()
    end = run_to_end(folder)
    assert end["state"] == "cancelled"
    assert "up" in Path(end["output"]).read_text()


def test_a_second_supervisor_beside_a_living_one_does_nothing(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, COUNTED)
    first = start_supervisor(folder)
    wait_for(lambda: locks.held(folder.supervisor_lock))
    second = start_supervisor(folder)
    assert second.wait(10) == 0
    (tmp_path / "work" / "go").touch()
    first.wait(60)
    assert effects(tmp_path) == 1


def test_a_killed_runner_ends_the_job_and_its_kernel(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "print('kept')", COUNTED)
    process = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    os.kill(runner(folder), signal.SIGKILL)
    process.wait(60)
    end = read_json(folder.end)
    assert end is not None
    assert (end["state"], end["reason"]["code"]) == ("failed", "runner-died")
    assert "kept" in Path(end["output"]).read_text()
    assert effects(tmp_path) == 1


SLOW_KERNEL: dict[str, Any] = {
    "argv": [
        "sh",
        "-c",
        f"sleep 2; exec {sys.executable} -m ipykernel_launcher -f '{{connection_file}}'",
    ]
}


def test_a_runner_killed_before_any_code_ran_is_started_again(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "open('effects', 'a').write('ran\\n')", kernel=SLOW_KERNEL)
    process = start_supervisor(folder)
    wait_for(lambda: folder.connection.exists() and locks.held(folder.runner_lock))
    os.kill(runner(folder), signal.SIGKILL)
    process.wait(60)
    assert (read_json(folder.end) or {})["state"] == "succeeded"
    assert effects(tmp_path) == 1
    assert (read_json(folder.runner) or {})["starts"] == 2


def test_supervisor_and_runner_killed_before_any_code_ran(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "open('effects', 'a').write('ran\\n')", kernel=SLOW_KERNEL)
    process = start_supervisor(folder)
    wait_for(lambda: folder.connection.exists() and locks.held(folder.runner_lock))
    process.kill()
    os.kill(runner(folder), signal.SIGKILL)
    process.wait()
    assert run_to_end(folder)["state"] == "succeeded"
    assert effects(tmp_path) == 1


def test_everything_killed_in_the_run_is_not_run_again(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, COUNTED)
    process = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    for pid in everybody(folder):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    (tmp_path / "work" / "go").touch()
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "runner-died")
    assert effects(tmp_path) == 1


@pytest.mark.parametrize(
    ("evictable", "state"), [(False, "failed"), (True, "evicted")], ids=["plain", "evictable"]
)
def test_a_restarted_machine_ends_or_evicts_what_ran(
    tmp_path: Path, evictable: bool, state: str
) -> None:
    folder = make_attempt(tmp_path, COUNTED)
    spec = folder.spec()
    (folder.job_folder / "job.json").write_text(json.dumps({**spec, "evictable": evictable}))
    process = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    for pid in everybody(folder):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    restart_the_machine(folder)
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == (state, "lost")
    assert effects(tmp_path) == 1
    assert Path(spec["output_folder"]).exists() is not evictable


def test_a_restarted_machine_gives_the_slot_of_an_untouched_job_back(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, COUNTED, kernel=SLOW_KERNEL)
    process = start_supervisor(folder)
    wait_for(lambda: folder.connection.exists() and locks.held(folder.runner_lock))
    for pid in everybody(folder):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    restart_the_machine(folder)
    assert start_supervisor(folder).wait(30) == 0
    assert (read_json(folder.returned) or {})["reason"]["code"] == "not-started"
    assert not folder.end.exists()
    assert effects(tmp_path) == 0


def test_results_are_published_by_whoever_comes_next(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1")
    folder.begun.write_text(json.dumps({"at": "2026-01-01T00:00:00+00:00"}))
    folder.notebook.write_text('{"the": "notebook"}')
    folder.result.write_text(json.dumps({"state": "succeeded", "reason": None}))
    half = tmp_path / "work/results/study-aaaaaaaaaa.part"
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    end = run_to_end(folder)
    assert end["state"] == "succeeded"
    assert Path(end["output"]).read_text() == '{"the": "notebook"}'
    assert [p.name for p in Path(end["output"]).parent.iterdir()] == ["study.ipynb"]
    assert not half.exists()
    # published already, and the end was not written: nothing is copied again
    folder.notebook.write_text("changed later")
    folder.end.unlink()
    end = run_to_end(folder)
    assert Path(end["output"]).read_text() == '{"the": "notebook"}'


def test_daemons_that_escaped_while_no_supervisor_lived_are_found(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        pathlib.Path('daemon').write_text(str(os.getpid()))\n"
        "        os.execvp('sleep', ['sleep', '1000'])\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "open('effects', 'a').write('ran\\n')\n"
        "time.sleep(1000)"
    )
    folder = make_attempt(tmp_path, code)
    process = start_supervisor(folder)
    wait_for(lambda: effects(tmp_path))
    daemon = int((tmp_path / "work" / "daemon").read_text())
    process.kill()
    process.wait()
    told = read_json(folder.supervisor) or {}
    # as on a machine without control groups: only the token in its environment tells
    folder.supervisor.write_text(json.dumps({**told, "groups": []}))
    folder.cancel.touch()
    assert run_to_end(folder)["state"] == "cancelled"
    assert daemon not in tree.living()


def test_a_runner_that_never_starts_is_given_up_with_a_reason(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "1")
    (folder.bundle / "kernel.json").unlink()
    end = run_to_end(folder)
    assert (end["state"], end["reason"]["code"]) == ("failed", "not-started")
    assert (read_json(folder.runner) or {})["starts"] == 3
    assert "kernel.json" in folder.log.read_text()


def test_an_ended_attempt_stays_as_it_ended(tmp_path: Path) -> None:
    folder = make_attempt(tmp_path, "open('effects', 'a').write('ran\\n')")
    run_to_end(folder)
    before = folder.end.read_bytes()
    folder.cancel.touch()
    assert start_supervisor(folder).wait(10) == 0
    assert folder.end.read_bytes() == before
    assert effects(tmp_path) == 1
