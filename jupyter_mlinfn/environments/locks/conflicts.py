"""The solver's and the channels' complaints in words.

Rattler tells an unsolvable request as a tree of lines (``├─ d * can be installed with …``). The
tree's first level are requirements of the person or of packages; below it says who requires what.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jupyter_mlinfn.model.errors import InputError, MlinfnError, Problem, Unavailable

_MOST = 8
_MISSING = re.compile(r"No candidates were found for (?P<name>\S+) (?P<spec>.+?)\.?\s*$", re.M)
_NO_CANDIDATES = re.compile(r"(?P<name>[\w.-]+) ?(?P<spec>.*?), for which no candidates were found")
_REQUIRES = re.compile(r"(?P<name>[\w.-]+) (?P<version>[^,]+?) would require")
_NODE = re.compile(r"(?P<indent>[│ ]*)[├└]─ (?P<text>.*)")
_WISH = re.compile(
    r"(?P<name>[\w.-]+)(?: (?P<spec>.*?))?(?:,? (?:which )?(?:can be|cannot be|, for which)|$)"
)
_HINTS = {
    "__cuda": "This machine shows no GPU driver that is new enough. "
    "Choose a build for CPU, or ask for the environment on a machine with a GPU.",
    "__glibc": "This system's C library is too old for it. Ask for an older version.",
}


@dataclass(frozen=True)
class _Line:
    depth: int
    text: str


def explain(message: str, specs: Sequence[str], names: Iterable[str]) -> MlinfnError:
    """What the solver said, as an error for people. ``names`` are all that the channels offer."""
    known = sorted(set(names))
    if "No candidates" not in message and re.search(r"cancell?ed|timed? ?out", message, re.I):
        return Unavailable(
            "No solution was found within two minutes. Nothing was changed.",
            code="solver-timeout",
            hint="Say more exactly what you want: name versions, or ask for fewer packages.",
        )
    missing = not_offered(message)
    problems = [_not_there(name, spec, known) for name, spec in missing]
    if not problems:
        problems = _conflict(message)
    return InputError(
        _sentence(problems, missing),
        code=problems[0].code,
        field="packages",
        hint=problems[0].hint,
        problems=problems,
    )


def not_offered(message: str) -> list[tuple[str, str]]:
    """Name and version of every package that was asked for and is in no channel."""
    return [(m["name"], m["spec"]) for m in _MISSING.finditer(message)]


def requirements(message: str) -> list[str]:
    """``d 1.0 needs a >=2.`` for all that stands in the way, as far as the solver told it."""
    return list(dict.fromkeys(_statements(list(_lines(message)))))


def bad_requirement(text: str, why: str) -> InputError:
    """``text`` is no requirement on a package."""
    return InputError(
        f"'{text[:80]}' cannot be read as a package: {why.splitlines()[0]}. Nothing was changed.",
        code="bad-requirement",
        field="packages",
        hint="Examples: numpy, numpy>=2,<3, python=3.11.",
    )


def unreachable(message: str, channels: Sequence[str]) -> Unavailable:
    """A channel that could not be read."""
    named = [channel for channel in channels if channel.rstrip("/") in message]
    channel = named[0] if named else ", ".join(channels)
    return Unavailable(
        f"The channel {channel} cannot be read: {reason(message)}. Nothing was changed.",
        code="channel-unreachable",
        field="channels",
        hint="Look whether its address is right and the network is there, then try again.",
    )


def reason(message: str) -> str:
    """The last cause in rattler's chain of causes, without its numbers."""
    last = message.strip().splitlines()[-1].removeprefix("Caused by: ")
    return re.sub(r" ?\(os error \d+\)", "", last).rstrip(".")


def _not_there(name: str, spec: str, known: Sequence[str]) -> Problem:
    if name in known:
        return Problem(
            code="no-such-version",
            text=f"No version of {name} fulfils '{name} {spec}'.",
            field="packages",
            hint=f"'mlinfn env search {name}' shows the versions there are.",
        )
    near = difflib.get_close_matches(name, known, n=4, cutoff=0.6)
    return Problem(
        code="unknown-package",
        text=f"There is no package {name} in the channels.",
        field="packages",
        hint=f"Did you mean {_either(near)}?" if near else "Is it perhaps a package of pip?",
    )


def _sentence(problems: Sequence[Problem], missing: Sequence[object]) -> str:
    told = " ".join(problem.text for problem in problems[:_MOST])
    if len(problems) > _MOST:
        told += f" And {len(problems) - _MOST} more."
    if missing:
        return f"{told} Nothing was changed."
    return f"These packages do not go together. {told} Nothing was changed."


def _conflict(message: str) -> list[Problem]:
    """One problem for each thing that is required and stands in the way."""
    hint = next((text for name, text in _HINTS.items() if f"{name} " in message), None)
    hint = hint or "Leave one of them out, or ask for other versions of them."
    texts = requirements(message) or [message.strip().splitlines()[-1]]
    return [Problem(code="unsolvable", text=text, field="packages", hint=hint) for text in texts]


def _lines(message: str) -> Iterable[_Line]:
    for raw in message.splitlines():
        if node := _NODE.match(raw):
            yield _Line(len(node["indent"]) // 3, node["text"])
        elif raw.startswith("Cannot solve the request because of: "):
            rest = raw.removeprefix("Cannot solve the request because of: ")
            if "incompatible" not in rest:
                yield _Line(-1, rest)


def _statements(lines: Sequence[_Line]) -> Iterable[str]:
    """``d 1.0 needs a >=2`` for everything that some package requires."""
    parents: dict[int, str] = {}
    for line in lines:
        above = parents.get(line.depth - 1)
        if requires := _REQUIRES.match(line.text):
            parents[line.depth] = f"{requires['name']} {_versions(requires['version'])}"
            continue
        wish = _WISH.match(line.text)
        thing = f"{wish['name']} {wish['spec'] or ''}".replace(" *", "").strip() if wish else None
        parents.pop(line.depth, None)
        if gone := _NO_CANDIDATES.match(line.text):
            needs = f"{gone['name']} {gone['spec']}".strip()
            yield f"{above or 'You'} needs {needs}, which is not to be had."
        elif "locked, but another version is required" in line.text:
            yield f"{line.text.rstrip('.')}."
        elif thing and above:
            yield f"{above} needs {thing}."
        elif thing and line.depth <= 0 and " " in thing:
            yield f"You ask for {thing}."
    yield from _constraints(lines)


def _constraints(lines: Sequence[_Line]) -> Iterable[str]:
    for line in lines:
        if found := re.match(r"the constraint (?P<what>.+?) cannot be fulfilled", line.text):
            yield f"An installed package excludes all but {found['what']}."


def _versions(text: str) -> str:
    """Of ``1.0 | 1.1 | 1.2 | 2.0`` the first and the last."""
    versions = [version.strip() for version in text.split("|")]
    return versions[0] if len(versions) == 1 else f"{versions[0]} to {versions[-1]}"


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
