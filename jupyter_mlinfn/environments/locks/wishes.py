"""What people ask for in files: ``environment.yml``, ``requirements.txt``, or a lock already.

Everything that cannot be used is said at once, with its line. What is left out without harm, such
as ``prefix:``, is told in ``Wish.notes``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import PurePath
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import read_explicit, read_lock
from jupyter_mlinfn.environments.locks.findings import Findings
from jupyter_mlinfn.environments.locks.requirements import (
    channel_named,
    check_channel,
    check_conda,
    check_pip,
    pip_name,
)
from jupyter_mlinfn.environments.locks.requirements_txt import read_requirements
from jupyter_mlinfn.environments.locks.safe_yaml import MAX_BYTES, Node, read_yaml
from jupyter_mlinfn.model.errors import InputError, Refused

_Dumper: type = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
MAX_WISH = 2**20
"""Characters of a file that only asks; locks may have more."""

_LOCK = r"^(package|['\"]package['\"])\s*:"
_PLATFORM = re.compile(r"[a-z0-9]+-[a-z0-9_]+")
_CORRECT = "Correct the line, or remove it."
_KEYS = ("name", "channels", "dependencies", "platforms", "prefix", "variables")


class Wish(BaseModel):
    """An environment as it is asked for, before a solver has chosen.

    ``conda`` holds checked requirements in conda's form, ``pip`` in PEP 508's. ``channels`` empty
    means those of the settings; ``platforms`` empty means this machine's. ``pip_hashes`` maps a
    canonical name to the ``sha256`` digests the person allows. ``notes`` are sentences for people.
    """

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    channels: tuple[str, ...] = ()
    conda: tuple[str, ...] = ()
    pip: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    pip_hashes: dict[str, tuple[str, ...]] = {}
    notes: tuple[str, ...] = ()

    @property
    def all_channels(self) -> tuple[str, ...]:
        """The channels, and those that single requirements name (``channel::name``)."""
        named = (channel_named(spec) for spec in self.conda)
        return tuple(dict.fromkeys((*self.channels, *(c for c in named if c))))

    def check_hashes(self, lock: Lock) -> None:
        """Raises :class:`Refused` if a pip package of ``lock`` has none of the allowed hashes."""
        for package in lock.packages:
            if package.manager != "pip":
                continue
            allowed = self.pip_hashes.get(pip_name(package.name))
            if allowed and package.sha256 not in allowed:
                raise Refused(
                    f"{package.name} {package.version} of the index has none of the hashes in your "
                    "file.",
                    code="hash-differs",
                    field="file_text",
                    hint="Check where the package comes from before you change the hash.",
                )


def read_wish(text: str, file_name: str, *, platform: str | None = None) -> Wish | Lock:
    """What the file ``file_name`` with the content ``text`` asks for.

    By content where that is plain (``@EXPLICIT``, the ``package`` list of a lock), else by name:
    ``.yml`` and ``.yaml`` are environment files, ``.txt`` and ``.in`` requirements. ``platform``
    is that of an ``@EXPLICIT`` list which does not say. Raises :class:`InputError`.
    """
    where = PurePath(file_name).name or "the file"
    _check_size(text, MAX_BYTES, where)
    if re.search(r"^[ \t]*@EXPLICIT[ \t]*$", text, re.MULTILINE):
        return read_explicit(text, where=where, platform=platform)
    suffix = PurePath(where).suffix.lower()
    if suffix in {".yml", ".yaml"} and re.search(_LOCK, text, re.MULTILINE):
        return read_lock(text, where=where)
    _check_size(text, MAX_WISH, where)
    if suffix in {".yml", ".yaml"}:
        return _Environment(where).read(text)
    if suffix in {".txt", ".in"}:
        return _requirements(text, where)
    raise InputError(
        f"It is not known how to read {where[:80]}.",
        code="bad-file-name",
        field="file_name",
        hint="Use environment.yml, conda-lock.yml, requirements.txt, or a list with @EXPLICIT.",
    )


def _check_size(text: str, limit: int, where: str) -> None:
    if len(text) > limit:
        raise InputError(
            f"{where[:80]} is larger than {limit // 2**20} MiB.",
            code="bad-input",
            field="file_text",
            hint="Check that it is the file you meant.",
        )


def dump_environment_yml(wish: Wish) -> str:
    """``environment.yml`` of ``wish``, as conda and conda-lock read it."""
    dependencies: list[Any] = list(wish.conda)
    if wish.pip:
        dependencies.append({"pip": list(wish.pip)})
    document: dict[str, Any] = {"name": wish.name} if wish.name else {}
    document["channels"] = list(wish.channels)
    if wish.platforms:
        document["platforms"] = list(wish.platforms)
    document["dependencies"] = dependencies
    text: str = yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return text


def _requirements(text: str, where: str) -> Wish:
    findings = Findings(where, code="bad-wish", hint=_CORRECT)
    lines = read_requirements(text, findings)
    findings.check()
    hashes: dict[str, tuple[str, ...]] = {}
    for line in lines:
        if line.hashes:
            name = pip_name(line.requirement)
            hashes[name] = hashes.get(name, ()) + line.hashes
    return Wish(pip=tuple(line.requirement for line in lines), pip_hashes=hashes)


class _Environment:
    """Reads one ``environment.yml``."""

    def __init__(self, where: str) -> None:
        self._findings = Findings(where, code="bad-wish", hint=_CORRECT)
        self._where = where
        self._notes: list[str] = []

    def read(self, text: str) -> Wish:
        root = read_yaml(text, where=self._where)
        if not isinstance(root.value, dict):
            self._findings.add(
                root.line,
                f"it is {root.kind}; an environment file is a mapping.",
                hint="It needs at least: dependencies:, and below it one package a line.",
            )
            self._findings.check()
            return Wish()
        top = root.value
        self._unknown(top)
        if "dependencies" not in top:
            self._findings.add(root.line, "'dependencies' is missing.", hint="List the packages.")
        conda, pip = self._dependencies(self._list(top, "dependencies"))
        wish = Wish(
            name=self._name(top.get("name")),
            channels=self._channels(self._list(top, "channels")),
            conda=tuple(dict.fromkeys(conda)),
            pip=tuple(dict.fromkeys(pip)),
            platforms=self._platforms(self._list(top, "platforms")),
            notes=tuple(self._notes),
        )
        self._findings.check()
        return wish

    def _unknown(self, top: dict[str, Node]) -> None:
        if top.get("prefix", Node(None, 0)).value is not None:
            self._notes.append("The file's prefix is not used: the environment lies in your area.")
        if (variables := top.get("variables")) and variables.value:
            self._notes.append(
                f"The variables in line {variables.line} are not set: an environment holds "
                "packages only."
            )
        for key, node in top.items():
            if key not in _KEYS:
                near = get_close_matches(key, _KEYS, 1)
                self._findings.add(
                    node.line,
                    f"{key[:60]!r} is not known in an environment file.",
                    hint=f"Did you mean {near[0]}?" if near else f"Known are: {', '.join(_KEYS)}.",
                )

    def _list(self, top: dict[str, Node], key: str) -> list[Node]:
        node = top.get(key)
        if node is None or node.value is None:
            return []
        if isinstance(node.value, list):
            return node.value
        self._findings.add(
            node.line,
            f"{key} is {node.kind}; it must be a list.",
            hint="Begin each line with '- '.",
        )
        return []

    def _name(self, node: Node | None) -> str | None:
        if node is None or node.value is None:
            return None
        if isinstance(node.value, str) and len(node.value) <= 400:
            return node.value
        self._findings.add(node.line, "name must be one word.")
        return None

    def _channels(self, nodes: list[Node]) -> tuple[str, ...]:
        found = []
        for node in nodes:
            if node.value == "nodefaults":
                continue
            if node.value == "defaults":
                self._notes.append(
                    f"The channel defaults in line {node.line} is left out: it is conda's own "
                    "setting, and no program of ours reads that."
                )
                continue
            found += self._checked(node, check_channel, "a channel")
        return tuple(dict.fromkeys(found))

    def _platforms(self, nodes: list[Node]) -> tuple[str, ...]:
        found = []
        for node in nodes:
            if isinstance(node.value, str) and _PLATFORM.fullmatch(node.value):
                found.append(node.value)
            else:
                self._findings.add(node.line, "a platform must be written as linux-64 is.")
        return tuple(dict.fromkeys(found))

    def _dependencies(self, nodes: list[Node]) -> tuple[list[str], list[str]]:
        conda: list[str] = []
        pip: list[str] = []
        for node in nodes:
            if not isinstance(node.value, dict):
                conda += self._checked(node, check_conda, "a package")
                continue
            for key, inner in node.value.items():
                if key != "pip":
                    self._findings.add(
                        inner.line,
                        f"{key[:60]!r} begins a list of its own; only pip: does.",
                        hint="Write packages as '- numpy>=2'.",
                    )
                    continue
                for item in self._list(node.value, "pip"):
                    pip += self._checked(item, check_pip, "a pip package")
        return conda, pip

    def _checked(self, node: Node, check: Callable[[str], str], what: str) -> list[str]:
        if not isinstance(node.value, str):
            self._findings.add(node.line, f"{what} must be one word, and this is {node.kind}.")
            return []
        try:
            return [check(node.value)]
        except InputError as error:
            self._findings.add_error(node.line, error)
            return []
