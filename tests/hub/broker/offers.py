"""An offer with Kubernetes in it, what a session of it may ask for, and Jobs of our back-end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_mlinfn.hub.broker.allowance import Allowance, allowance
from jupyter_mlinfn.hub.broker.persons import Person, person
from jupyter_mlinfn.jobs.backends.kubernetes import manifest, template
from jupyter_mlinfn.jobs.sweeps.handing import Array
from jupyter_mlinfn.model.jobs import JobSpec
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.reading import load
from jupyter_mlinfn.profiles.spawners.sites import KubeSite, Toleration
from tests.jobs.workplace import make_spec

IMAGE = "registry.invalid/session:1"
GROUP = "users/ai-infn"
OFFER = f"""\
schema = 1
title = "Hub of the tests"

[ceiling]
cpu = 8
memory = "32GiB"
time = "12h"
registries = ["registry.invalid/"]
roots = ["/srv"]

[image.session]
title = "Session"
reference = "{IMAGE}"

[accelerator.slice]
title = "A100 slice 10 GB"
model = "NVIDIA A100 80GB PCIe"
mig = "1g.10gb"

[accelerator.t4]
title = "T4"
model = "Tesla T4"

[volume.home]
title = "Home"
kind = "nfs"
source = "nfs.example.org:/home/{{user}}"
target = "/home/jovyan"
mode = "rw"

[volume.envs]
title = "Environments"
kind = "bind"
source = "/srv/envs"
target = "/envs"
mode = "ro"

[[profile]]
name = "cluster"
title = "With the cluster"
groups = ["{GROUP}"]
images = ["session"]
cpu = [1, 2]
memory = ["2GiB", "4GiB"]
accelerators = ["none", "slice", "t4"]
volumes = ["home", "envs"]
backends = ["kubernetes"]
queues = ["default", "closed"]

[[profile]]
name = "alone"
title = "Without it"
groups = ["*"]
images = ["session"]
cpu = [1]
memory = ["2GiB"]
"""

SITE = KubeSite(
    groups=(2001,),
    pull_secrets=("registry",),
    node_selector=(("pool", "ml"),),
    tolerations=(
        Toleration(key="everywhere"),
        Toleration(key="slices", effect="NoSchedule", pools=frozenset({"slice"})),
    ),
)
ADA = person(("ada", ""), "jobs-{user}")
BOB = person(("bob", "gpu"), "jobs-{user}")
PRIORITIES = ("interactive", "evictable")
FOLDER = Path("/home/jovyan/.local/share/jupyter/mlinfn/jobs/abcdefghij")
ENVIRON = {"HOME": "/home/jovyan", "PATH": "/usr/bin"}


def book(folder: Path) -> Book:
    """The offer, read as the hub does."""
    file = folder / "profiles.toml"
    file.write_text(OFFER, encoding="utf-8")
    return load(file)


def allow(
    found: Book, who: Person = ADA, *, groups: tuple[str, ...] = (GROUP,), **options: object
) -> Allowance:
    """What a session started with these options may ask for."""
    options.setdefault("profile", "cluster")
    return allowance(
        found, who, frozenset(groups), options, SITE, accelerators=1, priorities=PRIORITIES
    )


def pod(may: Allowance) -> template.Template:
    """What our back-end makes of the broker's word."""
    return template.derived(may.pod, template.Session(None, None, ENVIRON))


def place(may: Allowance, queue: str | None = "default", **more: Any) -> manifest.Place:
    """Where our back-end would send a job."""
    return manifest.Place(queue=queue, owner=may.person.owner, **more)


def job(
    may: Allowance, spec: JobSpec | None = None, queue: str | None = "default", **more: Any
) -> dict[str, Any]:
    """The Job of a small job, as our back-end writes it and JSON carries it."""
    spec = spec or make_spec(memory=2**30)
    name = f"mlinfn-{spec.id}"
    made = manifest.manifest(name, spec, FOLDER, pod(may), place(may, queue, **more))
    return dict(json.loads(json.dumps(made)))


def sweep(may: Allowance, array: Array, spec: JobSpec) -> dict[str, Any]:
    """The Job of a sweep."""
    name, token = f"mlinfn-{spec.id}-a0", f"{spec.token}.0"
    made = manifest.sweep(name, spec, FOLDER, pod(may), place(may), array, token)
    return dict(json.loads(json.dumps(made)))
