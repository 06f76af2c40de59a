"""A hub whose two slices nobody uses, and which releases what idles: for the story of the warning.

The simulated cards seem to work wherever a process was given one (``CUDA_VISIBLE_DEVICES``); here
sessions are not, so what they lease stays as idle as they leave it.
"""

import os
import shutil
import sys
from pathlib import Path

from jupyter_mlinfn.gpus.simulated.scene import SLICES
from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.login.configuring import login
from jupyter_mlinfn.model.leases import Device
from jupyter_mlinfn.profiles.spawners.sites import LocalSite

CHECKOUT = Path(os.environ["MLINFN_CHECKOUT"])
STATE = Path(os.environ["MLINFN_HUB_STATE"])
PORT, PROXY, HUB, SERVICE = map(int, os.environ["MLINFN_HUB_PORTS"].split(","))
IDLE = SLICES[5:]
OFFER = """
schema = 1

[ceiling]
cpu = 1
memory = "2GiB"
time = "12h"

[accelerator.a100-slice]
title = "A100 slice (10 GB)"
model = "NVIDIA A100-SXM4-80GB"
mig = "1g.10gb"
memory = "10GiB"

[[profile]]
name = "warned"
title = "Warned at once"
groups = ["*"]
cpu = [1]
memory = ["2GiB"]
accelerators = ["a100-slice"]
time = { max = "8h", gpu_idle = "1h", warn = "3599s" }
advisory = true

[[profile]]
name = "ended"
title = "Ended soon"
groups = ["*"]
cpu = [1]
memory = ["2GiB"]
accelerators = ["a100-slice"]
time = { max = "8h", gpu_idle = "30s", warn = "29s" }
advisory = true
"""


def devices(_pools: object) -> list[Device]:
    """The slices on which nothing of the scene sits."""
    kind = {"pool": "a100-slice", "model": "NVIDIA A100-SXM4-80GB", "mig": "1g.10gb"}
    return [Device(uuid=uuid, host="localhost", **kind) for uuid in IDLE]


profiles = STATE / "profiles.toml"
profiles.write_text(OFFER, encoding="utf-8")

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_port = HUB
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PROXY}"
c.JupyterHub.db_url = f"sqlite:///{STATE / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(STATE / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(STATE / "proxy.pid")
c.ConfigurableHTTPProxy.command = [
    shutil.which("configurable-http-proxy")
    or str(CHECKOUT / "node_modules" / ".bin" / "configurable-http-proxy")
]
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "private" / "{username}")

password = os.environ["MLINFN_HUB_PASSWORD"]
login(c, "dummy", people={"ada": [], "bea": []}, password=password)
agent = (sys.executable, "-m", "jupyter_mlinfn.hub.reclaim.host", "--simulated")
configure(
    c,
    profiles,
    spawner="local",
    accounts=False,
    devices=devices,
    state=STATE / "mlinfn",
    service=("127.0.0.1", SERVICE),
    reclaim={
        "dry_run": False,
        "interval": 0.5,
        # a loaded machine may look away for long; the story is not about that
        "gap": 600,
        "cull_every": 1,
        "hosts": (agent,),
    },
    site=LocalSite(
        command=("env", "-u", "CUDA_VISIBLE_DEVICES", "jupyterhub-singleuser"),
        arguments=(
            "--LabApp.expose_app_in_browser=True",
            *(("--allow-root",) if os.geteuid() == 0 else ()),
        ),
        environment=(("MLINFN_GPUS", "simulated"),),
    ),
)
