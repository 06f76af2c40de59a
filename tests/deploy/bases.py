"""Images that stand in for those that deploy/'s Dockerfiles take from a registry.

They are made of a Debian root, the Python that runs the tests and the machine's Node, so that the
files of deploy/ can be built where no registry is reached; :data:`STANDS_IN` names them. What the
real ones have beside that (their own entry points, other versions) is not tested.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.systems import roots
from tests.systems.daemons import Missing
from tests.systems.docker_engine import DockerEngine

STANDS_IN = {
    "python:3.11-slim-bookworm": "mlinfn-base:python",
    "node:22-bookworm-slim": "mlinfn-base:node",
    "postgres:15-bookworm": "mlinfn-base:postgres",
}
"""Images of a registry, and those that are built here for them."""
_HERE = Path(__file__).with_name("stand_ins")
_DEBIAN = "mlinfn-debian:bookworm"
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
_NOT_OF_DEBIAN = ("fuse", "complete", "old")
_LEFT_OUT = {"test", "idlelib", "__pycache__", "site-packages"}


def build(engine: DockerEngine) -> None:
    """Give all of them to ``engine``. Raises :class:`Missing`."""
    engine.take(roots.root("bookworm"), _DEBIAN, without=_NOT_OF_DEBIAN)
    _build(engine, "python", _python())
    _build(engine, "node", _node())
    _build(engine, "postgres", {"postgres.sh": _HERE / "postgres.sh"})


def _python() -> dict[str, Path]:
    prefix = Path(sys.base_prefix)
    version = f"python3.{sys.version_info.minor}"
    if prefix == Path("/usr"):
        raise Missing("the tests' Python is the system's, and cannot be copied by itself")
    shared = {f"python/lib/{one.name}": one for one in prefix.glob("lib/libpython3*.so*")}
    return shared | {
        "python/bin/python3": (prefix / "bin" / version).resolve(),
        f"python/lib/{version}": prefix / "lib" / version,
    }


def _node() -> dict[str, Path]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Missing("Node and npm are not installed")
    package = Path(npm).resolve().parents[1]
    return {"node/bin/node": Path(node).resolve(), "node/lib/node_modules/npm": package}


def _build(engine: DockerEngine, name: str, files: Mapping[str, Path]) -> None:
    """Build ``stand_ins/<name>.Dockerfile`` with ``files`` (place: file or folder)."""
    packed = io.BytesIO()
    told = {"Dockerfile": _HERE / f"{name}.Dockerfile", "authorities.pem": _AUTHORITIES, **files}
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for place, source in told.items():
            tar.add(source, place, filter=_wanted)
        if name == "node":
            link = tarfile.TarInfo("node/bin/npm")
            link.type, link.linkname = tarfile.SYMTYPE, "../lib/node_modules/npm/bin/npm-cli.js"
            tar.addfile(link)
    words = ("build", "--quiet", f"--tag=mlinfn-base:{name}", "-")
    argv = ["docker", "-H", engine.url, *words]
    done = subprocess.run(argv, input=packed.getvalue(), capture_output=True)
    if done.returncode:
        raise Missing(f"{name}: {done.stderr.decode(errors='replace')[-400:]}")


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    inside = set(Path(member.name).parts) & _LEFT_OUT
    if member.name.startswith("python/") and inside:
        return None
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
