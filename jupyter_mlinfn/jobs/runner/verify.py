"""Is the environment still what was recorded? A job runs in exactly that, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jupyter_mlinfn.environments.inventory import compare, digest
from jupyter_mlinfn.environments.own.verifying import in_words, plain, what_changed, what_to_do
from jupyter_mlinfn.environments.resolver import present_packages
from jupyter_mlinfn.jobs.attempt import AttemptFolder, read_json
from jupyter_mlinfn.jobs.exactness.inputs import changed_files, changed_inputs
from jupyter_mlinfn.jobs.runner.kernel import workdir
from jupyter_mlinfn.jobs.runner.outcome import Ended, Outcome
from jupyter_mlinfn.model.environments import EnvironmentRef, Package
from jupyter_mlinfn.model.errors import MlinfnError, PartMissing

_SHOWN = 5


def verify_environment(folder: AttemptFolder) -> None:
    """Compare the environment of now with the recorded one.

    With a lock every file counts: those of the prefix, or the bytes of the image. Without one it
    is the inventory. An exact rerun's captured files and inputs are compared as well. Raises
    :class:`Ended`: ``environment-missing``, ``environment-mismatch`` or ``input-changed`` with
    what differs, or ``bundle-damaged``.
    """
    recorded = read_json(folder.bundle / "environment.json")
    if recorded is None or "ref" not in recorded:
        raise Ended(Outcome.failed("bundle-damaged", _DAMAGED))
    ref = EnvironmentRef.model_validate(recorded["ref"])
    before = [Package.model_validate(item) for item in recorded.get("packages", ())]
    if (spec := folder.spec()).get("exact"):
        _verify_files_and_inputs(folder, spec)
    if ref.digest is None:
        return  # no inventory can be had of this kernel, which the record says
    if ref.image is not None:
        _verify_image(ref)
    elif ref.locked and ref.prefix is not None:
        _verify_files(ref, before)
    else:
        _verify_inventory(ref, before)


def _verify_files_and_inputs(folder: AttemptFolder, spec: Mapping[str, Any]) -> None:
    """An exact rerun that waited for hours still meets the inputs of the first run, or ends."""
    for one in changed_files(spec["files"], folder.bundle):
        text = f"The captured file {one.name} is not what it was: {one.why}. None of your code ran."
        raise Ended(Outcome.failed("bundle-damaged", text))
    told = [
        f"{one.name}: {one.why}" for one in changed_inputs(spec["files"], workdir(folder, spec))
    ]
    if told:
        text = (
            "This is an exact rerun, and its inputs changed since it was submitted, so none of "
            f"your code ran. {'; '.join(told[:_SHOWN])}."
        )
        raise Ended(Outcome.failed("input-changed", text))


_DAMAGED = "What was recorded of this job's environment cannot be read. Submit the job again."


def _verify_inventory(ref: EnvironmentRef, before: Sequence[Package]) -> None:
    try:
        present = present_packages(ref)
    except PartMissing as error:
        raise Ended(Outcome.failed("environment-missing", error.text)) from error
    if digest(present) == ref.digest:
        return
    told = differences(before, present)
    shown = "; ".join(told[:_SHOWN])
    more = f"; and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    what = f" Now {shown}{more}." if told else ""
    raise _mismatch(
        f"The environment '{ref.name}' is not what it was when the job was submitted, so none of "
        f"your code ran.{what} Run the job again to use the environment as it is now."
    )


def _verify_files(ref: EnvironmentRef, before: Sequence[Package]) -> None:
    """Every file of the prefix against what was noted when it was installed."""
    try:
        told = what_changed(ref, before)
    except OSError as error:
        text = f"The files of '{ref.name}' cannot be read: {error.strerror}. None of your code ran."
        raise Ended(Outcome.failed("environment-missing", text)) from error
    if told:
        raise _mismatch(
            f"The files of the environment '{ref.name}' are not what they were when it was "
            f"installed, so none of your code ran. Now {told}. {what_to_do(ref)}"
        )


def _verify_image(ref: EnvironmentRef) -> None:
    """The bytes of the image, and of the one below where it is a layer."""
    from jupyter_mlinfn.environments.image.verifying import verify, verify_base

    assert ref.image is not None
    image = Path(ref.image)
    digests = image.parent / ".digests"
    try:
        verify(image, ref.image_digest or "", digests)
        if ref.base is not None:
            verify_base(Path(ref.base), ref.base_digest or "", image.name, digests)
    except MlinfnError as error:
        hint = f" {error.hint}" if error.hint else ""
        text = f"{error.text} None of your code ran.{hint}"
        code = "environment-missing" if error.code == "image-not-found" else "environment-mismatch"
        raise Ended(Outcome.failed(code, text)) from error


def _mismatch(text: str) -> Ended:
    return Ended(Outcome.failed("environment-mismatch", text))


def differences(before: Iterable[Package], after: Iterable[Package]) -> Sequence[str]:
    """What changed between two inventories, one sentence part per package."""
    return [in_words(one) for one in compare(plain(before), plain(after))]
