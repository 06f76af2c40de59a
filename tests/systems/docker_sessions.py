"""Sessions of the tests' own Docker engine: everything is the product's but the network.

The engine has no bridge, so containers have the machine's network, each server a port of its own
on loopback (hub.md, section 3), and every container sees this checkout, which the image has no
copy of. The driver in it is simulated, and shows the slice that the session was given. The hub of
a test imports this in its ``jupyterhub_config.py``; :class:`DockerHub` is that hub with its engine,
its PostgreSQL and its OpenID provider.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import requests
from jupyterhub.utils import random_port

from jupyter_mlinfn.gpus.simulated.library import COMPILED_VARIABLE
from jupyter_mlinfn.gpus.simulated.scene import SLICES
from jupyter_mlinfn.hub.ways.docker import DockerWay, PlannedDockerSpawner
from jupyter_mlinfn.leases.store import LeaseBook, open_book
from jupyter_mlinfn.model.leases import Device, Lease
from jupyter_mlinfn.model.plans import Plan, Pool
from jupyter_mlinfn.profiles.spawners.sites import DockerSite
from tests.systems import iam as provider
from tests.systems import postgres as databases
from tests.systems import session_image
from tests.systems.daemons import Missing, free_ports, started
from tests.systems.docker_engine import PART as ENGINE
from tests.systems.docker_engine import DockerEngine
from tests.systems.hub import PART, Hub, Person

POOL = "mig-1g10"
MODEL = "NVIDIA A100-SXM4-80GB"
HOST = "localhost"
MEMBERS = "users/ai-infn"
ADMINS = "admins/ai-infn"
HUB = """
import os
from pathlib import Path
from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.login.configuring import Iam, login
from tests.systems.docker_sessions import LoopbackWay, slices
desk = configure(
    c, 'profiles.toml', spawner=LoopbackWay(), devices=slices(int(os.environ['TEST_SLICES'])),
    database=os.environ['TEST_DATABASE'], service=('127.0.0.1', int(os.environ['TEST_SERVICE'])),
)
login(c, 'iam', groups=desk.groups, iam=Iam(
    issuer=os.environ['TEST_ISSUER'], client='hub-iam', secret_file=Path('client-secret'),
    callback=os.environ['TEST_CALLBACK'], admin_groups=frozenset({'admins/ai-infn'})))
c.JupyterHub.hub_connect_ip = '127.0.0.1'
c.JupyterHub.db_url = os.environ['TEST_HUB_DATABASE']
c.Spawner.poll_interval = 10
c.Spawner.http_timeout = c.Spawner.start_timeout = 600
"""
PROFILES = """
schema = 1
spawner = "docker"
[ceiling]
cpu = 2
memory = "1GiB"
registries = ["mlinfn-session"]
roots = ["{areas}"]
[image.lab]
title = "JupyterLab"
reference = "{image}"
[accelerator.{pool}]
title = "A100 slice (10 GB)"
model = "{model}"
mig = "1g.10gb"
[volume.private]
title = "Private"
kind = "bind"
source = "{areas}/private/{{user}}"
target = "{home}"
mode = "rw"
create = true
[volume.collabspace]
title = "Collabspace"
kind = "bind"
each = "group"
groups = ["*"]
source = "{areas}/collabspace/{{group}}"
target = "/srv/collabspace/{{group}}"
mode = "rw"
create = true
[[profile]]
name = "plain"
title = "Without a GPU"
groups = ["users/ai-infn", "admins/ai-infn"]
images = ["lab"]
cpu = [2]
memory = ["1GiB"]
volumes = ["private", "collabspace"]
[[profile]]
name = "slice"
title = "With a slice of a GPU"
groups = ["users/ai-infn"]
images = ["lab"]
cpu = [2]
memory = ["1GiB"]
accelerators = ["{pool}"]
volumes = ["private", "collabspace"]
[[profile]]
name = "secret"
title = "For administrators"
groups = ["admins/ai-infn"]
images = ["lab"]
cpu = [2]
memory = ["1GiB"]
volumes = ["private"]
"""


class LoopbackSpawner(PlannedDockerSpawner):
    """The server listens on loopback, on the port that it was given."""

    async def get_ip_and_port(self) -> tuple[str, int]:
        """As DockerSpawner's documentation says it for the host's network."""
        return "127.0.0.1", self.port


class LoopbackWay(DockerWay):
    """The product's way to Docker, with a port for each session and this checkout in it."""

    spawner = LoopbackSpawner

    def __init__(self) -> None:
        home = str(session_image.HOME)
        super().__init__(
            DockerSite(
                command=(session_image.program(),),
                # the stories in a browser speak to JupyterLab's application
                arguments=("--LabApp.expose_app_in_browser=True",),
                network="host",
                pull="never",
                uid=1000,
                gid=1000,
                folder=home,
                environment=(
                    ("HOME", home),
                    ("PYTHONDONTWRITEBYTECODE", "1"),
                    ("MLINFN_GPUS", "simulated"),
                    # the image has no compiler
                    (COMPILED_VARIABLE, str(session_image.simulated())),
                ),
            )
        )

    def traits(
        self, plan: Plan, server: str, lease: Lease | None, until: datetime | None,
        roots: Sequence[str],
    ) -> dict[str, Any]:  # fmt: skip
        """The product's, and what the engine of the tests needs."""
        told = super().traits(plan, server, lease, until, roots)
        seen = [
            {"type": "bind", "source": str(one), "target": str(one), "read_only": True}
            for one in session_image.bound()
        ]
        mine = {"mounts": [*told["mounts"], *seen], "ip": "127.0.0.1", "port": random_port()}
        return told | mine


