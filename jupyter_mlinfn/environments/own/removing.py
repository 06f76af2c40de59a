"""Deleting an environment, and collecting what nobody uses any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from jupyter_mlinfn.environments.image import shelf
from jupyter_mlinfn.environments.own import kernels
from jupyter_mlinfn.environments.own.freeing import DELETED, Freed, clear, remove, would_free
from jupyter_mlinfn.environments.own.layout import Layout, Place, short
from jupyter_mlinfn.environments.own.managed import IMAGE_ENDINGS
from jupyter_mlinfn.environments.own.record import EnvironmentRecord, read_record, write_record
from jupyter_mlinfn.environments.own.states import all_states, held_still, read_papers
from jupyter_mlinfn.environments.own.using import Users
from jupyter_mlinfn.model.environment_answers import DeletedEnvironment, Usage
from jupyter_mlinfn.model.environment_tasks import GcItem, GcKept, GcPlan
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Unavailable
from jupyter_mlinfn.model.quantities import show_count, show_memory
from jupyter_mlinfn.process.locks import held

_BYTECODE_KEPT = timedelta(days=7)
_SHOWN = 4


def delete(layout: Layout, name: str, users: Users, *, force: bool) -> DeletedEnvironment:
    """Remove the environment with all its states and its kernels. Images stay for old jobs.

    Raises :class:`Conflict` (``environment-in-use``, ``environment-busy``), :class:`NotFound`,
    :class:`Unavailable` when its record cannot be read (``force`` removes it all the same) or
    the disk refuses.
    """
    place = layout.place(name)
    with held_still(place):
        record = _record_to_delete(place, force)
        used = users.of_record(place, record) if record else ()
        if used and not force:
            raise _in_use(name, used)
        freed = would_free([place.folder])
        try:
            kernels.unregister_all(name)
            remove(place.folder, layout.own)
        except OSError as error:
            raise Unavailable(
                f"'{name}' could not be removed completely: {error.strerror}.",
                code="data-folder",
                hint="'mlinfn env gc' removes the rest.",
            ) from error
    text = _gone(record, name, freed)
    return DeletedEnvironment(name=name, freed=freed.size, files=freed.files, text=text)


def _record_to_delete(place: Place, force: bool) -> EnvironmentRecord | None:
    try:
        return read_record(place)
    except Unavailable:
        if force:
            return None
        raise


def _in_use(name: str, used: Sequence[Usage]) -> Conflict:
    who = ", ".join(f"{use.kind} {use.name}" if use.kind == "job" else use.name for use in used)
    return Conflict(
        f"'{name}' is in use by {who}. Nothing was deleted.",
        code="environment-in-use",
        field="name",
        hint="Stop them first, or delete it with --force: what runs then fails sooner or later.",
    )


def _gone(record: EnvironmentRecord | None, name: str, freed: Freed) -> str:
    what = f"{show_memory(freed.size)} and {show_count(freed.files, 'file')}"
    images = " Its packed files stay until 'mlinfn env gc'." if record and record.images else ""
    return (
        f"'{name}' is deleted with its history and its kernel; that freed {what}. Packages that "
        f"other environments share are kept.{images}"
    )


@dataclass
class _Waste:
    """What nobody uses; ``paths`` of an item are removed together by ``removal``."""

    items: list[tuple[GcItem, Callable[[], None]]] = field(default_factory=list)
    kept: list[GcKept] = field(default_factory=list)


def collect(
    layout: Layout,
    users: Users,
    *,
    dry_run: bool,
    task: str | None = None,
    report: Callable[[str, int, int], None] = lambda name, done, total: None,
    stopped: Callable[[], bool] = lambda: False,
) -> GcPlan:
    """Find what nobody uses, and remove it unless ``dry_run``.

    Kept are: what an environment is now, what a kernel or job uses, and all of an environment
    that is being changed. Sizes are what the disk gets back. ``task`` is the one that does it;
    ``report`` is told what goes next, and ``stopped`` asked before.
    """
    waste = _Waste()
    with ExitStack() as stack:
        for place, record in all_states(layout):
            try:
                stack.enter_context(held_still(place))
            except MlinfnError:
                waste.kept.append(GcKept(name=place.name, why="It is being changed right now."))
                continue
            if isinstance(record, MlinfnError):
                waste.kept.append(GcKept(name=place.name, why=record.text))
                continue
            present = read_record(place)
            if not dry_run:
                # after a crash a kernel may still start an old state, which is removed below
                with suppress(OSError):
                    kernels.renew(present, place)
            _of_environment(place, present, users, waste, layout.own)
        _deleted(layout, waste)
        if any(held(one / "alive") for one in _inside(layout.tasks) if one.name != task):
            why = "A task is working; what it needs may be among them."
            waste.kept.append(GcKept(name="packages and packed files", why=why))
        else:
            _images(layout, users, waste)
            _packages(layout, waste)
        if not dry_run:
            _remove_all(waste, report, stopped)
    items = tuple(item for item, _ in waste.items)
    return GcPlan(
        items=items,
        kept=tuple(waste.kept),
        size=sum(item.size for item in items),
        files=sum(item.files for item in items),
        done=not dry_run,
    )


def _remove_all(
    waste: _Waste, report: Callable[[str, int, int], None], stopped: Callable[[], bool]
) -> None:
    """Remove every item; one that cannot be is kept, with the reason."""
    done = []
    for number, (item, removal) in enumerate(waste.items):
        if stopped():
            break
        report(item.name, number, len(waste.items))
        try:
            removal()
            done.append((item, removal))
        except OSError as error:
            waste.kept.append(GcKept(name=item.name, why=f"It cannot be removed: {error.strerror}"))
    waste.items = done


def _of_environment(
    place: Place, record: EnvironmentRecord, users: Users, waste: _Waste, aside: Path
) -> None:
    for leftover in sorted(place.folder.glob("staging*")):
        _add(waste, "staging", place.name, leftover, partial(clear, leftover))
    digests = {short(entry.digest): entry.digest for entry in record.history}
    for prefix in _inside(place.folder / "prefixes"):
        digest = digests.get(prefix.name)
        if digest == record.digest:
            continue
        # a job may have brought back a state that is in no history
        used = users.of_prefix(prefix, digest or prefix.name)
        if used:
            who = ", ".join(f"{use.kind} {use.name}" for use in used[:_SHOWN])
            waste.kept.append(GcKept(name=f"{place.name}@{prefix.name}", why=f"In use by {who}."))
            continue
        removal = partial(remove, prefix, aside)
        _add(waste, "prefix", f"{place.name}@{prefix.name}", prefix, removal, place.name, digest)


def _images(layout: Layout, users: Users, waste: _Waste) -> None:
    """Packed files of states that no environment is in any more, and that no layer needs."""
    records = [r for _, r in all_states(layout) if isinstance(r, EnvironmentRecord)]
    needed = _Needed(layout, records, users)
    for path in _inside(layout.images):
        if path.suffix not in IMAGE_ENDINGS or str(path) in needed.present:
            continue
        if why := needed.why(str(path)):
            waste.kept.append(GcKept(name=path.name, why=why))
            continue
        noted = [(r, i) for r in records for i in r.images if i.path == str(path)]
        places = [layout.place(record.name) for record, _ in noted]
        name, lock = (places[0].name, noted[0][1].lock) if noted else (None, None)
        _add(waste, "image", path.name, path, partial(_drop_image, path, places), name, lock)


class _Needed:
    """Which packed files are needed, by whom. A layer that is needed needs the image below it."""

    def __init__(self, layout: Layout, records: Sequence[EnvironmentRecord], users: Users) -> None:
        made = [paper.image for paper in shelf.papers(layout.images)]
        images = [*made, *(image for record in records for image in record.images)]
        self._users = users
        self._locks = {image.path: image.lock for image in images}
        self.present = {i.path for r in records for i in r.images if i.lock == r.digest}
        self._started = {
            path: record.name for record in records for path in kernels.images_in_use(record.name)
        }
        self._above: dict[str, list[str]] = {}
        for image in images:
            if image.base is not None:
                self._above.setdefault(image.base.path, []).append(image.path)
        self._owners = {i.path: r.name for r in records for i in r.images}

    def why(self, path: str) -> str | None:
        """Why the file stays, for people; ``None`` when nothing needs it."""
        if path in self._started:
            return f"A kernel of '{self._started[path]}' runs out of it."
        if used := self._users.of_prefix(Path(path), self._locks.get(path, ""), [path]):
            return f"In use by {used[0].kind} {used[0].name}."
        for layer in self._above.get(path, ()):
            if not Path(layer).is_file():
                continue
            owner = self._owners.get(layer)
            whose = f"the packed file of '{owner}'" if owner else f"the layer {Path(layer).name}"
            if layer in self.present:
                return f"{whose[0].upper()}{whose[1:]} lies over it."
            if reason := self.why(layer):
                return f"Needed by {whose}, which stays: {reason}"
        return None


def _drop_image(path: Path, places: Sequence[Place]) -> None:
    """Remove a packed file with its paper, and forget it in the records, which are held."""
    clear(path)
    clear(path.with_suffix(".json"))
    for place in places:
        record = read_record(place)
        rest = tuple(image for image in record.images if image.path != str(path))
        write_record(place, record.model_copy(update={"images": rest}))


def _deleted(layout: Layout, waste: _Waste) -> None:
    """Folders whose removal was cut off."""
    for path in _inside(layout.own):
        if path.name.startswith(DELETED):
            _add(waste, "staging", path.name, path, partial(clear, path))


def _packages(layout: Layout, waste: _Waste) -> None:
    """Packages in the cache that no environment's present lock names, and old compiled modules."""
    named = set(_package_names(layout))
    spared = tuple(f"{name}_" for name in named)  # some caches put a hash behind the name
    for path in _inside(layout.packages):
        if not path.is_dir() or path.name in named or path.name.startswith((*spared, ".")):
            continue
        _add(waste, "packages", path.name, path, _package_removal(path))
    before = datetime.now(UTC) - _BYTECODE_KEPT
    for store in _inside(layout.bytecode):
        for path in _inside(store):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before and not _shared(path):
                _add(waste, "bytecode", path.name, path, partial(clear, path))


