"""Lock files: ``conda-lock.yml`` (CEP 37, version 1) and ``@EXPLICIT`` lists (CEP 23).

What is read may come from anywhere, so every entry is checked: addresses that carry no secrets,
a file name that fits name and version, a hash to verify it by. A conda package without ``md5`` is
allowed by CEP 37 and refused by conda-lock 4.0; we write what we know and invent nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Any

import yaml

from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.environments.locks.entries import (
    EntryReader,
    explicit_entry,
    pip_comment_entry,
)
from jupyter_mlinfn.environments.locks.findings import Findings
from jupyter_mlinfn.environments.locks.requirements import check_channel
from jupyter_mlinfn.environments.locks.safe_yaml import Node, read_yaml
from jupyter_mlinfn.model.errors import InputError

SPEC_FILE = "environment.yml"
LOCK_FILE = "conda-lock.yml"
EXPLICIT_FILE = "explicit.txt"

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_ANEW = "Write the file anew with conda-lock or mlinfn env export."
_HEADER = """\
# Every package of an environment, with address and hash (CEP 37). Do not edit.
# Install with: conda-lock install -n NAME conda-lock.yml
"""


def read_lock(text: str, *, where: str = LOCK_FILE) -> Lock:
    """The lock in ``text``; ``where`` is the file's name, for messages.

    A package that is there once per category is taken once. Raises :class:`InputError`: code
    ``bad-yaml``, or ``bad-lock`` with every problem and its line.
    """
    root = read_yaml(text, where=where)
    findings = Findings(where, code="bad-lock", hint=_ANEW)
    top = root.value if isinstance(root.value, dict) else {}
    version = top.get("version")
    if version is not None and version.value != "1":
        findings.add(
            version.line,
            f"version {version.value} of the lock file's form is not known; only 1 is.",
        )
        findings.check()
    for key in ("metadata", "package"):
        if key not in top:
            findings.add(
                root.line,
                f"{key!r} is missing; this is no conda-lock.yml.",
                hint="An environment.yml is read when the file is called so.",
            )
    findings.check()
    channels, platforms = _metadata(top["metadata"], findings)
    packages = _packages(top["package"], platforms, findings)
    findings.check()
    return Lock.made_of(channels, platforms, packages)


def dump_lock(lock: Lock, spec: str | None = None) -> str:
    """``conda-lock.yml`` of ``lock``; the same lock always gives the same text.

    ``spec`` is the text of the ``environment.yml`` that was asked for; its hashes are noted.
    """
    metadata: dict[str, Any] = {
        "content_hash": {p: lock.digest(p).removeprefix("sha256:") for p in lock.platforms},
        "channels": [{"url": channel, "used_env_vars": []} for channel in lock.channels],
        "platforms": list(lock.platforms),
        "sources": [SPEC_FILE],
    }
    if spec is not None:
        data = spec.encode("utf-8")
        metadata["inputs_metadata"] = {
            SPEC_FILE: {
                "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        }
    packages = sorted(lock.packages, key=lambda p: (p.manager, p.name, p.platform))
    document = {"version": 1, "metadata": metadata, "package": [_entry(p) for p in packages]}
    body: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return _HEADER + body


def require_platform(lock: Lock, platform: str, *, where: str = LOCK_FILE) -> None:
    """Raises :class:`InputError` (code ``foreign-platform``) naming the platforms there are."""
    if platform not in lock.platforms:
        there = ", ".join(lock.platforms) or "none"
        raise InputError(
            f"{where} is not for this machine ({platform}). It is for: {there}.",
            code="foreign-platform",
            field="file_text",
            hint=f"Lock the environment for {platform} too: mlinfn env lock NAME "
            f"--platform {platform}, or conda-lock -p {platform}.",
        )


def dump_explicit(lock: Lock, platform: str) -> str:
    """The ``@EXPLICIT`` list of one platform, dependencies first, with SHA-256 where known.

    pip packages follow as ``# pip …`` lines, which conda-lock and micromamba install and conda
    takes for comments. Raises :class:`InputError` when the lock is not for ``platform``.
    """
    require_platform(lock, platform)
    packages = lock.of(platform)
    lines = [f"# platform: {platform}", "@EXPLICIT"]
    for package in _dependencies_first(p for p in packages if p.manager == "conda"):
        hashed = f"sha256:{package.sha256}" if package.sha256 else package.md5
        lines.append(package.url + (f"#{hashed}" if hashed else ""))
    lines += [
        f"# pip {package.name} @ {package.url}#sha256={package.sha256}"
        for package in packages
        if package.manager == "pip"
    ]
    return "\n".join(lines) + "\n"


def read_explicit(text: str, *, where: str = EXPLICIT_FILE, platform: str | None = None) -> Lock:
    """The lock that an ``@EXPLICIT`` list comes to.

    Its platform is that of the packages, of the ``# platform:`` line, or ``platform`` where all
    packages are for any. Raises :class:`InputError` (code ``bad-lock``) with every problem.
    """
    findings = Findings(where, code="bad-lock", hint=_ANEW)
    found: list[LockedPackage] = []
    said: str | None = None
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    if all(line != "@EXPLICIT" for _, line in lines):
        findings.add(None, "no line says @EXPLICIT; this is no list of packages.")
        findings.check()
    for number, line in lines:
        if match := re.fullmatch(r"#\s*platform:\s*([a-z0-9-]+)", line):
            said = match.group(1)
        if line.startswith("# pip "):
            package = pip_comment_entry(line[6:], number, findings)
        elif not line or line.startswith("#") or line == "@EXPLICIT":
            continue
        else:
            package = explicit_entry(line, number, findings)
        found += [package] if package else []
    subdirs = {p.platform for p in found} - {"noarch", ""}
    if len(subdirs) > 1:
        findings.add(
            None, f"it mixes packages for several platforms: {', '.join(sorted(subdirs))}."
        )
    findings.check()
    target = next(iter(subdirs), None) or said or platform or "noarch"
    return Lock.made_of(
        (p.url.rsplit("/", 2)[0] for p in found if p.manager == "conda"),
        (target,),
        _once((p.model_copy(update={"platform": target}) for p in found), findings),
    )


def _metadata(node: Node, findings: Findings) -> tuple[list[str], list[str]]:
    if not isinstance(node.value, dict):
        findings.add(node.line, f"metadata is {node.kind}; it must be a mapping.")
        return [], []
    channels = []
    for item in _items(node.value.get("channels"), "channels", findings):
        url = item.value.get("url") if isinstance(item.value, dict) else item
        if url is None or not isinstance(url.value, str):
            findings.add(item.line, "a channel has no url.")
            continue
        try:
            channels.append(check_channel(url.value))
        except InputError as error:
            findings.add_error(url.line, error)
    platforms = []
    for item in _items(node.value.get("platforms"), "platforms", findings):
        if isinstance(item.value, str) and re.fullmatch(r"[a-z0-9]+-[a-z0-9_]+", item.value):
            platforms.append(item.value)
        else:
            findings.add(item.line, "a platform must be written as linux-64 is.")
    return channels, platforms


def _items(node: Node | None, name: str, findings: Findings) -> list[Node]:
    if node is None:
        findings.add(None, f"{name!r} is missing in metadata.")
        return []
    if not isinstance(node.value, list):
        findings.add(node.line, f"{name} is {node.kind}; it must be a list.")
        return []
    return node.value


def _packages(node: Node, platforms: list[str], findings: Findings) -> list[LockedPackage]:
    if not isinstance(node.value, list):
        findings.add(node.line, f"package is {node.kind}; it must be a list.")
        return []
    reader = EntryReader(frozenset(platforms), findings)
    entries = (reader.read(item) for item in node.value)
    return _once((entry for entry in entries if entry is not None), findings)


def _once(packages: Iterable[LockedPackage], findings: Findings) -> list[LockedPackage]:
    """Each package once per platform; ``main`` wins over other categories."""
    found: dict[tuple[str, str, str], LockedPackage] = {}
    for package in packages:
        key = (package.platform, package.manager, package.name)
        other = found.get(key)
        if other is not None and other.url != package.url:
            findings.add(
                None,
                f"{package.name} is there twice for {package.platform}, from different files.",
                hint="Lock again; an environment holds each package once.",
            )
        if other is None or package.category == "main":
            found[key] = package
    findings.check()
    return list(found.values())


def _entry(package: LockedPackage) -> dict[str, Any]:
    hashes = {"md5": package.md5, "sha256": package.sha256}
    return {
        "name": package.name,
        "version": package.version,
        "manager": package.manager,
        "platform": package.platform,
        "dependencies": dict(sorted(package.dependencies.items())),
        "url": package.url,
        "hash": {name: value for name, value in hashes.items() if value},
        "category": package.category,
        "optional": package.category != "main",
    }


def _dependencies_first(packages: Iterable[LockedPackage]) -> list[LockedPackage]:
    """In an order to install in; where dependencies run in a circle, by name."""
    by_name = {package.name: package for package in packages}
    ordered: dict[str, LockedPackage] = {}
    begun: set[str] = set()
    stack = sorted(by_name, reverse=True)
    while stack:
        name = stack[-1]
        needed = sorted(n for n in by_name[name].dependencies if n in by_name and n not in begun)
        if name in begun or not needed:
            ordered.setdefault(name, by_name[stack.pop()])
        else:
            stack += needed
        begun.add(name)
    return list(ordered.values())
