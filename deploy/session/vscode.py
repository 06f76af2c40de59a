"""VS Code behind jupyter-server-proxy, where the image has it: a tile in Lab's launcher.

code-server asks for no password of its own: it listens on a socket in the session, and everything
that reaches it has passed the session's login.
"""

import shutil

c = get_config()  # noqa: F821

if shutil.which("code-server"):
    c.ServerProxy.servers = {
        "vscode": {
            "command": [
                "code-server",
                "--auth=none",
                "--disable-telemetry",
                "--disable-update-check",
                "--socket={unix_socket}",
                "--socket-mode=600",
            ],
            "unix_socket": True,
            "timeout": 60,
            "launcher_entry": {"title": "VS Code"},
        }
    }
