"""The programs of a real Kubernetes control plane with Kueue, built from their Go modules.

Two programs come out of one module graph, so that what they share is compiled once: ``control``
(etcd, kube-apiserver, kube-controller-manager and kube-scheduler in one) and ``kueue``. They and
Kueue's manifests are kept in a folder outside the repository that is named after all that they
are made of: a second run takes them from there at once.

``python -m tests.systems.kubernetes.building`` builds them when they are missing.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.systems.daemons import Missing

GO = Path(__file__).parent / "go"
KUBERNETES = "k8s.io/kubernetes"
KUEUE = "sigs.k8s.io/kueue"
_NEEDED = (1, 26)
_FOLDERS = ("config/components/crd/bases", "config/components/webhook")


@dataclass(frozen=True)
class Programs:
    """Where they lie. ``manifests``: Kueue's ``crd`` and ``webhook`` folders."""

    folder: Path

    @property
    def control(self) -> Path:
        return self.folder / "control"

    @property
    def kueue(self) -> Path:
        return self.folder / "kueue"

    @property
    def manifests(self) -> Path:
        return self.folder / "manifests"


def version(module: str) -> str:
    """The version of a module that ``go.mod`` names."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (GO / "go.mod").read_text(), re.M)
    assert found is not None, module
    return found[1]


def place() -> Path:
    """Where the programs of just these versions lie, or are to lie."""
    digest = hashlib.sha256()
    for path in sorted(GO.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    # the home of the account: a test has a home of its own
    cache = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "jupyter_mlinfn"
    named = os.environ.get("MLINFN_TEST_CACHE")
    return Path(named or cache) / f"kubernetes-{digest.hexdigest()[:16]}"


def programs(*, build: bool | None = None) -> Programs:
    """Those that are there. ``build``: make them otherwise (a quarter of an hour on two cores);
    ``None``: only if the environment says so (``MLINFN_TEST_KUBERNETES=build``).

    Raises :class:`Missing` with the reason.
    """
    folder = place()
    if not (folder / "whole").exists():
        wanted = os.environ.get("MLINFN_TEST_KUBERNETES") == "build" if build is None else build
        if not wanted:
            raise Missing("it is not built yet: 'make kubernetes-parts' does that")
        _build_once(folder)
    return Programs(folder)


def _build_once(folder: Path) -> None:
    """Several processes may want it: one builds, the others wait for it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / "whole").exists():
            return
        go = _go()
        made = Path(tempfile.mkdtemp(prefix="kubernetes-", dir=folder.parent))
        try:
            _build(go, made)
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _build(go: str, folder: Path) -> None:
    stamp = "k8s.io/component-base/version"
    made = version(KUBERNETES)
    major, minor = made[1:].split(".")[:2]
    told = {"gitVersion": made, "gitMajor": major, "gitMinor": minor}
    flags = " ".join(["-s -w", *(f"-X {stamp}.{name}={told[name]}" for name in told)])
    _run(
        go, "build", "-mod=readonly", "-trimpath", f"-ldflags={flags}",
        "-o", f"{folder}/", "./control", f"{KUEUE}/cmd/kueue",
    )  # fmt: skip
    source = Path(_run(go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", KUEUE))
    for name in _FOLDERS:
        target = folder / "manifests" / name.split("/")[2]
        target.mkdir(parents=True)
        for path in (source / name).glob("*.yaml"):
            (target / path.name).write_bytes(path.read_bytes())
    (folder / "whole").touch()


def _go() -> str:
    """The go program. Raises :class:`Missing` when there is none that is new enough."""
    found = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if found is None:
        raise Missing("Go is not installed")
    told = subprocess.run((found, "env", "GOVERSION"), capture_output=True, text=True).stdout
    number = re.match(r"go(\d+)\.(\d+)", told)
    if number is None or (int(number[1]), int(number[2])) < _NEEDED:
        raise Missing(f"Go {_NEEDED[0]}.{_NEEDED[1]} is needed, not {told.strip() or 'this'}")
    return found


def go_build(source: Path, program: Path, package: str = ".") -> None:
    """Build one program with the module graph of ``source``. Raises :class:`Missing`."""
    part = program.with_name(f"{program.name}.{os.getpid()}.part")
    argv = (
        _go(),
        "build",
        "-mod=readonly",
        "-trimpath",
        "-ldflags=-s -w",
        "-o",
        str(part),
        package,
    )
    _run(*argv, folder=source)
    part.replace(program)


def _run(*argv: str, folder: Path = GO) -> str:
    environ = {**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir}
    done = subprocess.run(argv, cwd=folder, env=environ, capture_output=True, text=True)
    if done.returncode:
        words = " ".join(done.stderr.split())
        raise Missing(f"{' '.join(argv[1:2])} failed: {words[-300:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    began = time.monotonic()
    try:
        found = programs(build=True)
    except Missing as error:
        sys.exit(f"Kubernetes with Kueue cannot be built: {error}")
    print(f"{found.folder} after {time.monotonic() - began:.0f} s")
