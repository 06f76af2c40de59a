"""A notebook's kernel out of one image: cells run, interrupts arrive, an end leaves nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from jupyter_mlinfn.environments.image import launcher
from jupyter_mlinfn.model.environment_tasks import PackedImage
from tests import parts
from tests.environments.image.tools import need

pytestmark = pytest.mark.system

KERNEL = ("/env/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}")


@pytest.fixture
def spec(kernel_image: PackedImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a kernel spec whose command runs out of the image."""
    need("unsquashfs")
    argv = launcher.command(Path(kernel_image.path), KERNEL, digest=kernel_image.digest)
    folder = tmp_path / "jupyter" / "kernels" / "packed"
    folder.mkdir(parents=True)
    content = {"argv": list(argv), "display_name": "Packed", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(content))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return "packed"


def test_a_notebook_runs_in_the_image(spec: str, tmp_path: Path) -> None:
    cell = "import sys, os; print(sys.prefix, os.path.basename(os.getcwd()), os.getpid())"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    folder = tmp_path / "work"
    folder.mkdir()
    client = NotebookClient(
        notebook, timeout=120, kernel_name=spec, resources={"metadata": {"path": str(folder)}}
    )
    client.execute()
    prefix, here, _ = notebook.cells[0].outputs[0].text.split()
    ways = [found.way for found in launcher.probe() if found.works]
    assert (prefix, here) == ("/env", "work")
    parts.took_part("kernel from an image", f"by {ways[0]}")


@pytest.fixture
def manager(spec: str) -> Iterator[KernelManager]:
    """A kernel manager; whatever a test leaves running is killed."""
    made = KernelManager(kernel_name=spec)
    yield made
    if made.is_alive():
        made.shutdown_kernel(now=True)


def test_an_interrupt_stops_the_cell_and_the_kernel_goes_on(manager: KernelManager) -> None:
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=120)
        said: list[str] = []

        def hear(message: dict[str, object]) -> None:
            content = message["content"]
            assert isinstance(content, dict)
            if message["msg_type"] == "stream":
                said.append(str(content["text"]))
                manager.interrupt_kernel()

        code = "import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(100)"
        reply = client.execute_interactive(code, timeout=60, output_hook=hear)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert int(said[0]) == manager.provisioner.pid
        reply = client.execute_interactive("1 + 1", timeout=60)
        assert reply["content"]["status"] == "ok"
    finally:
        client.stop_channels()


def test_a_killed_kernel_leaves_no_process(manager: KernelManager) -> None:
    manager.start_kernel()
    client = manager.blocking_client()
    client.start_channels()
    client.wait_for_ready(timeout=120)
    client.stop_channels()
    group = os.getpgid(manager.provisioner.pid)
    manager.shutdown_kernel(now=True)
    until = time.monotonic() + 20
    while _group(group) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _group(group)


def _group(group: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found
