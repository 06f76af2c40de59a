"""What was asked of an environment, solved anew for several platforms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.own.exporting import export_file
from jupyter_mlinfn.model.environment_answers import ExportedFile

if TYPE_CHECKING:
    from jupyter_mlinfn.environments.own.policy import Policy
    from jupyter_mlinfn.environments.own.store import OwnEnvironments


def lock_file(
    own: OwnEnvironments, policy: Policy, name: str, platforms: Sequence[str]
) -> ExportedFile:
    """A ``conda-lock.yml`` of the environment's wishes for ``platforms``; nothing is installed.

    Takes seconds and runs a program. Raises :class:`InputError` for a platform nobody knows,
    :class:`Conflict` where the wishes cannot be solved on a platform, :class:`Refused` for a
    channel that may not be used.
    """
    from jupyter_mlinfn.environments.locks.condalock import Sources, lock_platforms
    from jupyter_mlinfn.environments.locks.files import dump_lock
    from jupyter_mlinfn.environments.locks.wishes import dump_environment_yml, read_wish

    wished = export_file(own, name, "environment.yml")
    wish = read_wish(wished.text, wished.file_name)
    assert not isinstance(wish, Lock)
    policy.check_channels(wish.all_channels)
    sources = Sources(
        channels=policy.channels,
        pip_indexes=policy.pip_indexes,
        cuda=policy.cuda,
        program=Path(policy.conda_program) if policy.conda_program else None,
    )
    lock = lock_platforms(wish, tuple(platforms) or (policy.platform,), sources)
    return ExportedFile(
        name=name,
        form="conda-lock.yml",
        file_name="conda-lock.yml",
        text=dump_lock(lock, dump_environment_yml(wish)),
    )
