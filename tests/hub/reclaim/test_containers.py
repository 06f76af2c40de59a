"""Which container a process is in, from texts as real hosts write them."""

from __future__ import annotations

import os

import pytest

from jupyter_mlinfn.hub.reclaim.containers import Containers, container_of, inner_pid, is_batch

ID = "3f2b9c" + "0" * 57 + "1"
OTHER = "a" * 64


@pytest.mark.parametrize(
    "text",
    [
        f"12:memory:/docker/{ID}\n11:cpu:/docker/{ID}\n0::/\n",
        f"0::/docker/{ID}\n",
        f"0::/system.slice/docker-{ID}.scope\n",
        f"0::/../{ID}/init\n",
        "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod8d1f_x.slice/"
        f"cri-containerd-{ID}.scope\n",
        f"0::/kubepods/burstable/pod8d1f/{ID}\n",
        f"0::/machine.slice/libpod-{ID}.scope/container\n",
        f"0::/docker/{ID}/docker/{OTHER}\n",
    ],
)
def test_the_id_of_the_container(text: str) -> None:
    assert container_of(text) == ID


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0::/user.slice/user-1000.slice/session-2.scope\n",
        f"0::/machine.slice/libpod-conmon-{ID}.scope\n",
        f"0::/docker/{ID[:-1]}\n",
        f"0::/docker/{ID}0\n",
        f"0::/docker/{ID.upper()}\n",
        "12:memory:/system.slice/docker.service\n",
    ],
)
def test_no_container(text: str) -> None:
    assert container_of(text) is None


def test_the_number_inside_is_the_last_one() -> None:
    assert inner_pid("Name:\tpython\nNSpid:\t61861\t31\t1\n") == 1
    assert inner_pid("Name:\tpython\n") is None


@pytest.mark.parametrize(
    ("words", "batch"),
    [
        (["python", "-I", "-m", "jupyter_mlinfn.jobs.runner", "/home/x"], True),
        (["python", "-m", "jupyter_mlinfn.jobs.supervisor"], True),
        (["python", "-m", "ipykernel_launcher"], False),
        (["grep", "jupyter_mlinfn.jobs.runner"], False),
        ([], False),
    ],
)
def test_a_batch_step_by_its_command_line(words: list[str], batch: bool) -> None:
    assert is_batch(words) is batch


def test_processes_are_put_together_by_container() -> None:
    me = os.getpid()
    parent = os.getppid()
    texts = {"cgroup": f"0::/docker/{ID}\n", "status": "NSpid:\t9\t4\n"}
    found = Containers(
        read=lambda pid, name: texts[name] if pid == me else "",
        words=lambda pid, name: ["python", "-m", "jupyter_mlinfn.jobs.runner"] if pid == me else [],
    ).occupants([parent, me])
    by_id = {one.id: one for one in found}
    assert by_id[ID].pids == (me,)
    assert by_id[ID].inside == (4,)
    assert by_id[ID].batch
    assert by_id[None].pids == (parent,)
    assert not by_id[None].batch


def test_a_living_process_is_looked_at_once() -> None:
    looks: list[str] = []

    def read(pid: int, name: str) -> str:
        looks.append(name)
        return ""

    containers = Containers(read=read)
    for _ in range(3):
        containers.occupants([os.getpid()])
    assert sorted(looks) == ["cgroup", "status"]
    containers.forget_all_but([])
    containers.occupants([os.getpid()])
    assert len(looks) == 4
