"""Telling kernels and terminals of this server how programs of S3 come to keys.

They inherit the server's environment: ``AWS_CONFIG_FILE`` in it names a file that names a program.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp

_TOLD = "MLINFN_AREAS"


def tell_programs(server: ServerApp) -> None:
    """Write the file and name it, where the hub told a bucket with its store; else do nothing."""
    told = os.environ.get(_TOLD, "")
    if '"store":' not in told:
        return
    from jupyter_mlinfn.model.errors import MlinfnError
    from jupyter_mlinfn.process.detach import own_program
    from jupyter_mlinfn.storage.areas import read_areas
    from jupyter_mlinfn.storage.bucket.aws_profiles import VARIABLE, write_profiles

    program = own_program("jupyter_mlinfn.cli", "areas", "key", "--")
    try:
        path = write_profiles(read_areas(told), Path(server.runtime_dir), program, os.environ)
    except (OSError, MlinfnError) as error:
        server.log.warning("Programs of S3 find no keys by themselves: %s", error)
        return
    if path is not None:
        os.environ[VARIABLE] = str(path)
