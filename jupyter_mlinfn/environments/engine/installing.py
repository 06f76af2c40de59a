"""Put the packages of a lock into an empty folder, for the place where it will lie in the end."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rattler import RepoDataRecord
from rattler import install as rattler_install
from rattler.exceptions import InstallerError, LinkError, TransactionError

from jupyter_mlinfn.environments.engine.checking import check
from jupyter_mlinfn.environments.engine.failures import of_installer, of_system
from jupyter_mlinfn.environments.engine.pip_packages import Pip
from jupyter_mlinfn.environments.engine.progress import InstallProgress
from jupyter_mlinfn.environments.engine.records import note_constraints, stem, to_record
from jupyter_mlinfn.environments.engine.reporting import Reporter
from jupyter_mlinfn.environments.engine.sharing import way_of
from jupyter_mlinfn.environments.engine.unpacked import Seen, forget, look_through, protect
from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage


def install(
    lock: Lock,
    staging: Path,
    final_prefix: str,
    *,
    platform: str,
    cache: Path,
    scratch: Path,
    reporter: Reporter,
) -> Seen:
    """Install all of ``lock`` for ``platform`` into ``staging``, as if it lay at ``final_prefix``.

    ``cache`` is the package cache, ``scratch`` a folder for small files. Returns what was seen of
    the files in the cache. Raises
    :class:`MlinfnError` in words for people; what is in ``staging`` then is for the caller to
    remove.
    """
    packages = lock.of(platform)
    records = [to_record(package) for package in packages if package.manager == "conda"]
    seen = install_conda(records, staging, final_prefix, cache=cache, reporter=reporter)
    note_constraints(staging, records, cache)
    pip = [package for package in packages if package.manager == "pip"]
    install_pip(pip, staging, final_prefix, scratch=scratch, reporter=reporter)
    return seen


def install_conda(
    records: Sequence[RepoDataRecord],
    staging: Path,
    final_prefix: str,
    *,
    cache: Path,
    reporter: Reporter,
) -> Seen:
    """Check, fetch and link the conda packages. Link scripts of packages are never run.

    A package whose unpacked files were edited in the cache is unpacked anew. Returns what was
    seen of the others.
    """
    staging.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    seen = _link_looking(records, staging, final_prefix, cache, reporter)
    if seen.edited:
        forget(cache, seen.edited)
        shutil.rmtree(staging)
        seen = _link_looking(records, staging, final_prefix, cache, reporter)
    if way_of(staging, cache) == "hard links":
        protect(cache, [stem(record.file_name) for record in records])
    return seen


def _link_looking(
    records: Sequence[RepoDataRecord],
    staging: Path,
    final_prefix: str,
    cache: Path,
    reporter: Reporter,
) -> Seen:
    """Check, fetch and link, and look through the cache meanwhile: the disk keeps one CPU busy."""
    check(records, cache, reporter)
    names = [stem(record.file_name) for record in records]
    device = staging.parent.stat().st_dev
    with ThreadPoolExecutor(max_workers=1) as pool:
        looking = pool.submit(look_through, cache, names, device)
        _link(records, staging, final_prefix, cache, reporter)
        return looking.result()


def _link(
    records: Sequence[RepoDataRecord],
    staging: Path,
    final_prefix: str,
    cache: Path,
    reporter: Reporter,
) -> None:
    reporter.say("linking", done=0, total=len(records), unit="packages")
    # rattler's protocol has bodies for all methods, which mypy takes for abstract ones
    progress = InstallProgress(reporter, len(records))  # type: ignore[abstract]
    try:
        asyncio.run(
            rattler_install(
                list(records),
                staging.absolute(),
                cache_dir=cache,
                installed_packages=[],
                execute_link_scripts=False,
                show_progress=False,
                reporter=progress,
                alternative_target_prefix=final_prefix,
            )
        )
    except (InstallerError, LinkError, TransactionError) as error:
        urls = [record.url for record in records]
        raise of_installer(str(error), urls, staging) from error
    except OSError as error:
        raise of_system(error, staging) from error


def install_pip(
    packages: Sequence[LockedPackage],
    staging: Path,
    final_prefix: str,
    *,
    scratch: Path,
    reporter: Reporter,
) -> None:
    """Install the pip packages, if there are any, exactly as locked."""
    if not packages:
        return
    names = ", ".join(package.name for package in packages[:3])
    reporter.say("linking", f"{names} (pip)", total=len(packages), unit="packages")
    Pip(staging, scratch).install(packages, final_prefix)
