"""The simulated cards that anybody can look at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_mlinfn.gpus.inventory import GpuInventory
from jupyter_mlinfn.gpus.simulated import library as simulated
from jupyter_mlinfn.gpus.simulated.scene import A100, OUTSIDE_PID, SLICES, T4, state_at
from jupyter_mlinfn.gpus.snapshot import take_snapshot
from jupyter_mlinfn.model.errors import PartMissing

pytestmark = pytest.mark.slow


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_they_are_compiled_once_and_marked(
    own_cache: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    snapshot = take_snapshot(simulated=True, deadline=30)
    assert snapshot.simulated
    assert [one.uuid for one in snapshot.accelerators] == [A100, *SLICES, T4]
    states = {one.signal.state for one in snapshot.accelerators if one.mig}
    assert {"unknown", "idle"} <= states
    kinds = {holder.kind for one in snapshot.accelerators for holder in one.holders}
    assert "outside" in kinds
    made = [path for path in own_cache.rglob("*") if path.is_file()]
    assert [path.name for path in made] == ["libnvidia-ml.so.1"]
    assert not list(temporary.iterdir()), "the killed agent left nothing"


def test_a_process_that_was_given_a_device_holds_it(own_cache: Path) -> None:
    place = SLICES[6]
    job = subprocess.Popen(
        [sys.executable, "-c", "print(1, flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": place, "MLINFN_JOB": "j-7"},
    )  # fmt: skip
    assert job.stdout is not None
    job.stdout.readline()
    try:
        snapshot = take_snapshot(simulated=True, deadline=30)
        free = {one.uuid for one in GpuInventory(simulated=True, deadline=30).free()}
    finally:
        job.communicate(b"\n")
    (slice_,) = [one for one in snapshot.accelerators if one.uuid == place]
    (holder,) = slice_.holders
    assert (holder.kind, holder.job_id, holder.mine) == ("job", "j-7", True)
    assert place not in free
    assert SLICES[5] in free


def test_they_move(own_cache: Path) -> None:
    told = {state_at(1e9 + second, {}).text() for second in range(0, 60, 10)}
    assert len(told) == 6
    for text in told:
        assert str(OUTSIDE_PID) in text


def test_without_a_compiler_it_says_so(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulated.shutil, "which", lambda _: None)
    with pytest.raises(PartMissing, match="C compiler"):
        simulated.library()


def test_a_compiler_that_refuses_is_told(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.c"
    broken.write_text("int nvmlInit( {")
    monkeypatch.setattr(simulated, "SOURCE", broken)
    with pytest.raises(PartMissing, match="error"):
        simulated.library()
    assert not list(own_cache.rglob("*.so.1"))


def test_no_compiler_is_a_calm_sentence_of_the_panel(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(own_cache))
    snapshot = take_snapshot(simulated=True, deadline=30)
    assert snapshot.accelerators == ()
    assert snapshot.missing is not None
    assert "C compiler" in snapshot.missing


def test_a_session_sees_the_devices_that_it_was_given_and_no_other(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", SLICES[3])
    seen = take_snapshot(simulated=True, deadline=30).accelerators
    assert [one.uuid for one in seen] == [A100, SLICES[3]]
    parent, given = seen
    assert parent.memory is None  # refused, as the driver does in such a container
    assert given.memory is not None
    assert given.memory.total == 9728 * 2**20
    assert not any(holder.kind == "outside" for holder in given.holders)
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", T4)
    (whole,) = take_snapshot(simulated=True, deadline=30).accelerators
    assert whole.uuid == T4
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "void")
    nothing = take_snapshot(simulated=True, deadline=30)
    assert (nothing.missing or "").startswith("There is no NVIDIA driver")
    assert nothing.accelerators == ()


def test_an_image_without_a_compiler_brings_the_library(
    own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = simulated.library()
    monkeypatch.setenv("MLINFN_SIMULATED_LIBRARY", str(compiled))
    monkeypatch.setenv("XDG_CACHE_HOME", str(own_cache / "nothing"))
    monkeypatch.setenv("PATH", "")
    assert take_snapshot(simulated=True, deadline=30).accelerators
