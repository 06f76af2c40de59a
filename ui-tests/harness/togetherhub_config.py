"""A hub with a session for a group, in which JupyterLab has real-time collaboration."""

import os
import shutil
from pathlib import Path

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.collaboration import keeping
from jupyter_mlinfn.hub.login.configuring import login
from jupyter_mlinfn.profiles.spawners.sites import LocalSite

CHECKOUT = Path(os.environ["MLINFN_CHECKOUT"])
COLLAB = CHECKOUT / ".venvs" / "collab" / "bin" / "python"
OWN = CHECKOUT / ".venv"
STATE = Path(os.environ["MLINFN_HUB_STATE"])
PORT, PROXY, HUB, SERVICE = map(int, os.environ["MLINFN_HUB_PORTS"].split(","))
OFFER = f"""
schema = 1

[ceiling]
cpu = 4
memory = "8GiB"
time = "12h"
roots = ["{STATE}"]

[volume.collabspace]
title = "Collabspace"
kind = "bind"
each = "group"
groups = ["users/ai-infn", "users/lhcb"]
source = "{STATE}/groups/{{group}}"
target = "{STATE}/groups/{{group}}"
mode = "rw"
create = true

[[profile]]
name = "small"
title = "Small"
description = "For notebooks, plots and a look at results."
groups = ["*"]
cpu = [1, 2]
memory = ["2GiB"]

[[profile]]
name = "together"
title = "Working together"
description = "everybody in the group edits the same notebooks at the same time."
groups = ["users/ai-infn", "users/lhcb"]
cpu = [2, 4]
memory = ["4GiB"]
volumes = ["collabspace"]
collaborative = true
time = {{ max = "12h", idle = "2h" }}
"""

profiles = STATE / "profiles.toml"
profiles.write_text(OFFER, encoding="utf-8")
keeping.EVERY = 0.5

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
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "homes" / "{username}")

login(
    c,
    "dummy",
    people={"ada": ["users/ai-infn", "users/lhcb"], "bea": ["users/ai-infn"], "eve": []},
    password=os.environ["MLINFN_HUB_PASSWORD"],
)
configure(
    c,
    profiles,
    spawner="local",
    accounts=False,
    devices=lambda _pools: [],
    state=STATE / "mlinfn",
    service=("127.0.0.1", SERVICE),
    site=LocalSite(
        command=(str(COLLAB), "-m", "jupyterhub.singleuser"),
        arguments=(
            "--LabApp.expose_app_in_browser=True",
            *(("--allow-root",) if os.geteuid() == 0 else ()),
        ),
        folder=f"{STATE}/groups",
        # what is not in the environment with collaboration is in the checkout's own
        environment=(
            ("JUPYTER_PATH", str(OWN / "share" / "jupyter")),
            ("JUPYTER_CONFIG_PATH", str(OWN / "etc" / "jupyter")),
            ("JUPYTERLAB_DIR", str(OWN / "share" / "jupyter" / "lab")),
        ),
    ),
)
