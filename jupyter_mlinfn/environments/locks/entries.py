"""One package of a lock file, checked: what it is called, where it lies, how it is verified."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from jupyter_mlinfn.environments.locks.document import LockedPackage
from jupyter_mlinfn.environments.locks.findings import Findings
from jupyter_mlinfn.environments.locks.requirements import CONDA_NAME, address_problem
from jupyter_mlinfn.environments.locks.safe_yaml import Node

_VERSION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!*-]{0,127}", re.ASCII)
_PIP_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?", re.ASCII)
_CONDA_FILE = re.compile(
    r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)-(?P<version>[A-Za-z0-9_.+!]+)"
    r"-(?P<build>[A-Za-z0-9_.+]+)\.(?:conda|tar\.bz2)",
    re.ASCII,
)
_PIP_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]*\.(?:whl|tar\.gz|zip|tar\.bz2)", re.ASCII)
_HASH = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}
_PLATFORM = re.compile(r"[a-z0-9]+-[a-z0-9_]+|noarch")
_NO_HASH = "Without a hash nobody can tell whether the right file came."


class EntryReader:
    """Reads entries of CEP 37's ``package`` list; what is wrong goes to ``findings``."""

    def __init__(self, platforms: frozenset[str], findings: Findings) -> None:
        self._platforms = platforms
        self._findings = findings

    def read(self, node: Node) -> LockedPackage | None:
        """The package, or ``None`` for virtual packages and for what cannot be used."""
        before = self._findings.count
        if not isinstance(node.value, dict):
            self._findings.add(node.line, f"a package is {node.kind}; it must be a mapping.")
            return None
        entry = node.value
        name = self._text(entry, "name", node.line)
        version = self._text(entry, "version", node.line)
        manager = self._text(entry, "manager", node.line)
        platform = self._text(entry, "platform", node.line)
        url = self._text(entry, "url", node.line)
        if self._findings.count > before or (manager == "conda" and name.startswith("__")):
            return None
        if manager not in {"conda", "pip"}:
            self._findings.add(node.line, f"{name[:60]!r}: manager is neither conda nor pip.")
            return None
        if platform not in self._platforms:
            self._findings.add(
                node.line, f"{name[:60]!r} is for {platform[:40]!r}, which metadata does not list."
            )
        hashes = self._hashes(entry.get("hash"), node.line, name)
        dependencies = self._dependencies(entry.get("dependencies"))
        category = entry.get("category")
        package = LockedPackage(
            name=name,
            version=version,
            manager="conda" if manager == "conda" else "pip",
            platform=platform,
            url=url,
            md5=hashes.get("md5"),
            sha256=hashes.get("sha256"),
            dependencies=dependencies,
            category=category.value if category and isinstance(category.value, str) else "main",
        )
        return checked(package, node.line, self._findings)

    def _text(self, entry: dict[str, Node], key: str, line: int) -> str:
        node = entry.get(key)
        if node is None or not isinstance(node.value, str) or not node.value:
            self._findings.add(node.line if node else line, f"a package has no {key}.")
            return ""
        return node.value

    def _hashes(self, node: Node | None, line: int, name: str) -> dict[str, str]:
        values = node.value if node is not None and isinstance(node.value, dict) else {}
        found = {}
        for kind, pattern in _HASH.items():
            value = values.get(kind)
            if value is None or value.value is None or value.value == "":
                continue
            if isinstance(value.value, str) and pattern.fullmatch(value.value.lower()):
                found[kind] = value.value.lower()
            else:
                self._findings.add(value.line, f"{name[:60]!r}: {kind} is no hexadecimal digest.")
        return found

    def _dependencies(self, node: Node | None) -> dict[str, str]:
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self._findings.add(node.line, f"dependencies are {node.kind}; write NAME: VERSION.")
            return {}
        found = {}
        for name, spec in node.value.items():
            if spec.value is None or isinstance(spec.value, str):
                found[name] = spec.value or ""
            else:
                self._findings.add(spec.line, f"the version of {name[:60]!r} is {spec.kind}.")
        return found


