"""Is the environment still what was recorded? A job runs in exactly that, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jupyter_mlinfn.environments.inventory import digest
from jupyter_mlinfn.environments.resolver import present_packages
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import PartMissing

_SHOWN = 5


def verify_environment(folder: AttemptFolder) -> None:
    """Compare the inventory of now with the recorded one.

    Raises :class:`Ended`: ``environment-missing``, ``environment-mismatch`` with what differs, or
    ``bundle-damaged``.
    """
    recorded = read_json(folder.bundle / "environment.json")
    if recorded is None or "ref" not in recorded:
        raise Ended(Outcome.failed("bundle-damaged", _DAMAGED))
    ref = EnvironmentRef.model_validate(recorded["ref"])
    if ref.digest is None:
        return  # no inventory can be had of this kernel, which the record says
    try:
        present = present_packages(ref)
    except PartMissing as error:
        raise Ended(Outcome.failed("environment-missing", error.text)) from error
    if digest(present) != ref.digest:
        before = [Package.model_validate(item) for item in recorded.get("packages", ())]
        raise Ended(Outcome.failed("environment-mismatch", _mismatch(ref.name, before, present)))


_DAMAGED = "What was recorded of this job's environment cannot be read. Submit the job again."


def _mismatch(name: str, before: Iterable[Package], after: Iterable[Package]) -> str:
    told = differences(before, after)
    shown = "; ".join(told[:_SHOWN])
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    what = f" Now {shown}{more}." if told else ""
    return (
        f"The environment '{name}' is not what it was when the job was submitted, so none of your "
        f"code ran.{what} Run the job again to use the environment as it is now."
    )


def differences(before: Iterable[Package], after: Iterable[Package]) -> Sequence[str]:
    """What changed between two inventories, one sentence part per package."""
    old = {package.name: package.version for package in before}
    new = {package.name: package.version for package in after}
    told = []
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            told.append(f"{name} {old[name]} is gone")
        elif name not in old:
            told.append(f"{name} {new[name]} was added")
        elif old[name] != new[name]:
            told.append(f"{name} is {new[name]} instead of {old[name]}")
    return told
