"""Where a job was given to: ``kubernetes-where.json`` in its folder.

After somebody changes the settings, or the context of a kubeconfig, nothing may be said of jobs
that are somewhere else.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ValidationError

from jupyter_mlinfn.process.durable import write_durably

_FILE = "kubernetes-where.json"


class Where(BaseModel):
    """The server's address and the namespace; of vkd its address alone."""

    server: str
    namespace: str = ""


def note(job_folder: Path, where: Where) -> None:
    """Say it before the job is given."""
    write_durably(job_folder / _FILE, where.model_dump_json())


def noted(job_folder: Path) -> Where | None:
    """What was said; ``None`` where nothing was, or nothing that can be read."""
    try:
        return Where.model_validate_json((job_folder / _FILE).read_bytes())
    except (OSError, ValidationError):
        return None
