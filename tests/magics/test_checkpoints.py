"""Saving and loading checkpoints, hooks and SIGTERM, in and outside of a job."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from jupyter_mlinfn.jobs.checkpoints import newest, remove_torn
from jupyter_mlinfn.magics import shim_folder
from jupyter_mlinfn.magics.shim import mlinfn

IMPORT = f"import sys; sys.path.append({str(shim_folder())!r})\nimport mlinfn\n"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder a job's processes are told."""
    folder = tmp_path / "checkpoints"
    monkeypatch.setenv("MLINFN_CHECKPOINTS", str(folder))
    return folder


def program(code: str, **environ: str) -> subprocess.Popen[bytes]:
    """A Python program that has ``mlinfn``."""
    return subprocess.Popen(
        [sys.executable, "-c", IMPORT + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environ},
    )


def test_what_was_saved_is_loaded(kept: Path) -> None:
    assert mlinfn.load() is None
    assert mlinfn.load("model", default=3) == 3
    assert mlinfn.save({"epoch": 1}) == kept / "checkpoint.pickle"
    mlinfn.save([1, 2], name="model")
    assert mlinfn.load() == {"epoch": 1}
    assert mlinfn.load("model") == [1, 2]
    mlinfn.save({"epoch": 2})
    assert mlinfn.load() == {"epoch": 2}
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "checkpoint.pickle").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in kept.iterdir()} == {"checkpoint.pickle", "model.pickle"}


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "a\n", "ü"])
def test_a_name_is_no_path(kept: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no name for a checkpoint"):
        mlinfn.save(1, name=name)
    with pytest.raises(ValueError, match="no name for a checkpoint"):
        mlinfn.load(name)


def test_what_cannot_be_pickled_leaves_the_old_one(kept: Path) -> None:
    mlinfn.save("good")
    with pytest.raises((pickle.PicklingError, AttributeError)):
        mlinfn.save([0, lambda: None])
    assert mlinfn.load() == "good"
    assert [path.name for path in kept.iterdir()] == ["checkpoint.pickle"]


def test_outside_a_job_it_is_beside_and_says_so_once(here: Path) -> None:
    code = """
        print(mlinfn.checkpoint_dir()); mlinfn.save(5); print(mlinfn.load())
        mlinfn.on_eviction(lambda: print("never")); print(mlinfn.seconds_left())
    """
    clean = dict.fromkeys(("MLINFN_CHECKPOINTS", "MLINFN_JOB_DIR", "MLINFN_ENDS_AT"), "")
    done = program(f"import os\nos.chdir({str(here)!r})\n" + textwrap.dedent(code), **clean)
    out, err = done.communicate(timeout=30)
    assert out.decode().split() == [str(here / ".mlinfn-checkpoints"), "5", "None"]
    assert err.decode().count("this is no job") == 1


def test_seconds_left_tells_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLINFN_ENDS_AT", str(time.time() + 100))
    assert 95 < (mlinfn.seconds_left() or 0) <= 100
    monkeypatch.setenv("MLINFN_ENDS_AT", str(time.time() - 100))
    assert mlinfn.seconds_left() == 0
    monkeypatch.delenv("MLINFN_ENDS_AT")
    assert mlinfn.seconds_left() is None


SAVING = """
    import time
    size = 300_000
    mlinfn.save((0, bytes(size)))
    print("up", flush=True)
    number = 0
    while True:
        number += 1
        mlinfn.save((number, bytes([number % 256]) * size))
"""


def test_kill_9_at_any_moment_never_leaves_a_torn_checkpoint(kept: Path) -> None:
    """A seeded sample of moments: the whole checkpoint of before, or the whole one of after."""
    draw, torn, last = random.Random(11), 0, -1
    for _ in range(25):
        process = program(SAVING, MLINFN_CHECKPOINTS=str(kept))
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
        time.sleep(draw.random() * 0.05)
        process.kill()
        process.communicate()
        number, content = mlinfn.load()
        assert content == bytes([number % 256]) * 300_000
        last = max(last, number)
        torn += len(list(kept.glob(".*.tmp")))
        remove_torn(kept)
        assert [path.name for path in kept.iterdir()] == ["checkpoint.pickle"]
    assert last > 0  # some were killed after a second checkpoint
    assert torn > 0  # and some while they wrote: what is removed was there


def test_what_is_being_written_is_no_checkpoint_yet(kept: Path) -> None:
    assert newest(kept) is None
    kept.mkdir()
    (kept / ".checkpoint.pickle.0123abcd.tmp").write_bytes(b"half")
    assert newest(kept) is None
    (kept / "run" / "epoch").mkdir(parents=True)
    deep = kept / "run" / "epoch" / "weights.pt"
    deep.write_bytes(b"x")
    os.utime(deep, (1000, 1000))
    (kept / "link").symlink_to("/etc/hostname")
    assert newest(kept) == 1000


# --- scripts and SIGTERM -----------------------------------------------------------------------


def script_of_a_job(tmp_path: Path, code: str, why: str | None = "eviction") -> tuple[int, str]:
    """Run it as a job's script does, end it by SIGTERM once it says ``up``; code and output."""
    attempt = tmp_path / "attempts" / "1"
    attempt.mkdir(parents=True)
    process = program(code, MLINFN_JOB_DIR=str(attempt), MLINFN_CHECKPOINTS=str(tmp_path / "kept"))
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    if why is not None:
        (attempt / "stopping.json").write_text(json.dumps({"why": why, "until": time.time() + 20}))
    for _ in range(200):  # the batch system and the runner both say it, and may say it late
        process.send_signal(signal.SIGTERM)
        if process.poll() is not None:
            break
        time.sleep(0.002)
    out, err = process.communicate(timeout=30)
    return process.returncode, (out + err).decode()


def test_a_script_is_told_once_and_ends_with_its_clean_up(tmp_path: Path) -> None:
    code = """
        import time
        mlinfn.on_eviction(lambda: print("hook", 0 < mlinfn.seconds_left() <= 20))
        try:
            print("up", flush=True); time.sleep(60)
        finally:
            print("cleaned")
    """
    assert script_of_a_job(tmp_path, code) == (143, "hook True\ncleaned\n")
    assert (tmp_path / "attempts" / "1" / "hooks").exists()


def test_a_cancelled_script_calls_no_hook(tmp_path: Path) -> None:
    code = """
        import time
        mlinfn.on_eviction(lambda: print("hook")); print("up", flush=True); time.sleep(60)
    """
    assert script_of_a_job(tmp_path, code, why="cancel") == (143, "")


def test_a_hook_that_raises_does_not_hold_up_the_others(tmp_path: Path) -> None:
    code = """
        import time
        def bad(): raise RuntimeError("no disk")
        mlinfn.on_eviction(bad)
        mlinfn.on_eviction(lambda: mlinfn.save("second"))
        print("up", flush=True); time.sleep(60)
    """
    ended, said = script_of_a_job(tmp_path, code, why=None)
    assert ended == 143
    assert "RuntimeError: no disk" in said
    assert pickle.loads((tmp_path / "kept" / "checkpoint.pickle").read_bytes()) == "second"
    event = json.loads((tmp_path / "attempts" / "1" / "events.jsonl").read_text())
    assert (event["called"], event["failed"]) == (2, ["RuntimeError: no disk"])


def test_a_script_s_own_handler_is_called_after_the_hooks(tmp_path: Path) -> None:
    code = """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: (print("own"), sys.exit(9)))
        mlinfn.on_eviction(lambda: print("hook")); print("up", flush=True); time.sleep(60)
    """
    assert script_of_a_job(tmp_path, code) == (9, "hook\nown\n")


def test_workers_made_by_fork_still_end_by_sigterm(tmp_path: Path) -> None:
    """Process.terminate() of multiprocessing is SIGTERM: it must end the worker, hookless."""
    code = """
        import multiprocessing, os, time
        mlinfn.on_eviction(lambda: print(os.getpid() == home, codes, flush=True))
        home = os.getpid()
        made = multiprocessing.get_context("fork")
        workers = [made.Process(target=time.sleep, args=(60,)) for _ in range(50)]
        for worker in workers:
            worker.start(); worker.terminate()
        for worker in workers:
            worker.join(10)
        codes = {worker.exitcode for worker in workers}
        print("up", flush=True); time.sleep(60)
    """
    assert script_of_a_job(tmp_path, code) == (143, "True {-15}\n")


def test_what_is_no_function_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="takes a function"):
        mlinfn.on_eviction(3)
