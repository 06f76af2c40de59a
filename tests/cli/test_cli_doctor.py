"""What the doctor says of packed environments: ways, versions, and where files are shared."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from threading import Barrier
from types import SimpleNamespace

import pytest

from jupyter_mlinfn.diagnosis import Check, diagnose, environments, session, systems
from jupyter_mlinfn.environments.image import launcher
from jupyter_mlinfn.environments.image.launcher import Finding
from jupyter_mlinfn.environments.own.layout import Layout
from jupyter_mlinfn.settings import Mlinfn
from jupyter_mlinfn.workbench import Workbench
from tests.systems import slurm as real_slurm
from tests.systems.daemons import Missing

pytestmark = pytest.mark.slow


def checks_of(program, **options) -> dict[str, dict[str, str]]:
    ended = program.run("doctor", "--json", **options)
    return {check["name"]: check for check in ended.json["checks"]}


@pytest.fixture
def stub(tmp_path: Path) -> SimpleNamespace:
    """As much of a workbench as the checks of this page ask for."""
    return SimpleNamespace(layout=Layout.of(tmp_path))


def made(folder: Path, name: str, *lines: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("\n".join(["#!/bin/sh", *lines, ""]))
    (folder / name).chmod(0o755)


def test_every_way_is_told_with_its_reason(program) -> None:
    told = checks_of(program)["images"]
    found = launcher.probe()
    assert told["state"] == "ok" if any(one.works for one in found) else "missing"
    works, _, fails = told["text"].partition(" Not by ")
    for one in found:
        words = environments._WAYS[one.way]
        assert (words in works) is one.works
        assert one.works or f"{words} ({one.why})" in fails


def test_where_no_way_works_something_is_to_be_done(
    stub: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = (Finding(way="unpacked", works=False, why="unsquashfs is not installed"),)
    monkeypatch.setattr(launcher, "probe", lambda patience: none)
    check = environments.images(stub)
    assert check.state == "missing"
    assert "unsquashfs is not installed" in check.text
    assert "squashfs-tools" in (check.hint or "")


@pytest.mark.parametrize(("version", "compressor"), [("1.1.9-1", "lz4"), ("1.4.5-2", "zstd")])
def test_versions_and_the_compressor_they_read(
    version: str, compressor: str, stub: SimpleNamespace, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tools = tmp_path / "tools"
    made(tools, "apptainer", f"echo apptainer version {version}")
    made(tools, "mksquashfs", "echo 'mksquashfs version 4.7.5 (2025/01/01)'")
    made(tools, "unsquashfs", "echo 'unsquashfs version 4.6.1 (2023/03/25)'", "exit 1")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    told = environments.apptainer(stub)
    assert told.text.startswith(f"Apptainer {version.partition('-')[0]} is here: {tools}")
    assert told.text.endswith(f"packed with {compressor}.")
    told = environments.squashfs_tools(stub)
    assert f"mksquashfs 4.7.5 ({tools}" in told.text
    assert f"unsquashfs 4.6.1 ({tools}" in told.text
    assert told.text.endswith(f"packed with {compressor}.")
    (tools / "unsquashfs").unlink()
    monkeypatch.setenv("PATH", str(tools))
    told = environments.squashfs_tools(stub)
    assert (told.state, "lack unsquashfs" in told.text) == ("missing", True)


def test_whether_environments_share_the_files_of_packages(
    stub: SimpleNamespace, tmp_path: Path
) -> None:
    told = environments.package_cache(stub)
    assert told.state == "ok"
    assert str(stub.layout.packages) in told.text
    assert not list(tmp_path.glob(".linking-*")), "nothing is left behind"


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="no second file system")
def test_packages_on_another_file_system_are_copied(stub: SimpleNamespace, tmp_path: Path) -> None:
    away = Path("/dev/shm") / tmp_path.name
    away.mkdir()
    try:
        if away.stat().st_dev == tmp_path.stat().st_dev:
            pytest.skip("/dev/shm is the same file system")
        stub.layout.folder.mkdir()
        stub.layout.packages.symlink_to(away)
        stub.layout.own.mkdir()
        told = environments.package_cache(stub)
        assert told.state == "warning"
        assert "full copy" in told.text
        assert not list(away.iterdir())
    finally:
        shutil.rmtree(away)


def test_programs_are_waited_for_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    """They run at the same time: each goes on only when the other has begun."""
    from jupyter_mlinfn.diagnosis import asking

    both = Barrier(2, timeout=10)

    def slow(bench: object) -> Check:
        both.wait()
        return Check(name="slow", state="ok", text="")

    monkeypatch.setattr(asking, "_BESIDE", (("a", slow), ("b", slow)))
    monkeypatch.setattr(asking, "_ONE_AFTER_THE_OTHER", ())
    told = [check for check in diagnose(SimpleNamespace()).checks if check.name == "slow"]
    assert [check.state for check in told] == ["ok", "ok"]


@pytest.mark.parametrize(
    ("words", "state", "told"),
    [
        ("echo 'fatal: no route' >&2; exit 1", "warning", "(sinfo: fatal: no route)."),
        ("exit 0", "ok", "Slurm: jobs can go there."),
    ],
)
def test_slurm_s_programs_alone_are_not_slurm(
    words: str, state: str, told: str, tmp_path: Path
) -> None:
    tools = tmp_path / "tools"
    for name in ("sbatch", "squeue", "scancel", "sinfo"):
        made(tools, name, words)
    bench = Workbench(Mlinfn(data_dir=str(tmp_path / "data"), slurm_programs=str(tools)))
    check = systems.slurm(bench)
    assert check.state == state
    assert check.text.endswith(told)
    assert ("programs are here, and no controller answers" in check.text) is (state != "ok")
    assert ("slurmctld" in (check.hint or "")) is (state != "ok")


@pytest.mark.system
def test_a_real_slurm_whose_controller_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        real_slurm.prepare()
    except Missing as error:
        pytest.skip(str(error))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        told = f"SlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort={port}\nNodeName=n1\n"
        (tmp_path / "slurm.conf").write_text(f"ClusterName=mute\n{told}")
        monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
        check = systems.slurm(Workbench(Mlinfn(data_dir=str(tmp_path / "data"))))
    assert check.state == "warning"
    assert "Slurm's programs are here, and no controller answers them." in check.text
    assert "sinfo" in check.text


def test_the_ports_of_the_profile_are_told_with_where_they_are_seen(
    program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert {"ports", "profile"}.isdisjoint(checks_of(program))
    monkeypatch.setenv("MLINFN_PORTS", "8787,6006")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    made_here = tmp_path / "packages" / "jupyter_server_proxy"
    made_here.mkdir(parents=True)
    (made_here / "__init__.py").touch()
    monkeypatch.setattr("sys.path", [*sys.path, str(made_here.parent)])
    (check,) = session.ports()
    assert (check.state, check.hint) == ("ok", None)
    assert "/user/ada/proxy/8787/, /user/ada/proxy/6006/" in check.text
    monkeypatch.setattr(session, "find_spec", lambda _: None)
    (check,) = session.ports()
    assert (check.state, "jupyter-server-proxy" in (check.hint or "")) == ("missing", True)
    assert "8787, 6006" in check.text


def test_the_doctor_s_whole_report_has_what_the_hub_tells(program) -> None:
    unkept = '["Docker does not count FPGAs."]'
    told = checks_of(program, env={"MLINFN_PORTS": "8787", "MLINFN_UNKEPT": unkept})
    assert "8787" in told["ports"]["text"]
    assert (told["profile"]["state"], "Docker does not count" in told["profile"]["text"]) == (
        "warning",
        True,
    )
