"""Plan a clone: of an own or managed environment by its lock, of any conda prefix by its notes.

The clone has the same packages as its source and is installed anew from the package cache, by
links where the file system has them. Nothing of the source's files is shared with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from rattler import PrefixRecord

from jupyter_mlinfn.environments.engine.assignment import Assignment
from jupyter_mlinfn.environments.engine.papers import LOCK, read_papers
from jupyter_mlinfn.environments.engine.plans import Plan, locked_plan
from jupyter_mlinfn.environments.engine.records import completed, read_prefix
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.locks.files import require_platform
from jupyter_mlinfn.environments.locks.wishes import Wish
from jupyter_mlinfn.environments.own.layout import Place, short
from jupyter_mlinfn.environments.own.managed import ManagedEnvironment, find_managed
from jupyter_mlinfn.environments.own.naming import split_state
from jupyter_mlinfn.environments.own.policy import channel_of
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, read_record
from jupyter_mlinfn.environments.own.states import find_state
from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.environment_tasks import Clone
from jupyter_mlinfn.model.errors import InputError, NotFound


@dataclass(frozen=True)
class _Source:
    """What is cloned: papers of a lock, or a prefix without them; ``label`` is for people."""

    label: str
    origin: str
    papers: Path | None
    prefix: Path | None


def plan_clone(assignment: Assignment, request: Clone, reporter: Reporter) -> Plan:
    """What ``request`` comes to. Raises :class:`MlinfnError` in words for people."""
    reporter.say("solving", request.source)
    source = _find(assignment, request.source)
    platform = assignment.policy.platform
    said = f"Cloned from {source.label}."
    if source.papers is not None:
        lock, wish = read_papers(source.papers)
        require_platform(lock, platform, where=f"The lock of {source.label}")
        plan = locked_plan("clone", lock, wish.model_copy(update={"name": request.name}), platform)
        conda = [package for package in lock.of(platform) if package.manager == "conda"]
        prefix = source.prefix or Path("/nonexistent")
        records = completed(conda, prefix, assignment.layout.packages)
        return replace(plan, records=records, origin=source.origin, said=said)
    assert source.prefix is not None, "a source has papers or a prefix"
    return replace(_of_prefix(source.prefix, request), origin=source.origin, said=said)


def _find(assignment: Assignment, text: str) -> _Source:
    if text.startswith("/"):
        return _at_path(Path(text))
    name, digest = split_state(text)
    if assignment.layout.place(name).record.is_file():
        state = find_state(assignment.layout, text)
        return _published(name, state.place, state.digest)
    managed = find_managed(assignment.policy.managed, name)
    if managed.record is not None:
        found = _state_of(managed.record, digest) if digest else managed.record.digest
        return _published(name, Place(managed.path), found)
    if managed.papers is None and managed.prefix is None:
        return _of_image(assignment, managed)
    origin = f"{name}@{managed.digest}" if managed.digest else str(managed.path)
    return _Source(f"'{name}'", origin, managed.papers, managed.prefix)


def _of_image(assignment: Assignment, managed: ManagedEnvironment) -> _Source:
    """A managed image without papers beside it: those inside it are copied to the task."""
    from jupyter_mlinfn.environments.image.contents import read_inside
    from jupyter_mlinfn.environments.image.files import open_image
    from jupyter_mlinfn.environments.image.normalising import PAPERS

    image = open_image(Path(managed.images[0].path), assignment.policy.platform)
    text = read_inside(image, f"{PAPERS}/{LOCK}")
    if not text:
        raise NotFound(
            f"The managed environment '{managed.name}' is an image without a lock.",
            code="no-lock",
            field="source",
            hint="Ask who keeps it to publish its conda-lock.yml with it.",
        )
    papers = assignment.folder / "source"
    papers.mkdir(exist_ok=True)
    (papers / LOCK).write_bytes(text)
    return _Source(f"'{managed.name}'", f"{managed.name}@{managed.digest}", papers, None)


def _published(name: str, place: Place, digest: str) -> _Source:
    label = f"'{name}' ({short(digest)})"
    return _Source(label, f"{name}@{digest}", place.papers(digest), place.prefix(digest))


def _state_of(record: EnvironmentRecord, wanted: str) -> str:
    """The digest of a managed environment that begins with ``wanted``."""
    beginning = "sha256:" + wanted.removeprefix("sha256:")
    for digest in (record.digest, *(entry.digest for entry in record.history)):
        if digest.startswith(beginning):
            return digest
    raise NotFound(
        f"'{record.name}' was never in a state {short(wanted)}.",
        code="no-such-state",
        field="source",
        hint=f"Its present state is {short(record.digest)}.",
    )


def _at_path(path: Path) -> _Source:
    if (path / "environment.json").is_file():
        record = read_record(Place(path))
        return _published(record.name, Place(path), record.digest)
    if not (path / "conda-meta").is_dir():
        raise InputError(
            f"{path} is no environment that conda packages were installed to.",
            code="not-a-conda-prefix",
            field="source",
            hint="Environments made by venv cannot be cloned: create one from their "
            "requirements.txt.",
        )
    return _Source(str(path), str(path), None, path)


def _of_prefix(prefix: Path, request: Clone) -> Plan:
    """The plan from ``conda-meta``, and from what pip installed beside it."""
    records = read_prefix(prefix)
    if not records:
        raise InputError(
            f"No conda package is installed in {prefix}.", code="empty-prefix", field="source"
        )
    pip = _pip_packages(prefix, records)
    conda = _wished(records)
    channels = tuple(dict.fromkeys(channel_of(record.url) for record in records))
    wish = Wish(name=request.name, channels=channels, conda=conda, pip=pip)
    notes = (f"Installed by pip and taken from its index: {', '.join(pip)}.",) if pip else ()
    return Plan(
        action="clone",
        records=records,
        channels=channels,
        wish=wish,
        pip_wanted=pip,
        notes=notes,
    )


def _wished(records: list[PrefixRecord]) -> tuple[str, ...]:
    """What somebody asked for, as far as it is noted; else the outermost packages."""
    asked = {str(spec) for record in records for spec in record.requested_specs if spec}
    if asked:
        return tuple(sorted(asked))
    needed = {text.split(" ")[0] for record in records for text in record.depends}
    names = {record.name.normalized for record in records}
    return tuple(sorted(name for name in names if name not in needed or name == "python"))


def _pip_packages(prefix: Path, records: list[PrefixRecord]) -> tuple[str, ...]:
    """``name==version`` of what pip installed. Raises :class:`InputError` for other sources."""
    known = {str(path).split("/")[-2] for r in records for path in r.files if _is_metadata(path)}
    found = []
    for info in sorted(prefix.glob("lib/python*/site-packages/*.dist-info")):
        if info.name in known:
            continue
        name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
        direct = info / "direct_url.json"
        if direct.is_file() and "vcs_info" in json.loads(read_text_head(direct)):
            raise _not_of_an_index(name, prefix)
        if direct.is_file() and "dir_info" in json.loads(read_text_head(direct)):
            raise _not_of_an_index(name, prefix)
        found.append(f"{name}=={version}")
    return tuple(found)


def _is_metadata(path: Path) -> bool:
    return path.name == "METADATA" and path.parent.name.endswith(".dist-info")


def _not_of_an_index(name: str, prefix: Path) -> InputError:
    return InputError(
        f"{name} in {prefix} was installed from a folder or from version control: nobody could "
        "install it again from a lock.",
        code="not-lockable",
        field="source",
        hint=f"Install a released version there, or remove it: pip uninstall {name}",
    )
