"""The hub of compose.yaml. What differs between sites is in .env and profiles.toml."""

import os

from jupyter_mlinfn.hub import configure
from jupyter_mlinfn.hub.login.configuring import Iam, login
from jupyter_mlinfn.profiles.spawners.sites import DockerSite

GATEWAY = os.environ["MLINFN_GATEWAY"]
PUBLIC = os.environ["MLINFN_PUBLIC"].rstrip("/")
PASSWORD = os.environ["POSTGRES_PASSWORD"]
ADMINS = os.environ["MLINFN_ADMINS"].split(",")
SIMULATED = os.environ["MLINFN_DEVICES"] == "simulated"

c = get_config()  # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['MLINFN_PORT']}"
c.JupyterHub.hub_bind_url = f"http://{GATEWAY}:8081"
c.JupyterHub.hub_connect_ip = GATEWAY
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:8001"
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.db_url = f"postgresql+psycopg://hub:{PASSWORD}@127.0.0.1:5433/hub"
c.Spawner.http_timeout = 300  # a whole course that starts at once shares the machine's cores
c.Spawner.poll_interval = 10  # a container that an administrator removes frees its GPU within it

desk = configure(
    c,
    "/etc/jupyterhub/profiles.toml",
    spawner="docker",
    site=DockerSite(
        network="mlinfn-sessions",
        pull="never",
        folder="/home/jovyan",
        # simulated devices are none that the engine could be asked for
        devices_by="environment" if SIMULATED else "request",
        environment=(("MLINFN_GPUS", "simulated"),) if SIMULATED else (),
    ),
    devices="simulated" if SIMULATED else "driver",
    state="/srv/jupyterhub/mlinfn",
    database=f"postgresql://hub:{PASSWORD}@127.0.0.1:5433/hub",
    service=(GATEWAY, 10101),
)
login(
    c,
    "iam",
    groups=desk.groups,
    iam=Iam(
        issuer=os.environ["IAM_ISSUER"],
        client=os.environ["IAM_CLIENT"],
        callback=f"{PUBLIC}/hub/oauth_callback",
        admin_groups=frozenset(one.strip() for one in ADMINS if one.strip()),
    ),
)
