"""A hub on this machine for a first look: ``make hub``.

Everybody is the account that started the hub, and the password is one for all, so it listens on
this machine alone. For people, see docs/hub-admin.md.
"""

import os
import secrets
import shutil
import sys
from pathlib import Path

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.login.configuring import login
from jupyter_mlinfn.profiles.spawners.sites import LocalSite

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
STATE = Path(os.environ.get("MLINFN_HUB_STATE", ".build/hub")).resolve()
PORTS = os.environ.get("MLINFN_HUB_PORTS", "8000,8001,8081,10101")
PORT, PROXY, HUB, SERVICE = map(int, PORTS.split(","))
"""Of the browser, and of the hub's own parts among themselves."""
GPUS = os.environ.get("MLINFN_GPUS", "")
MEMBER = ["users/ai-infn"]

STATE.mkdir(mode=0o755, parents=True, exist_ok=True)
profiles = STATE / "profiles.toml"
if not profiles.exists():
    offer = (HERE / "profiles.toml").read_text(encoding="utf-8")
    profiles.write_text(offer.replace("/srv/mlinfn", str(STATE)), encoding="utf-8")

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
# what the offer calls Private: the file browser begins there
c.SimpleLocalProcessSpawner.home_dir_template = str(STATE / "private" / "{username}")

password = os.environ.get("MLINFN_HUB_PASSWORD") or secrets.token_urlsafe(9)
people = {"ada": MEMBER, "bea": MEMBER, "eve": []}
login(c, "dummy", people=people, password=password)
desk = configure(
    c,
    profiles,
    spawner="local",
    accounts=False,
    devices="simulated" if GPUS == "simulated" else "driver",
    state=STATE / "mlinfn",
    service=("127.0.0.1", SERVICE),
    site=LocalSite(
        arguments=("--allow-root",) if os.geteuid() == 0 else (),
        environment=(("MLINFN_GPUS", GPUS),) if GPUS else (),
    ),
)
if "MLINFN_HUB_PASSWORD" not in os.environ:
    sys.stderr.write(
        f"Open http://127.0.0.1:{PORT} and log in as ada, bea or eve; the password is {password}\n"
    )
