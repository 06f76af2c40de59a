"""The program that searches channels: ``python -I -m jupyter_mlinfn.environments.engine.search``.

Started as ``… search CACHE_FOLDER``; one JSON line in, one out, as ``environments/search.py``
writes and reads them. It keeps what it has read of the channels in memory and ends with its
standard input, so it does not outlive whoever started it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rattler import Channel, Gateway, RepoDataRecord
from rattler.exceptions import GatewayError
from rattler.platform import Subdir

from jupyter_mlinfn.environments.engine.certificates import not_certified
from jupyter_mlinfn.environments.locks.certificates import no_certificates
from jupyter_mlinfn.environments.matching import best_matches
from jupyter_mlinfn.environments.search import Answer, Question
from jupyter_mlinfn.model.environment_answers import FoundPackage

_READ = 1 << 16
_LAST = datetime.min.replace(tzinfo=UTC)


async def answer(gateway: Gateway, question: Question) -> Answer:
    """What every channel has; a channel that cannot be read is named, the others still answer."""
    found: list[FoundPackage] = []
    problems: list[str] = []
    more = False
    for address in question.channels:
        try:
            packages, left = await _of_channel(gateway, address, question)
        except GatewayError as error:
            problems.append(f"{address} cannot be read: {_first_line(error)}")
            continue
        known = {package.name for package in found}
        found += [package for package in packages if package.name not in known]
        more |= left
    names = best_matches(question.search, [package.name for package in found], question.limit)
    by_name = {package.name: package for package in found}
    return Answer(
        packages=tuple(by_name[name] for name in names),
        more=more or len(found) > len(names),
        problem="; ".join(problems) or None,
    )


async def _of_channel(
    gateway: Gateway, address: str, question: Question
) -> tuple[list[FoundPackage], bool]:
    channel = Channel(address)
    platforms = (Subdir(question.platform), Subdir("noarch"))
    known = [str(name.normalized) for name in await gateway.names([channel], platforms)]
    names = best_matches(question.search, known, question.limit + 1)
    if not names:
        return [], False
    shown = names[: question.limit]
    records = await gateway.query([channel], platforms, shown, recursive=False)
    versions = _versions(record for part in records for record in part)
    found = [
        FoundPackage(
            name=name, versions=tuple(versions[name][: question.versions]), channel=address
        )
        for name in shown
        if name in versions
    ]
    return found, len(names) > len(shown)


def _versions(records: Iterable[RepoDataRecord]) -> dict[str, list[str]]:
    """The versions of each name, newest first."""
    found: dict[str, dict[str, RepoDataRecord]] = {}
    for record in records:
        found.setdefault(record.name.normalized, {})[str(record.version)] = record
    return {
        name: [
            version
            for version, _ in sorted(
                by_version.items(),
                key=lambda pair: (pair[1].version, pair[1].timestamp or _LAST),
                reverse=True,
            )
        ]
        for name, by_version in found.items()
    }


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:300]


def _lines() -> Iterable[bytes]:
    """The questions as they come; standard input ends with whoever started us."""
    rest = b""
    while data := os.read(0, _READ):
        *whole, rest = (rest + data).split(b"\n")
        yield from whole


def _gateway(cache: Path) -> Gateway | None:
    """``None`` where there are no certificates."""
    try:
        return Gateway(cache_dir=cache)
    except ValueError as error:
        if not_certified(error):
            return None
        raise


def main(arguments: Sequence[str]) -> int:
    """The program."""
    (cache,) = arguments
    gateway = _gateway(Path(cache))
    for line in _lines():
        question = Question.model_validate_json(line)
        if gateway is None:
            found = Answer(packages=(), problem=no_certificates().text)
        else:
            found = asyncio.run(answer(gateway, question))
        sys.stdout.buffer.write(found.model_dump_json().encode() + b"\n")
        sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    code = main(sys.argv[1:])
    os._exit(code)  # rattler's threads crash an interpreter that ends in order