def slices(count: int) -> Callable[[Sequence[Pool]], list[Device]]:
    """An inventory of so many slices, seven of each card; the first are the simulated driver's."""

    others = [f"MIG-00000000-0000-0000-0000-{number:012d}" for number in range(7, count)]

    def look(_: Sequence[Pool]) -> list[Device]:
        return [
            Device(
                uuid=uuid, pool=POOL, host=HOST, model=MODEL, mig="1g.10gb",
                parent=f"GPU-{number // 7}",
            )
            for number, uuid in enumerate([*SLICES, *others][:count])
        ]  # fmt: skip

    return look


class DockerHub:
    """Hub, engine, PostgreSQL and provider. Everything is up, or the maker has raised."""

    def __init__(self, count: int) -> None:
        with ExitStack() as stack:
            self.engine = DockerEngine(with_devices=True)
            started(self.engine, ENGINE)
            stack.callback(self.engine.stop)
            session_image.put(self.engine)
            self.postgres = databases.start()
            stack.callback(self.postgres.stop)
            self.hub = Hub(HUB)
            callback = f"{self.hub.url}/hub/oauth_callback"
            self.iam = provider.start([callback])
            stack.callback(self.iam.stop)
            self._prepare(count, callback)
            self._begin()
            stack.callback(self.hub.stop)
            self.hub.until(lambda: self.free() == count, "the hub's first round", 180)
            self._all = stack.pop_all()

    def stop(self) -> None:
        """Leave nothing behind: the hub first, the engine with its containers last."""
        self.leases.close()
        self._all.close()

    def _begin(self) -> None:
        """A hub that cannot be had is missing; one that does not come up is a fault of ours."""
        try:
            started(self.hub, PART)
        except Missing as error:
            if "not installed" in str(error):
                raise
            raise AssertionError(str(error)) from error

    def _prepare(self, count: int, callback: str) -> None:
        work = self.hub.work
        self.areas = work / "areas"
        self.areas.mkdir()
        (work / "profiles.toml").write_text(
            PROFILES.format(
                areas=self.areas, image=session_image.NAME, home=session_image.HOME,
                pool=POOL, model=MODEL,
            )
        )  # fmt: skip
        secret = work / "client-secret"
        secret.write_text(self.iam.secret)
        secret.chmod(0o600)
        address = self.postgres.database()
        self.leases: LeaseBook = open_book(address)
        self.hub.environment |= {
            "DOCKER_HOST": self.engine.url,
            "TEST_CALLBACK": callback,
            "TEST_DATABASE": address,
            "TEST_HUB_DATABASE": self.postgres.database().replace("://", "+psycopg://", 1),
            "TEST_ISSUER": self.iam.issuer,
            "TEST_SERVICE": str(free_ports(1)[0]),
            "TEST_SLICES": str(count),
        }

    def arrive(self, login: str, *groups: str) -> tuple[Person, requests.Response]:
        """Somebody of those groups goes through the login; where that ends."""
        self.iam.person(login, *groups)
        person = Person(self.hub, login)
        address = f"{self.hub.url}/hub/oauth_login?next=/hub/home"
        return person, self.iam.log_in(person.browser, address, login)

    def inside(self, login: str, *groups: str) -> Person:
        """Somebody of those groups who has logged in."""
        person, page = self.arrive(login, *groups)
        assert page.status_code == 200, page.text
        return person

    def token(self, name: str) -> str:
        """An API token of a person's, as she makes it on the hub's page."""
        return str(self.hub.ask("POST", f"users/{name}/tokens", {"note": "tests"}).json()["token"])

    def inspect(self, name: str) -> dict[str, Any]:
        """The engine's own description of a person's only container."""
        (found,) = self.containers(name)
        told: list[dict[str, Any]] = json.loads(self.engine.docker("inspect", found).stdout)
        return told[0]

    def containers(self, name: str) -> list[str]:
        """Full ids of a person's containers."""
        return self.engine.containers(f"--filter=label=mlinfn.user={name}")

    def free(self) -> int:
        """How many devices can be had now."""
        return sum(pool.free for pool in self.leases.pools())

    def held(self, name: str) -> tuple[str, ...]:
        """UUIDs of the devices that the book says a person has."""
        return tuple(lease.device.uuid for lease in self.leases.held_by(name, ""))
