"""pip's ``requirements.txt``: packages, comments, continued lines, hashes.

Options that bring other files, other sources or code (``-r``, ``-e``, ``--index-url`` …) are
refused with words: which sources may be used is the administrators' setting, and a lock can only
be made of packages of an index.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from jupyter_mlinfn.environments.locks.findings import Findings
from jupyter_mlinfn.environments.locks.requirements import check_pip
from jupyter_mlinfn.model.errors import InputError

MAX_REQUIREMENTS = 5000
_HASH = re.compile(r"\s--hash[= ](?P<kind>[a-z0-9]+):(?P<digest>[0-9A-Fa-f]+)(?=\s|$)")
_MEANINGS = (
    (("-r", "--requirement"), "another file is asked for", "Copy its lines into this file."),
    (("-c", "--constraint"), "a file of constraints is asked for", "Write the versions here."),
    (
        ("-e", "--editable"),
        "a folder to be edited cannot be locked",
        "Install it yourself after the environment is made, or build a wheel.",
    ),
    (
        ("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--no-index"),
        "where packages come from is set by your administrators",
        "Remove the line.",
    ),
)


@dataclass(frozen=True)
class RequirementLine:
    """A requirement in PEP 508's form, its line (from 1) and the SHA-256 digests beside it."""

    requirement: str
    line: int
    hashes: tuple[str, ...] = ()


def read_requirements(text: str, findings: Findings) -> list[RequirementLine]:
    """All requirements in ``text``; what cannot be used goes to ``findings`` with its line."""
    found: list[RequirementLine] = []
    for number, line in _logical_lines(text):
        if line.startswith("-"):
            _refuse_option(line, number, findings)
            continue
        if len(found) == MAX_REQUIREMENTS:
            findings.add(number, f"more than {MAX_REQUIREMENTS:,} packages are asked for.")
            return found
        hashes = list(_HASH.finditer(line))
        bare = _HASH.sub("", line).strip()
        if option := re.search(r"\s(--?[A-Za-z][A-Za-z-]*)", bare):
            _refuse_option(option.group(1), number, findings)
            continue
        digests = tuple(h["digest"].lower() for h in hashes if h["kind"] == "sha256")
        if (hashes and not digests) or any(len(digest) != 64 for digest in digests):
            findings.add(
                number, "its hashes are no SHA-256 digests.", hint="Write --hash=sha256:…, or none."
            )
            continue
        try:
            found.append(RequirementLine(check_pip(bare), number, digests))
        except InputError as error:
            findings.add_error(number, error)
    return found


def _refuse_option(word: str, number: int, findings: Findings) -> None:
    name = re.split(r"[=\s]", word, maxsplit=1)[0]
    for names, problem, hint in _MEANINGS:
        if name in names or (len(name) > 2 and name[:2] in names and name[1] != "-"):
            findings.add(number, f"{name[:40]}: {problem}.", hint=hint)
            return
    findings.add(
        number, f"{name[:40]}: options of pip are not read here.", hint="Write packages only."
    )


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments, continued ones joined, each with the number it begins at."""
    pending, begun = "", 0
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        begun = begun or number
        line = re.sub(r"(^|\s)#.*$", "", raw)
        if line.endswith("\\") and not raw.lstrip().startswith("#"):
            pending += line[:-1] + " "
            continue
        whole, at = (pending + line).strip(), begun
        pending, begun = "", 0
        if whole:
            yield at, whole
    if pending.strip():
        yield begun, pending.strip()
