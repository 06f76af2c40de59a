"""Where each key of a TOML text stands: the standard library's parser does not say it.

The text is known to be right TOML, because ``tomllib`` has read it; so this only has to follow
it. A path is what leads to a value: ``("profile", 0, "memory", 1)``.
"""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\r\n]+")
_SIMPLE_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)


def positions(text: str) -> dict[KeyPath, int]:
    """The line, counted from 1, of every table, key and element of a list in ``text``.

    Raises ``RecursionError`` for lists nested hundreds deep.
    """
    return _Follower(text).follow()


class _Follower:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._counted_to = 0
        self._line = 1
        self._tables: dict[KeyPath, int] = {}

    def follow(self) -> dict[KeyPath, int]:
        here: KeyPath = ()
        self._skip(_SPACE)
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                here = self._header(2)
            elif self.text.startswith("[", self.at):
                here = self._header(1)
            else:
                self._pair(here)
            self._skip(_SPACE)
        return self.lines

    def _header(self, brackets: int) -> KeyPath:
        line = self._here()
        self.at += brackets
        key = self._key()
        self.at += brackets
        path: KeyPath = ()
        for depth, part in enumerate(key):
            path = (*path, part)
            last = depth == len(key) - 1
            if brackets == 2 and last:
                self._tables[path] = self._tables.get(path, -1) + 1
            self.lines.setdefault(path, line)
            if path in self._tables:
                path = (*path, self._tables[path])
            self.lines.setdefault(path, line)
        return path

    def _pair(self, here: KeyPath) -> None:
        line = self._here()
        path = here
        for part in self._key():
            path = (*path, part)
            self.lines.setdefault(path, line)
        self.at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """A dotted key; stands behind it, and behind the blanks after it, when it is done."""
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            if found := _BARE.match(self.text, self.at):
                parts.append(found.group())
                self.at = found.end()
            else:
                parts.append(self._quoted())
            self._skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return tuple(parts)
            self.at += 1

    def _quoted(self) -> str:
        raw = self._take(_TEXT)
        return raw[1:-1] if raw.startswith("'") else _ESCAPE.sub(_unescaped, raw[1:-1])

    def _value(self, path: KeyPath) -> None:
        character = self.text[self.at]
        if character == "[":
            self._list(path)
        elif character == "{":
            self._inline_table(path)
        elif character in "\"'":
            self._take(_TEXT)
        else:
            self._take(_PLAIN)

    def _list(self, path: KeyPath) -> None:
        self.at += 1
        count = 0
        self._skip(_SPACE)
        while not self.text.startswith("]", self.at):
            self.lines[*path, count] = self._here()
            self._value((*path, count))
            count += 1
            self._skip(_SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
            self._skip(_SPACE)
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self.at += 1
        self._skip(_SPACE)
        while not self.text.startswith("}", self.at):
            self._pair(path)
            self._skip(_SPACE)
            if self.text.startswith(",", self.at):
                self.at += 1
            self._skip(_SPACE)
        self.at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise AssertionError(f"no TOML at character {self.at}, though tomllib has read it")
        self.at = found.end()
        return found.group()

    def _here(self) -> int:
        self._line += self.text.count("\n", self._counted_to, self.at)
        self._counted_to = self.at
        return self._line


def _unescaped(found: re.Match[str]) -> str:
    short, long, simple = found.groups()
    return _SIMPLE_ESCAPES.get(simple, simple) if simple else chr(int(short or long, 16))
