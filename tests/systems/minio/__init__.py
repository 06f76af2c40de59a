"""A real MinIO on loopback whose key service believes an OpenID provider; from its Go module.

What is whose says MinIO's own rule (``RULE``): below ``homes/<name>/`` each her own, ``shared/`` is
everybody's. Session policies narrow that further.

``python -m tests.systems.minio`` builds it when it is missing: five minutes of work, once.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from tests.parts import took_part
from tests.systems.daemons import Daemons, Missing, free_ports, started
from tests.systems.kubernetes import building

PART = "MinIO"
AUDIENCE = "minio"
BUCKET = "people"
RULE = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:*"],
            "Resource": [
                f"arn:aws:s3:::{BUCKET}/homes/${{jwt:preferred_username}}/*",
                f"arn:aws:s3:::{BUCKET}/shared/*",
            ],
        },
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [f"arn:aws:s3:::{BUCKET}"]},
    ],
}
_SOURCE = Path(__file__).parent
_MODULE = "github.com/minio/minio"


class MinIO(Daemons):
    """One store with one bucket (``BUCKET``). ``issuer`` is the OpenID provider's address."""

    not_yet = (OSError,)

    def __init__(self, issuer: str = "") -> None:
        super().__init__("minio")
        self.issuer = issuer
        (self.port,) = free_ports(1)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.owner = ("owner", secrets.token_hex(16))
        about = hashlib.sha1(AUDIENCE.encode(), usedforsecurity=False).digest()
        self.role = f"arn:minio:iam:::role/{base64.urlsafe_b64encode(about).decode().rstrip('=')}"

    def start(self) -> None:
        """Bring it up with its bucket and its rule for people. Raises :class:`Missing`."""
        program = minio()
        self.begin(program, {})
        self.client("s3").create_bucket(Bucket=BUCKET)
        if self.issuer:
            self._add_rule()
            self.end("minio")
            told = {
                "CONFIG_URL": f"{self.issuer}.well-known/openid-configuration",
                "CLIENT_ID": AUDIENCE,
                "ROLE_POLICY": "people",
            }
            self.begin(program, {f"MINIO_IDENTITY_OPENID_{key}": told[key] for key in told})
        took_part(PART, f"{version()}, keys by web identity")

    def begin(self, program: Path, told: dict[str, str]) -> None:
        """Start it (again), over what it has."""
        environment = {
            "MINIO_ROOT_USER": self.owner[0],
            "MINIO_ROOT_PASSWORD": self.owner[1],
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "HOME": str(self.work),
            "PATH": os.environ["PATH"],
            **told,
        }
        argv = (
            str(program), "server", "--quiet", f"--address=127.0.0.1:{self.port}",
            str(self.work / "data"),
        )  # fmt: skip
        self.spawn("minio", argv, environment)
        self.until(self._answers, "MinIO", 120)

    def client(self, service: str) -> Any:
        """A client of botocore with the owner's keys."""
        from botocore.config import Config
        from botocore.session import Session

        return Session().create_client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.owner[0],
            aws_secret_access_key=self.owner[1],
            config=Config(s3={"addressing_style": "path"}),
        )

    def _answers(self) -> bool:
        with urlopen(f"{self.endpoint}/minio/health/ready", timeout=10) as answer:
            ready: bool = answer.status == 200
        return ready

    def _add_rule(self) -> None:
        """MinIO's own administration, signed as S3 is."""
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        address = f"{self.endpoint}/minio/admin/v3/add-canned-policy?name=people"
        body = json.dumps(RULE).encode()
        asked = AWSRequest("PUT", address, data=body)
        S3SigV4Auth(Credentials(*self.owner), "s3", "us-east-1").add_auth(asked)
        sent = Request(address, data=body, headers=dict(asked.headers.items()), method="PUT")
        with urlopen(sent, timeout=60) as answer:
            assert answer.status == 200


def start(issuer: str = "") -> MinIO:
    """A running MinIO. Raises :class:`Missing` with the reason, which is also noted."""
    return started(MinIO(issuer), PART)


def version() -> str:
    """The version of the module that ``go.mod`` names."""
    for line in (_SOURCE / "go.mod").read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == [_MODULE]:
            return words[1]
    raise AssertionError("go.mod does not name MinIO")


def minio(*, build: bool | None = None) -> Path:
    """The program; ``build``: make it when it is missing (``None``: if ``MLINFN_TEST_MINIO`` is
    ``build``). Raises :class:`Missing` with the reason."""
    digest = hashlib.sha256()
    for name in ("go.mod", "go.sum"):
        digest.update((_SOURCE / name).read_bytes())
    program = building.place().parent / f"minio-{digest.hexdigest()[:16]}"
    if not program.exists():
        wanted = os.environ.get("MLINFN_TEST_MINIO") == "build" if build is None else build
        if not wanted:
            raise Missing("it is not built yet: 'make minio' does that")
        program.parent.mkdir(parents=True, exist_ok=True)
        with Path(f"{program}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not program.exists():
                building.go_build(_SOURCE, program, _MODULE)
    return program
