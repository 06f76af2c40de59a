"""How the ``mlinfn`` program finds this server: a file only this person can read.

It is there while a live client is attached, because only then is there a page that could save a
notebook. Its secret opens one route, ``POST notebooks/save``, and changes with every file.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"})  # noqa: S104


class RuntimeFile:
    """``<jupyter_runtime_dir>/mlinfn-<pid>.json``, mode 0600."""

    def __init__(self, server: ServerApp) -> None:
        self.server = server
        self.path = Path(server.runtime_dir) / f"mlinfn-{os.getpid()}.json"
        self._secret: str | None = None

    def write(self) -> None:
        """Make a new secret and the file, in one step, so that nobody reads half of it."""
        self._secret = secrets.token_urlsafe(32)
        content = {
            "url": self._url(),
            "secret": self._secret,
            "root_dir": os.path.realpath(self.server.root_dir),
            "pid": os.getpid(),
        }
        staging = self.path.with_suffix(f".{secrets.token_hex(8)}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(staging, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file)
        staging.replace(self.path)

    def remove(self) -> None:
        """Take the file and its secret back; harmless when there is none."""
        self._secret = None
        self.path.unlink(missing_ok=True)

    def matches(self, given: str) -> bool:
        """Whether ``given`` is the secret of now, compared in constant time."""
        return self._secret is not None and hmac.compare_digest(
            self._secret.encode(), given.encode("utf-8", "replace")
        )

    def _url(self) -> str:
        """The base URL a program on this machine can reach."""
        parts = self.server._get_urlparts(path=self.server.base_url)
        if not self.server.sock and self.server.ip in LOCAL:
            host = "[::1]" if ":" in self.server.ip else "127.0.0.1"
            parts = parts._replace(netloc=f"{host}:{self.server.port}")
        return str(parts.geturl())