def checked(package: LockedPackage, line: int, findings: Findings) -> LockedPackage | None:
    """The package with its ``build``, if address, name and hash go together."""
    before = findings.count
    shown = repr(package.name[:60])
    names = CONDA_NAME if package.manager == "conda" else _PIP_NAME
    if names.fullmatch(package.name) is None:
        findings.add(line, f"{shown} is no name of a package.")
    if _VERSION.fullmatch(package.version) is None:
        findings.add(line, f"{shown}: {package.version[:60]!r} is no version.")
    if problem := address_problem(package.url):
        findings.add(line, f"{shown} cannot be fetched: {problem}.")
    if not package.sha256 and (package.manager == "pip" or not package.md5):
        hint = "Lock again from an index that gives hashes."
        if package.manager == "conda":
            hint = "Lock again, or list with: conda list --explicit --sha256."
        findings.add(line, f"{shown} has no SHA-256. {_NO_HASH}", hint=hint)
    if findings.count > before:
        return None
    if package.manager == "pip":
        if _PIP_FILE.fullmatch(unquote(package.file_name)) is None:
            findings.add(line, f"{shown}: its address names no wheel or source archive.")
        return package if findings.count == before else None
    return _checked_conda(package, line, findings)


def _checked_conda(package: LockedPackage, line: int, findings: Findings) -> LockedPackage | None:
    shown = repr(package.name[:60])
    match = _CONDA_FILE.fullmatch(unquote(package.file_name))
    if match is None:
        findings.add(line, f"{shown}: its address names no conda package (.conda, .tar.bz2).")
        return None
    if (match["name"].lower(), match["version"]) != (package.name.lower(), package.version):
        findings.add(
            line,
            f"{shown} {package.version[:40]}: its address names another package, "
            f"{match['name'][:60]} {match['version'][:40]}.",
            hint="Lock again; an entry and its file must be the same package.",
        )
        return None
    subdir = urlsplit(package.url).path.rsplit("/", 2)[-2]
    if subdir not in {package.platform, "noarch"}:
        findings.add(
            line, f"{shown} is listed for {package.platform}, but its file is for {subdir[:40]!r}."
        )
        return None
    return package.model_copy(update={"build": match["build"]})


def explicit_entry(line: str, number: int, findings: Findings) -> LockedPackage | None:
    """One address of an ``@EXPLICIT`` list; ``platform`` is the folder it lies in."""
    url, _, hashed = line.partition("#")
    if "://" not in url:
        findings.add(
            number, "an address is missing.", hint="Each line holds https://… or file:///… ."
        )
        return None
    parts = [unquote(part) for part in url.split("/")]
    match = _CONDA_FILE.fullmatch(parts[-1])
    if match is None or len(parts) < 5 or _PLATFORM.fullmatch(parts[-2]) is None:
        findings.add(number, "the address is none of a conda package (…/PLATFORM/NAME.conda).")
        return None
    digest = hashed.removeprefix("sha256:").lower()
    if hashed and not any(pattern.fullmatch(digest) for pattern in _HASH.values()):
        findings.add(number, "what follows '#' is neither an MD5 nor a SHA-256 digest.")
        return None
    package = LockedPackage(
        name=match["name"],
        version=match["version"],
        manager="conda",
        platform=parts[-2],
        url=url,
        md5=digest if len(digest) == 32 else None,
        sha256=digest if len(digest) == 64 else None,
    )
    return checked(package, number, findings)


def pip_comment_entry(text: str, number: int, findings: Findings) -> LockedPackage | None:
    """``NAME @ URL#sha256=…`` or ``NAME @ URL --hash=sha256:…``, as conda-lock writes them."""
    match = re.fullmatch(
        r"(?P<name>\S+) @ (?P<url>[^\s#]+)(?:#sha256=| --hash=sha256:)(?P<sha256>\S+)", text.strip()
    )
    if match is None or _HASH["sha256"].fullmatch(match["sha256"].lower()) is None:
        findings.add(number, f"a pip package has no address or no SHA-256. {_NO_HASH}")
        return None
    file_name = unquote(match["url"].rsplit("/", 1)[-1])
    version = re.search(r"-(\d[^-]*?)(?:-|\.tar|\.zip|$)", file_name)
    package = LockedPackage(
        name=match["name"],
        version=version.group(1) if version else "0",
        manager="pip",
        platform="",
        url=match["url"],
        sha256=match["sha256"].lower(),
    )
    return checked(package, number, findings)
