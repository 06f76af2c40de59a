"""YAML from strangers: plain mappings, lists and words, every one with its line.

Refused with words: texts over 8 MiB, nesting over 16 levels, more than 500,000 values,
repetition by reference (``*name``, the building block of YAML bombs), tags that stand for
objects, the same key twice, several documents in one file.

Scalars stay what was written: ``3.10`` is the text ``"3.10"``, never the number 3.1, and a hash
that looks like a number stays a hash. Only ``null``, ``~``, ``true`` and ``false`` (unquoted) and
emptiness mean something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from jupyter_mlinfn.model.errors import InputError

MAX_BYTES = 8 * 2**20
MAX_DEPTH = 16
MAX_VALUES = 500_000

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_PLAIN_TAGS = {
    "!",
    *(f"tag:yaml.org,2002:{t}" for t in ("str", "int", "float", "bool", "null", "seq", "map")),
}


@dataclass(frozen=True, slots=True)
class Node:
    """One value and the line (from 1) it begins on."""

    value: str | bool | list[Node] | dict[str, Node] | None
    line: int

    @property
    def kind(self) -> str:
        """What the value is, in words for people."""
        if isinstance(self.value, dict):
            return "a mapping (key: value)"
        if isinstance(self.value, list):
            return "a list"
        return "empty" if self.value is None else "a text"


def read_yaml(text: str, *, where: str) -> Node:
    """The one document in ``text``; ``where`` is the file's name, for messages.

    Raises :class:`InputError` (code ``bad-yaml``) that says the line, what is wrong and what to
    do.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise _refused(
            where,
            None,
            f"it has {size / 2**20:.1f} MiB, and at most {MAX_BYTES // 2**20} MiB are read",
            "Check that it is the file you meant.",
        )
    try:
        return _Reader(yaml.parse(text, Loader=_Loader), where).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "it cannot be understood"
        line = min(mark.line, text.count("\n")) + 1 if mark else None
        raise _refused(where, line, problem, _CHECK) from error
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        raise _refused(
            where, None, "it contains characters that no text file should have", _CHECK
        ) from error


_CHECK = "Correct it in an editor; indentation is two spaces a level, never tabs."


class _Reader:
    """Builds nodes from parse events, so that nothing large exists before it was checked."""

    def __init__(self, events: Iterator[yaml.Event], where: str) -> None:
        self._events = events
        self._where = where
        self._values = 0

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._refused(
                        event, "a second document begins here (---)", "Keep one document."
                    )
                root = self._node(next(self._events), 0)
        if root is None:
            raise _refused(self._where, None, "it is empty", "Check that it is the right file.")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        self._values += 1
        self._check(event, depth)
        line = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.style is None or event.style == ""
            text: str = event.value
            return Node(_WORDS[text] if plain and text in _WORDS else text, line)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(event, depth + 1))
            return Node(items, line)
        return Node(self._mapping(depth), line)

    def _mapping(self, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._check(event, depth)
                raise self._refused(event, "a key is no plain word", "Write KEY: VALUE.")
            self._check(event, depth)
            key: str = event.value
            if key == "<<":
                raise self._refused(event, "merge keys (<<) are not read here", "Write it out.")
            if key in found:
                raise self._refused(
                    event,
                    f"{key[:60]!r} is there twice (first in line {found[key].line})",
                    "Keep one of the two.",
                )
            found[key] = self._node(next(self._events), depth + 1)
        return found

    def _check(self, event: yaml.Event, depth: int) -> None:
        if isinstance(event, yaml.AliasEvent):
            raise self._refused(
                event,
                f"repetition by reference (*{str(event.anchor)[:40]}) is not read here",
                "Write the value out where it is used.",
            )
        tag = getattr(event, "tag", None)
        if tag is not None and tag not in _PLAIN_TAGS:
            raise self._refused(
                event, f"the tag {tag[:60]!r} stands for an object", "Remove the tag."
            )
        if depth > MAX_DEPTH:
            raise self._refused(
                event, f"it is nested more than {MAX_DEPTH} levels deep", "Make it flatter."
            )
        if self._values > MAX_VALUES:
            raise self._refused(
                event, f"it has more than {MAX_VALUES:,} values", "Check that it is the right file."
            )

    def _refused(self, event: yaml.Event, problem: str, hint: str) -> InputError:
        return _refused(self._where, _line(event), problem, hint)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _refused(where: str, line: int | None, problem: str, hint: str) -> InputError:
    place = f"{where}, line {line}" if line else where
    return InputError(
        f"{place} cannot be read: {problem}.", code="bad-yaml", field="file_text", hint=hint
    )
