"""The papers of a lock: what was wished for, the lock itself, the list for other programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import dump_explicit, dump_lock, read_lock
from jupyter_mlinfn.environments.locks.requirements import conda_name
from jupyter_mlinfn.environments.locks.wishes import Wish, dump_environment_yml, read_wish
from jupyter_mlinfn.environments.reading import read_text_head
from jupyter_mlinfn.model.errors import InputError, NotFound, Unavailable
from jupyter_mlinfn.process.durable import write_atomically, write_durably

WISH = "environment.yml"
LOCK = "conda-lock.yml"
EXPLICIT = "explicit.txt"
MANIFEST = "manifest.json"
_LARGEST = 64 * 2**20


def write_papers(folder: Path, lock: Lock, wish: Wish, platform: str) -> None:
    """Write all papers but the manifest into ``folder``. Raises OSError.

    Only the lock is waited for: everything else can be made from it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wished = dump_environment_yml(wish)
    write_atomically(folder / WISH, wished)
    write_atomically(folder / EXPLICIT, dump_explicit(lock, platform))
    write_durably(folder / LOCK, dump_lock(lock, wished))


def read_papers(folder: Path) -> tuple[Lock, Wish]:
    """The lock and the wish in ``folder``.

    A lock without a wish (published by hand) was wished for by its outermost packages. Raises
    :class:`NotFound` when there is no lock and :class:`Unavailable` when it cannot be read.
    """
    try:
        lock = read_lock(read_text_head(folder / LOCK, _LARGEST), where=LOCK)
    except FileNotFoundError:
        raise NotFound(
            f"There is no lock in {folder}.", code="no-lock", hint="Nothing was changed."
        ) from None
    except (OSError, InputError) as error:
        raise Unavailable(
            f"The lock in {folder} cannot be read: {error}",
            code="lock-damaged",
            hint="Nothing was changed.",
        ) from error
    try:
        wish = read_wish(read_text_head(folder / WISH, _LARGEST), WISH)
    except (FileNotFoundError, InputError):
        return lock, wish_of(lock)
    return lock, wish if isinstance(wish, Wish) else wish_of(lock)


def wish_of(lock: Lock) -> Wish:
    """What must have been wished for: the packages that no other one needs, and Python."""
    packages = [package for package in lock.packages if package.category == "main"]
    needed = {name for package in packages for name in package.dependencies}
    outermost = [p for p in packages if p.name not in needed or p.name == "python"]
    conda = sorted({package.name for package in outermost if package.manager == "conda"})
    pip = sorted({package.name for package in outermost if package.manager == "pip"})
    return Wish(channels=lock.channels, conda=tuple(conda), pip=tuple(pip))


def with_requirements(present: Iterable[str], added: Iterable[str]) -> tuple[str, ...]:
    """Conda requirements with ``added`` in the place of those that name the same package."""
    new = {conda_name(spec): spec for spec in added}
    kept = [spec for spec in present if conda_name(spec) not in new]
    return (*kept, *new.values())
