"""Kernels of own environments: what Jupyter shows, starts, and where a notebook's name leads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_kernel

from jupyter_mlinfn.environments.own import kernels
from jupyter_mlinfn.magics import with_magics
from jupyter_mlinfn.model.environment_tasks import Alter, Create, Task, TaskRequest
from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.workbench import Workbench

pytestmark = pytest.mark.slow

Done = Callable[[TaskRequest], Task]


def spec(name: str) -> dict[str, object]:
    found: dict[str, object] = KernelSpecManager().get_kernel_spec(name).to_dict()
    return found


def test_a_registered_environment_is_a_kernel_of_jupyter(bench: Workbench, one: Path) -> None:
    registered = bench.own.register("one")
    assert (registered.kernel, registered.registered) == ("mlinfn-one", True)
    found = spec("mlinfn-one")
    assert found["display_name"] == "one (Python 3.11)"
    assert found["metadata"] == {
        "debugger": True,
        "mlinfn": {"environment": "one", "lock": bench.own.record("one").digest},
    }
    assert found["argv"] == [
        str(one / "bin/python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"
    ]  # fmt: skip
    assert [
        r.kernels for r in bench.catalogue.list(measure=False).environments if r.name == "one"
    ] == [("mlinfn-one",)]
    bench.own.unregister("one")
    assert "mlinfn-one" not in KernelSpecManager().find_kernel_specs()
    assert bench.own.record("one").kernel is None
    bench.own.unregister("one")


def test_it_runs_the_environment_and_nothing_of_ours(
    bench: Workbench, one: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "intruder.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bench.own.register("one")
    command = with_magics(spec("mlinfn-one")["argv"], "k")  # type: ignore[arg-type]
    assert any("mlinfn" in word for word in command[5:])
    manager, client = start_new_kernel(kernel_name="mlinfn-one", startup_timeout=60)
    try:
        said: list[str] = []

        def output(message: dict[str, dict[str, str]]) -> None:
            said.append(message["content"].get("text", ""))

        code = (
            "import sys, shutil, importlib.util as u; "
            "print(sys.prefix, shutil.which('python'), u.find_spec('intruder'))"
        )
        client.execute_interactive(code, timeout=60, output_hook=output)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(said).split() == [str(one), str(one / "bin/python"), "None"]


def test_the_kernel_follows_the_environment(bench: Workbench, one: Path, done: Done) -> None:
    bench.own.register("one")
    done(Alter(name="one", add=("greeting=2.0",)))
    now = bench.own.state("one")
    assert now.prefix != one
    assert spec("mlinfn-one")["argv"][0] == str(now.prefix / "bin/python")  # type: ignore[index]
    ref = bench.environments.resolve("mlinfn-one")
    assert (ref.digest, ref.prefix) == (now.digest, str(now.prefix))


def test_a_notebooks_kernel_leads_to_the_lock_it_was_written_for(
    bench: Workbench, one: Path, done: Done
) -> None:
    bench.own.register("one")
    old = bench.own.record("one").digest
    path = kernels.user_kernels() / "mlinfn-one" / "kernel.json"
    before = path.read_text()
    done(Alter(name="one", add=("greeting=2.0",)))
    path.write_text(before)  # as after a crash between the record and the kernel
    assert bench.environments.resolve("mlinfn-one").digest == old
    assert bench.environments.resolve("one").digest == bench.own.record("one").digest
    bench.own.collect(dry_run=False)
    assert not one.exists()
    assert bench.environments.resolve("mlinfn-one").digest == bench.own.record("one").digest


def test_what_a_person_added_to_the_kernel_is_used(bench: Workbench, one: Path) -> None:
    bench.own.register("one")
    path = kernels.user_kernels() / "mlinfn-one" / "kernel.json"
    content = json.loads(path.read_text())
    content["env"]["OMP_NUM_THREADS"] = "3"
    path.write_text(json.dumps(content))
    assert bench.environments.resolve("mlinfn-one").kernel.env["OMP_NUM_THREADS"] == "3"


def test_a_kernel_goes_before_an_environment_of_its_name(bench: Workbench, done: Done) -> None:
    done(Create(name="python3", packages=("python", "greeting")))
    assert not bench.environments.resolve("python3").locked
    digest = bench.own.record("python3").digest
    assert bench.environments.resolve(f"python3@{digest}").locked


def test_without_ipykernel_it_says_what_to_add(bench: Workbench, done: Done) -> None:
    done(Create(name="tiny", packages=("python", "greeting")))
    with pytest.raises(InputError) as refused:
        bench.own.register("tiny")
    assert refused.value.code == "no-ipykernel"
    assert refused.value.hint == "Add it: mlinfn env add tiny ipykernel"
    assert [ref.name for ref in bench.environments.choices() if ref.name == "tiny"] == []


def test_the_kernel_goes_with_ipykernel_and_with_the_environment(
    bench: Workbench, one: Path, done: Done
) -> None:
    bench.own.register("one")
    done(Alter(name="one", remove=("ipykernel",)))
    assert "mlinfn-one" not in KernelSpecManager().find_kernel_specs()
    done(Alter(name="one", add=("ipykernel",)))
    assert "mlinfn-one" in KernelSpecManager().find_kernel_specs()
    bench.own.delete("one")
    assert "mlinfn-one" not in KernelSpecManager().find_kernel_specs()


def test_an_environment_without_a_kernel_is_a_choice_too(bench: Workbench, one: Path) -> None:
    assert [ref.name for ref in bench.environments.choices()].count("one") == 1
    bench.own.register("one")
    names = [ref.name for ref in bench.environments.choices()]
    assert ("one" in names, "mlinfn-one" in names) == (False, True)


def test_somebody_elses_kernel_is_left_alone(bench: Workbench, one: Path) -> None:
    folder = kernels.user_kernels() / "mlinfn-one"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text('{"argv": ["mine"], "display_name": "Mine"}')
    bench.own.unregister("one")
    assert (folder / "kernel.json").is_file()
