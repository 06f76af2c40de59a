"""Is the environment still what was recorded? A job runs in exactly that, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from jupyter_mlinfn.environments.inventory import digest
from jupyter_mlinfn.environments.own import manifest
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.resolver import present_packages
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import MlinfnError, PartMissing

_SHOWN = 5


def verify_environment(folder: AttemptFolder) -> None:
    """Compare the environment of now with the recorded one.

    With a lock every file counts: those of the prefix, or the bytes of the image. Without one it
    is the inventory. Raises :class:`Ended`: ``environment-missing``, ``environment-mismatch``
    with what differs, or ``bundle-damaged``.
    """
    recorded = read_json(folder.bundle / "environment.json")
    if recorded is None or "ref" not in recorded:
        raise Ended(Outcome.failed("bundle-damaged", _DAMAGED))
    ref = EnvironmentRef.model_validate(recorded["ref"])
    before = [Package.model_validate(item) for item in recorded.get("packages", ())]
    if ref.digest is None:
        return  # no inventory can be had of this kernel, which the record says
    if ref.image is not None:
        _verify_image(ref)
    elif ref.locked and ref.prefix is not None:
        _verify_files(ref, Path(ref.prefix), before)
    else:
        _verify_inventory(ref, before)


_DAMAGED = "What was recorded of this job's environment cannot be read. Submit the job again."


def _verify_inventory(ref: EnvironmentRef, before: Sequence[Package]) -> None:
    present = _present(ref)
    if digest(present) != ref.digest:
        told = differences(before, present)
        again = "Run the job again to use the environment as it is now."
        raise _mismatch(f"The environment '{ref.name}' is not what it was", told, again)


def _verify_files(ref: EnvironmentRef, prefix: Path, before: Sequence[Package]) -> None:
    """Every file of the prefix against the manifest that was written when it was installed."""
    place = Place(prefix.parents[1])
    try:
        recorded = manifest.read(place.manifest(ref.digest or ""))
        found = manifest.verify(prefix, recorded)
    except (OSError, ValueError) as error:
        text = f"What '{ref.name}' should contain cannot be read ({error}), so nothing was run."
        raise Ended(Outcome.failed("environment-mismatch", f"{text} {_repair(ref)}")) from error
    if not found and recorded.digest == ref.contents:
        return
    told = [*differences(before, _present(ref))]
    told += [manifest.describe(found)] if found else ["it was installed anew with other files"]
    raise _mismatch(f"The files of the environment '{ref.name}' were changed", told, _repair(ref))


def _verify_image(ref: EnvironmentRef) -> None:
    from jupyter_mlinfn.environments.image.verifying import verify

    assert ref.image is not None
    try:
        verify(Path(ref.image), ref.image_digest or "", Path(ref.image).parent / ".digests")
    except MlinfnError as error:
        hint = f" {error.hint}" if error.hint else ""
        text = f"{error.text} None of your code ran.{hint}"
        code = "environment-missing" if error.code == "image-not-found" else "environment-mismatch"
        raise Ended(Outcome.failed(code, text)) from error


def _present(ref: EnvironmentRef) -> Sequence[Package]:
    try:
        return present_packages(ref)
    except PartMissing as error:
        raise Ended(Outcome.failed("environment-missing", error.text)) from error


def _repair(ref: EnvironmentRef) -> str:
    return (
        f"To have it as it was recorded: mlinfn env undo {ref.name} --to {short(ref.digest or '')}."
        f" To keep what is there now, make an environment of it, mlinfn env clone {ref.prefix} "
        "NEWNAME, and submit with that one."
    )


def _mismatch(what: str, told: Sequence[str], then: str) -> Ended:
    shown = "; ".join(told[:_SHOWN])
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    now = f" Now {shown}{more}." if told else ""
    return Ended(
        Outcome.failed(
            "environment-mismatch",
            f"{what} since the job was submitted, so none of your code ran.{now} {then}",
        )
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
