"""A real S3 gateway (versitygw) on loopback that checks every signature, built from its Go module.

``python -m tests.systems.s3`` builds it when it is missing: a minute of work, once.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from pathlib import Path

from jupyter_mlinfn.jobs.backends.kubernetes.bucket import Bucket
from jupyter_mlinfn.jobs.backends.protocol import StagingSettings
from jupyter_mlinfn.model.errors import Unavailable
from tests.parts import took_part
from tests.systems.daemons import Daemons, Missing, free_ports, started
from tests.systems.kubernetes import building

_SOURCE = Path(__file__).parent / "s3gateway"
BUCKET = "jobs"


class S3(Daemons):
    """One bucket; ``keys`` are the variables that give the right to it."""

    not_yet = (OSError, Unavailable)

    def __init__(self) -> None:
        super().__init__("s3")
        (self.port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.keys = {
            "AWS_ACCESS_KEY_ID": "ada",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16),
        }

    @property
    def settings(self) -> StagingSettings:
        """How a job's back-end finds it."""
        return StagingSettings(bucket=BUCKET, endpoint=self.endpoint)

    def start(self) -> None:
        """Bring it up. Raises :class:`Missing`."""
        program = gateway()
        self.begin(program)
        os.environ |= self.keys
        bucket = Bucket(self.settings)
        self.until(lambda: bucket.marks("") == {}, "the S3 gateway")
        took_part("S3", "versitygw, signatures checked")

    def begin(self, program: Path) -> None:
        """Start it (again), over what it has."""
        told = {
            "ROOT_ACCESS": self.keys["AWS_ACCESS_KEY_ID"],
            "ROOT_SECRET": self.keys["AWS_SECRET_ACCESS_KEY"],
            "PATH": os.environ["PATH"],
        }
        argv = (str(program), str(self.work), f"127.0.0.1:{self.port}", BUCKET)
        self.spawn("s3gateway", argv, told)

    def stop(self, patience: float = 5.0) -> None:
        """Leave nothing behind."""
        for name in self.keys:
            os.environ.pop(name, None)
        super().stop(patience)


def start() -> S3:
    """A running gateway. Raises :class:`Missing` with the reason, which is also noted."""
    return started(S3(), "S3")


def gateway(*, build: bool | None = None) -> Path:
    """The program; ``build`` as in :func:`tests.systems.kubernetes.building.programs`.

    Raises :class:`Missing` with the reason.
    """
    digest = hashlib.sha256()
    for path in sorted(_SOURCE.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    program = building.place().parent / f"s3gateway-{digest.hexdigest()[:16]}"
    if not program.exists():
        wanted = os.environ.get("MLINFN_TEST_KUBERNETES") == "build" if build is None else build
        if not wanted:
            raise Missing("it is not built yet: 'python -m tests.systems.s3' does that")
        program.parent.mkdir(parents=True, exist_ok=True)
        building.go_build(_SOURCE, program)
    return program


if __name__ == "__main__":
    try:
        print(gateway(build=True))
    except Missing as error:
        sys.exit(f"The S3 gateway cannot be built: {error}")
