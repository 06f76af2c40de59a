"""Configuration of the JupyterLab that the browser tests talk to.

Everything lies in a temporary folder: no key, cookie, job or setting of the
person who runs the tests is read or written.
"""

import os
import tempfile
from pathlib import Path

from jupyterlab.galata import configure_jupyter_server

_home = Path(os.environ.get("MLINFN_UI_HOME") or tempfile.mkdtemp(prefix="mlinfn-ui-"))
for _name, _folder in {
    "HOME": "home",
    "JUPYTER_CONFIG_DIR": "jupyter-config",
    "JUPYTER_DATA_DIR": "jupyter-data",
    "JUPYTER_RUNTIME_DIR": "jupyter-runtime",
}.items():
    (_home / _folder).mkdir(parents=True, exist_ok=True)
    os.environ[_name] = str(_home / _folder)

configure_jupyter_server(c)  # type: ignore[name-defined]  # noqa: F821
c.ServerApp.ip = "127.0.0.1"  # type: ignore[name-defined]  # noqa: F821
c.ServerApp.port = int(os.environ.get("MLINFN_UI_PORT", "18931"))  # type: ignore[name-defined]  # noqa: F821
c.ServerApp.allow_root = True  # type: ignore[name-defined]  # noqa: F821
c.JupyterNotebookApp.expose_app_in_browser = True  # type: ignore[name-defined]  # noqa: F821
