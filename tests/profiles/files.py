"""A right ``profiles.toml`` for the tests of this folder, and the people who come to it."""

from __future__ import annotations

import os
from functools import cache

from hypothesis import HealthCheck, settings

from jupyter_mlinfn.model.plans import Identity
from jupyter_mlinfn.profiles.document import Book
from jupyter_mlinfn.profiles.names import slug
from jupyter_mlinfn.profiles.reading import read_text

TEXT = """\
schema = 1
title = "Physics"

[ceiling]
cpu = 16
memory = "64GiB"
time = "24h"
slices = 3
registries = ["harbor.example.org/ok/", "registry.example.org:5000/exact/lab"]
roots = ["/srv/data", "/srv/backups"]

[image.lab]
title = "Lab"
reference = "harbor.example.org/ok/lab:1.2"

[image.staff]
title = "Staff's own"
reference = "harbor.example.org/ok/staff:3"
groups = ["admins/ai-infn"]

[accelerator.mig-small]
title = "A100 slice of 10 GB"
model = "NVIDIA A100 80GB PCIe"
mig = "1g.10gb"
memory = "10GiB"
resource = "nvidia.com/mig-1g.10gb"
node = { "nvidia.com/gpu.product" = "NVIDIA-A100-80GB-PCIe" }

[accelerator.mig-large]
title = "A100 slice of 40 GB"
model = "NVIDIA A100 80GB PCIe"
mig = "3g.40gb"
groups = ["admins/ai-infn"]

[resource.fpga]
title = "U55C"
site_name = "xilinx.com/fpga-u55c"

[volume.home]
title = "Your home"
kind = "bind"
source = "/srv/data/homes/{user}"
target = "/home/jovyan"
mode = "rw"
create = true
quota = "100GiB"

[volume.collab]
title = "Collaboration"
kind = "bind"
each = "group"
groups = ["users/ai-infn", "cms"]
source = "/srv/data/groups/{group}"
target = "/collab/{group}"
mode = "rw"
create = true

[volume.collab.backup]
source = "/srv/backups/groups/{group}"
target = "/backups/{group}"

[volume.cms]
title = "CMS software"
kind = "cvmfs"
source = "cms.cern.ch"
target = "/cvmfs/cms.cern.ch"

[volume.scratch]
title = "Scratch"
kind = "tmpfs"
target = "/scratch"
mode = "rw"
quota = "4GiB"

[[profile]]
name = "cpu"
title = "CPU only"
groups = ["*"]
images = ["lab"]
cpu = [1, 0.5]
memory = ["2GiB"]

[[profile]]
name = "gpu-small"
title = "With a slice"
groups = ["users/ai-infn", "admins/ai-infn"]
images = ["lab", "staff"]
cpu = [2, 4]
memory = ["8GiB", "1536MiB", "16GiB"]
shm = "1GiB"
accelerators = ["none", "mig-small", "mig-large"]
resources = { fpga = 2 }
volumes = ["home", "collab"]
optional_volumes = ["cms", "scratch"]
time = { max = "12h", idle = "2h", gpu_idle = "2h", warn = "20min" }
on_full = "wait"
charge = "choose"
privileges = ["fuse"]
ports = [8787]
variables = { OMP_NUM_THREADS = "2" }

[[profile]]
name = "staff"
title = "Staff"
groups = ["admins/ai-infn"]
images = ["staff"]
cpu = [16]
memory = ["64GiB"]
"""


@cache
def book(text: str = TEXT) -> Book:
    """The document of ``text``."""
    return read_text(text, "profiles.toml").book


def tried(examples: int) -> settings:
    """So many examples, the same ones each time: a slow machine is no failure, and what a run
    finds, another finds too. ``MLINFN_EXAMPLES`` asks for as many others."""
    asked = os.environ.get("MLINFN_EXAMPLES")
    return settings(
        max_examples=int(asked or examples),
        derandomize=asked is None,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def person(name: str = "anna", *groups: str) -> Identity:
    """Somebody who logged in, with her groups of now."""
    return Identity(name=name, slug=slug(name), groups=frozenset(groups))


ANNA = person("anna", "users/ai-infn", "cms")
STAFF = person("sofia", "users/ai-infn", "admins/ai-infn")
STRANGER = person("otto")
