"""GPUs, environments and batch jobs inside JupyterLab.

Nothing is imported here on purpose: ``mlinfn --help`` and the start of the server pay for
every import of this file. The version is read from the installed distribution.
"""


def _jupyter_server_extension_points() -> list[dict[str, object]]:
    from jupyter_mlinfn.server.app import MlinfnApp

    return [{"module": "jupyter_mlinfn", "app": MlinfnApp}]


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyter_mlinfn"}]
