"""What to say when rattler finds no certificates.

Its HTTP client is made before it knows whether a channel is on a disk or on the network; without
certificates that fails with nothing but "builder error", and installing then panics.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from jupyter_mlinfn.model.errors import PartMissing

SIGN = "builder error"
"""What rattler 0.28 says, as a :class:`ValueError`."""


def no_certificates() -> PartMissing:
    """Which file was looked for, and what to set."""
    return PartMissing(
        f"No certificates can be read, which are needed to ask channels: {_looked_for()}. "
        "Nothing was changed.",
        code="no-certificates",
        hint="Set SSL_CERT_FILE to a file with your site's certificates before JupyterLab starts, "
        "or have them installed (Debian: apt-get install ca-certificates).",
    )


def _looked_for() -> str:
    named = [(name, os.environ[name]) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")
             if os.environ.get(name)]  # fmt: skip
    if named:
        return ", and ".join(f"{name} names {path}, {_why(Path(path))}" for name, path in named)
    path = ssl.get_default_verify_paths().openssl_cafile
    return f"{path}, {_why(Path(path))}, and SSL_CERT_FILE is not set"


def _why(path: Path) -> str:
    try:
        if path.is_dir():
            os.listdir(path)  # noqa: PTH208 - only whether it may be read
        else:
            path.open("rb").close()
    except FileNotFoundError:
        return "which is not there"
    except OSError as error:
        return f"which cannot be read ({error.strerror})"
    return "which holds none"
