"""A hub on this machine for a first look: ``make hub``.

Sessions are containers where a Docker engine has their image, else processes of the account that
started the hub (places.py). The password is one for all, so it listens on this machine alone. For
people, see docs/hub-admin.md.
"""

import os
import re
import secrets
import shutil
import sys
from pathlib import Path

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.login.configuring import login
from jupyter_mlinfn.profiles.spawners.sites import DockerSite, LocalSite

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from places import IMAGE, NETWORK, choose  # noqa: E402 - lies beside this file

CHECKOUT = HERE.parents[1]
PORTS = os.environ.get("MLINFN_HUB_PORTS", "8000,8001,8081,10101")
PORT, PROXY, HUB, SERVICE = map(int, PORTS.split(","))
"""Of the browser, and of the hub's own parts among themselves."""
GPUS = os.environ.get("MLINFN_GPUS", "")
SESSION = os.environ.get("MLINFN_SESSION_IMAGE") or IMAGE
MEMBER = ["users/ai-infn"]

place = choose(os.environ.get("MLINFN_HUB_SPAWNER", ""), SESSION)
sys.stderr.write(f"{place.sentence}\n")
state = Path(os.environ.get("MLINFN_HUB_STATE", ".build/hub")).resolve()
if place.gateway:  # leases and sessions of one kind mean nothing to the other
    state = state / "containers"
state.mkdir(mode=0o755, parents=True, exist_ok=True)
profiles = state / "profiles.toml"
if not profiles.exists():
    offer = HERE / ("profiles-docker.toml" if place.gateway else "profiles.toml")
    text = offer.read_text(encoding="utf-8").replace("/srv/mlinfn", str(state))
    name = re.sub(r"(:[^:/@]+)?(@.+)?$", "", SESSION)
    text = text.replace('"mlinfn/session"', f'"{name}"').replace(f'"{IMAGE}"', f'"{SESSION}"')
    profiles.write_text(text, encoding="utf-8")

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{PORT}"
c.JupyterHub.hub_bind_url = f"http://{place.gateway or '127.0.0.1'}:{HUB}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{PROXY}"
c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.ConfigurableHTTPProxy.command = [
    shutil.which("configurable-http-proxy")
    or str(CHECKOUT / "node_modules" / ".bin" / "configurable-http-proxy")
]

told = os.environ.get("MLINFN_HUB_PASSWORD")
if told and len(told) < 8:
    raise SystemExit("MLINFN_HUB_PASSWORD has fewer than 8 characters. Without it one is made.")
password = told or secrets.token_urlsafe(9)
people = {"ada": MEMBER, "bea": MEMBER, "eve": []}
login(c, "dummy", people=people, password=password)

root = os.geteuid() == 0
pretended = (("MLINFN_GPUS", GPUS),) if GPUS else ()
if place.gateway:
    site = DockerSite(
        network=NETWORK,
        pull="never",
        folder="/home/jovyan",
        # folders are made by this account; the image's own home belongs to the group 100
        uid=1000 if root else os.geteuid(),
        gid=100 if root else os.getegid(),
        groups=(100,),
        # there is no device to ask the engine for where they are simulated
        devices_by="environment" if GPUS == "simulated" else "request",
        environment=pretended,
    )
else:
    # JupyterLab's defaults as in the image of sessions; what a person sets goes before them
    quiet = ("JUPYTER_CONFIG_PATH", str(CHECKOUT / "deploy" / "lab"))
    site = LocalSite(arguments=("--allow-root",) if root else (), environment=(*pretended, quiet))
    # what the offer calls Private: the file browser begins there
    c.SimpleLocalProcessSpawner.home_dir_template = str(state / "private" / "{username}")
desk = configure(
    c,
    profiles,
    spawner="docker" if place.gateway else "local",
    accounts=False,
    devices="simulated" if GPUS == "simulated" else "driver",
    state=state / "mlinfn",
    service=(place.gateway or "127.0.0.1", SERVICE),
    site=site,
)
if not told:
    sys.stderr.write(
        f"Open http://127.0.0.1:{PORT} and log in as ada, bea or eve; the password is {password}\n"
    )
