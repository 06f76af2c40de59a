"""The pages of ``docs`` against what they tell of: verbs and options, settings, tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from jupyter_mlinfn.cli.main import mlinfn
from jupyter_mlinfn.settings import Mlinfn

ROOT = Path(__file__).parent.parent
PAGES = {
    page.name: page.read_text(encoding="utf-8")
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
}
BLOCK = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
OF_MANY = {"--json", "--yes", "--dry-run", "--wait"}
"""Options of many verbs, which the page explains once for all of them."""


def verbs(command: click.Command, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every verb that people are told of, such as ``("job", "log")``."""
    yield words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), name)
            assert found is not None
            if not found.hidden:
                yield from verbs(found, *words, name)


def verb_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The verb that ``words`` begin with, and the words after it."""
    command: click.Command = mlinfn
    for number, word in enumerate(words):
        found = isinstance(command, click.Group) and command.get_command(
            click.Context(command), word
        )
        if not found:
            return command, words[number:]
        command = found
    return command, []


def options(command: click.Command) -> list[set[str]]:
    """All spellings of each option that the help of a verb shows."""
    shown = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [{*one.opts, *one.secondary_opts} for one in shown]


def section_of(word: str) -> str:
    """The part of the program's page whose heading names the verb ``word``."""
    found = [
        part
        for part in PAGES["cli.md"].split("\n## ")[1:]
        if f"`mlinfn {word}" in part.partition("\n")[0]
    ]
    return "\n".join(found)


def test_every_verb_and_option_is_on_the_page_of_the_program() -> None:
    for words in verbs(mlinfn):
        page = section_of(words[0]) if words else PAGES["cli.md"]
        assert page, words
        row = rf"^\|[^|]*`[^`|]*\b{words[-1]}\b" if len(words) > 1 else ""
        assert re.search(row, page, re.M), words
        written = {*OPTION.findall(page), *OF_MANY}
        missing = [one for one in options(verb_of([*words])[0]) if not one & written]
        assert not missing, (words, missing)


def typed(page: str) -> Iterator[str]:
    """What a page tells people to type: lines of its code blocks, and spans of code."""
    lines = [line for block in BLOCK.findall(page) for line in block.splitlines()]
    spans = re.findall(r"`(mlinfn [^`]+|%mlinfn [^`]+)`", BLOCK.sub("", page))
    for line in (*lines, *(" ".join(span.split()) for span in spans)):
        for part in re.split(r" && |  +|#", line):
            if found := re.match(r"(?:\$ |%)?mlinfn (.+)", part):
                yield found[1]


def test_what_the_pages_tell_to_type_are_verbs_with_these_options() -> None:
    seen = 0
    for name, page in PAGES.items():
        for line in typed(page):
            command, rest = verb_of(line.split())
            known = {"--help", "-h"}.union(*options(command))
            assert set(OPTION.findall(" ".join(rest))) <= known, (name, line)
            stray = rest if isinstance(command, click.Group) else []
            assert not stray or re.match(r"-|…$|VERB$", stray[0]), (name, line)
            seen += 1
    assert seen > 50


SETTINGS = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGES["configuration.md"], re.M))


def test_the_settings_on_the_pages_are_those_there_are() -> None:
    assert set(SETTINGS) == set(Mlinfn.class_traits(config=True))
    written = {name for page in PAGES.values() for name in re.findall(r"c\.Mlinfn\.(\w+)", page)}
    assert written <= set(SETTINGS)


def test_the_page_tells_the_default_of_each_setting() -> None:
    compared = set()
    for name, trait in Mlinfn.class_traits(config=True).items():
        told, default = re.split(r"[:,]", SETTINGS[name])[0].strip("` "), trait.default_value
        match default:
            case bool():
                assert told == str(default).lower(), name
            case int() | float() if default or told.isdigit():
                assert float(told) == default, name
            case str() if default:
                assert told == default, name
            case _:
                continue
        compared.add(name)
    assert compared > {"reserve_memory", "pip_allowed", "retention_days", "slurm_poll_seconds"}


def test_every_test_that_a_page_names_is_there() -> None:
    files = list((ROOT / "tests").rglob("*.py"))
    code = "\n".join(path.read_text(encoding="utf-8") for path in files)
    defined = set(re.findall(r"^ *(?:async )?def (test_\w+)\(", code, re.M))
    paths = {path.relative_to(ROOT / "tests").as_posix() for path in files}
    for name, page in PAGES.items():
        for word in re.findall(r"`(test_\w+)`", page):
            assert word in defined, (name, word)
        for start in re.findall(r"`(test_\w+)…`", page):
            assert any(one.startswith(start) for one in defined), (name, start)
    for span in re.findall(r"`([\w/]+(?:\{[\w,]+\})?\w*\.py)`", PAGES["faults.md"]):
        head, _, rest = span.partition("{")
        names, _, tail = rest.partition("}")
        for one in names.split(","):
            path = f"{head}{one}{tail}"
            assert any(
                f"/{there}".endswith(f"/{path.removeprefix('tests/')}") for there in paths
            ), path