def _package_removal(path: Path) -> Callable[[], None]:
    def removal() -> None:
        clear(path)
        clear(path.with_name(path.name + ".lock"))

    return removal


def _package_names(layout: Layout) -> Iterator[str]:
    """``name-version-build`` of all packages of all present locks."""
    for place, record in all_states(layout):
        if isinstance(record, MlinfnError):
            continue
        try:
            lock = read_papers(place.papers(record.digest), record.name)
        except NotFound:
            continue
        for package in lock.packages:
            yield package.file_name.removesuffix(".conda").removesuffix(".tar.bz2")


def _shared(folder: Path) -> bool:
    """Whether a file in it has a second name, in an environment."""
    return any(file.stat().st_nlink > 1 for file in folder.rglob("*") if file.is_file())


def _add(
    waste: _Waste,
    kind: str,
    name: str,
    path: Path,
    removal: Callable[[], None],
    environment: str | None = None,
    digest: str | None = None,
) -> None:
    freed = would_free([path])
    item = GcItem.model_validate(
        {
            "kind": kind,
            "name": name,
            "path": str(path),
            "size": freed.size,
            "files": freed.files,
            "environment": environment,
            "digest": digest,
        }
    )
    waste.items.append((item, removal))


def _inside(folder: Path) -> Iterable[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else ()
