"""Real kernels, above all of a venv that holds ipykernel and nothing of us."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlinfn.magics import provisioner
from tests.parts import took_part

BUILD = Path(__file__).parent.parent.parent / ".build"
IPYKERNEL = ("-m", "ipykernel_launcher", "-f", "{connection_file}")


@pytest.fixture(scope="session")
def plain_python() -> Path:
    """The interpreter of a venv with ipykernel alone; made once and kept under ``.build/``.

    ``PLAIN_PYTHON`` names another one, to try the shim with older and newer Pythons.
    """
    if given := os.environ.get("PLAIN_PYTHON"):
        return Path(given)
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = BUILD / f"plain-venv-{minor}"
    python = folder / "bin" / "python"
    BUILD.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests that run beside these want it too
        if not (folder / "complete").exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", "ipykernel"], check=True)
            (folder / "complete").touch()
    took_part("kernel of a plain venv", f"{python.parent.parent.name}, ipykernel alone")
    return python


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@dataclass
class Ran:
    """What one cell did."""

    out: str = ""
    err: str = ""
    error: str = ""
    results: list[str] = field(default_factory=list)

    def take(self, message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            if content["name"] == "stdout":
                self.out += content["text"]
            else:
                self.err += content["text"]
        elif message["msg_type"] == "error":
            self.error = "\n".join(content["traceback"]) or f"{content['ename']}"
        elif message["msg_type"] in {"execute_result", "display_data"}:
            self.results.append(content["data"]["text/plain"])


@dataclass
class Kernel:
    """A running kernel with its blocking client."""

    manager: Any
    client: Any

    def run(self, code: str, timeout: float = 60) -> Ran:
        """Execute ``code`` and collect what it showed."""
        ran = Ran()
        self.client.execute_interactive(
            code, allow_stdin=False, timeout=timeout, output_hook=ran.take
        )
        return ran


@pytest.fixture
def start_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Kernel]]:
    """Starts kernels as a server would whose default provisioner is ours."""
    from jupyter_client.kernelspec import KernelSpecManager
    from jupyter_client.manager import KernelManager
    from jupyter_client.provisioning import KernelProvisionerFactory

    for name in ("HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        folder = tmp_path / f"own-{name.lower()}"
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    factory = KernelProvisionerFactory.instance()
    monkeypatch.setattr(factory, "default_provisioner_name", "mlinfn-provisioner")
    assert provisioner.MlinfnProvisioner

    with ExitStack() as stack:

        def start(
            argv: tuple[str, ...],
            env: dict[str, str] | None = None,
            ready: bool = True,
            **spec: Any,
        ) -> Kernel:
            folder = tmp_path / "specs" / "tried"
            folder.mkdir(parents=True, exist_ok=True)
            content = {"argv": argv, "display_name": "Tried", "language": "python", **spec}
            (folder / "kernel.json").write_text(json.dumps({**content, "env": env or {}}))
            finder = KernelSpecManager(kernel_dirs=[str(folder.parent)])
            manager = KernelManager(kernel_name="tried", kernel_spec_manager=finder)
            notebooks = tmp_path / "notebooks"
            notebooks.mkdir(exist_ok=True)
            manager.start_kernel(cwd=str(notebooks))
            stack.callback(manager.shutdown_kernel, now=True)
            client = manager.client()
            if not ready:
                return Kernel(manager, client)
            client.start_channels()
            stack.callback(client.stop_channels)
            client.wait_for_ready(timeout=60)
            return Kernel(manager, client)

        yield start


@pytest.fixture
def plain_kernel(start_kernel: Callable[..., Kernel], plain_python: Path) -> Kernel:
    """A kernel of the venv that does not hold this package."""
    return start_kernel((str(plain_python), *IPYKERNEL))
