"""What conda-lock calls, read leniently: options nobody needs here are passed over.

==========================================  =======================================
``--version``                               asked first
``create --dry-run --json … SPEC…``         solve
``install --dry-run --json -p P … SPEC…``   solve again, changing only what is named
``list --json -p P``                        what the (pretended) prefix holds
``create --file F --prefix P``              install an ``@EXPLICIT`` list
``run -p P pip install … -r F``             install the pip packages of a lock
==========================================  =======================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_FLAGS = {
    "--dry-run", "--json", "--override-channels", "--quiet", "-q", "--copy", "--yes", "-y",
    "--no-pip", "--version", "--no-deps",
}  # fmt: skip
_PREFIX, _FILE, _CHANNEL = {"-p", "--prefix"}, {"-f", "--file"}, {"-c", "--channel"}


@dataclass(frozen=True)
class Call:
    """One call: ``specs`` are the words that belong to no option, in their order."""

    verb: str
    prefix: str | None
    file: str | None
    channels: tuple[str, ...]
    specs: tuple[str, ...]
    dry_run: bool


def parse(words: Sequence[str]) -> Call:
    """The call that ``words`` make; the first one is the verb."""
    verb, rest = (words[0], list(words[1:])) if words else ("", [])
    prefix: str | None = None
    file: str | None = None
    channels: list[str] = []
    specs: list[str] = []
    dry_run = False
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if (verb == "run" and specs) or not word.startswith("-"):
            specs.append(word)
        elif name in _FLAGS:
            dry_run = dry_run or name == "--dry-run"
        elif name in _PREFIX | _FILE | _CHANNEL:
            argument = value if equals else (rest.pop(0) if rest else "")
            if name in _CHANNEL:
                channels.append(argument)
            elif name in _PREFIX:
                prefix = argument
            else:
                file = argument
    return Call(verb, prefix, file, tuple(channels), tuple(specs), dry_run)
