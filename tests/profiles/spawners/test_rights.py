"""What a container that DockerSpawner made of a plan really may do, on a real engine."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import docker as engine_api
import pytest
from dockerspawner import DockerSpawner

from jupyter_mlinfn.model.plans import Mount, Plan
from jupyter_mlinfn.profiles.spawners import docker
from jupyter_mlinfn.profiles.spawners.sites import DockerSite
from tests.profiles.spawners import plans, real
from tests.systems import session_image
from tests.systems.daemons import Missing, started
from tests.systems.docker_engine import PART, DockerEngine

pytestmark = [pytest.mark.system, pytest.mark.slow]

MIB = 2**20
NEST = "unshare -Urm sh -c 'mount -t tmpfs none /mnt && echo nested'"


@pytest.fixture(scope="module")
def engine() -> Iterator[DockerEngine]:
    made = DockerEngine()
    try:
        session_image.prepare()
        started(made, PART)
    except Missing as error:
        made.stop()
        pytest.skip(f"no Docker engine here: {error}")
    try:
        session_image.put(made)
        yield made
    finally:
        made.stop()


async def session(engine: DockerEngine, plan: Plan, folder: Path) -> str:
    """The id of a running container of ``plan``, made by DockerSpawner itself."""
    client = engine_api.APIClient(base_url=engine.url, version="auto")
    kind = type("Spawner", (DockerSpawner,), {"_client": client, "_executor": None})
    spawner = kind(user=real.USER, hub=real.HUB, prefix=f"rights-{secrets.token_hex(4)}")
    site = DockerSite(
        command=("sh", "-c", "sleep 3600"), network="none", groups=(2001,), roots=(str(folder),)
    )
    real.apply(spawner, docker.traits(plan, site))
    try:
        made = await spawner.create_object()
        spawner.object_id = made["Id"]
        await spawner.start_object()
    finally:
        spawner.executor.shutdown()
        client.close()
    return str(made["Id"])


def says(engine: DockerEngine, container: str, line: str) -> str:
    """What a shell line in the container prints, errors too."""
    done = engine.docker("exec", container, "sh", "-c", f"{{ {line}; }} 2>&1")
    return done.stdout.strip()


def plan_of(folder: Path, *privileges: str) -> Plan:
    for name in ("mine", "theirs"):
        (folder / name).mkdir(exist_ok=True)
        os.chown(folder / name, 1000, 100)
    mounts = (
        Mount(kind="bind", source=f"{folder}/mine", target="/mine", read_only=False),
        Mount(kind="bind", source=f"{folder}/theirs", target="/theirs", read_only=True),
        Mount(kind="tmpfs", source="", target="/scratch", read_only=False, size=8 * MIB),
    )
    change = {"image": session_image.NAME, "mounts": mounts, "shm": 96 * MIB, "memory": 256 * MIB}
    return plans.NOTHING.model_copy(update={**change, "privileges": frozenset(privileges)})


async def test_a_plain_session_has_no_right_at_all(engine: DockerEngine, tmp_path: Path) -> None:
    made = await session(engine, plan_of(tmp_path), tmp_path)
    assert says(engine, made, "id -u; id -g; id -G").split() == ["1000", "100", "100", "2001"]
    status = says(engine, made, "cat /proc/self/status")
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {int(facts[name], 16) for name in facts if name.startswith("Cap")} == {0}
    assert (facts["NoNewPrivs"], facts["Seccomp"]) == ("1", "2")
    assert "not permitted" in says(engine, made, NEST)
    assert says(engine, made, "ls /dev/fuse").endswith("No such file or directory")
    assert says(engine, made, "echo $NVIDIA_VISIBLE_DEVICES") == "void"
    assert says(engine, made, "df -m --output=size /dev/shm /scratch | tail -n 2").split() == [
        "96", "8",
    ]  # fmt: skip
    assert says(engine, made, "echo kept >/mine/file; cat /mine/file") == "kept"
    assert "Read-only file system" in says(engine, made, "echo x >/theirs/file")
    assert (tmp_path / "mine" / "file").read_text() == "kept\n"
    told = engine.docker("inspect", "--format={{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} "
                         "{{.HostConfig.CpuQuota}} {{.HostConfig.PidsLimit}}", made)  # fmt: skip
    assert told.stdout.split() == [str(256 * MIB), str(256 * MIB), "100000", "4096"]


async def test_a_nesting_session_may_mount_in_a_namespace_of_its_own_and_nothing_more(
    engine: DockerEngine, tmp_path: Path
) -> None:
    made = await session(engine, plan_of(tmp_path, "userns"), tmp_path)
    if "No space left" in (said := says(engine, made, NEST)):
        pytest.skip("this machine lets nobody make a user namespace")
    assert said == "nested"
    status = says(engine, made, "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status").split()
    assert status == ["CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    # outside of a namespace of its own it may do what any session may: nothing
    assert "not permitted" in says(engine, made, "unshare -m true")
