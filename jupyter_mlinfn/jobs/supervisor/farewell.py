"""What follows the end of a job for good: its secrets go, and people are told."""

from __future__ import annotations

from jupyter_mlinfn.jobs import credentials
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.checkpoints import FOR_GOOD


def after_the_end(folder: AttemptFolder) -> None:
    """Nothing while another attempt follows. Of the points of a sweep the one that ends last tells
    of all; its secrets go when whoever looks at the index sees the end."""
    end = read_json(folder.end) or {}
    if end.get("state") not in FOR_GOOD:
        return
    if folder.point is None:
        credentials.remove(folder.job_folder)
    if (folder.job_folder / "notices.json").exists():
        from jupyter_mlinfn.jobs.notices.delivering import deliver_soon

        deliver_soon(folder, end)
