"""Reading: every mistake at once, each with its line; what is no TOML; where keys stand."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.profiles.places import ProfilesError
from jupyter_mlinfn.profiles.positions import KeyPath, positions
from jupyter_mlinfn.profiles.reading import load, read_text
from tests.profiles.files import TEXT, tried


def texts(text: str) -> list[str]:
    """What is said of a file; the file must not be right."""
    with pytest.raises(ProfilesError) as caught:
        read_text(text, "p.toml")
    return [problem.text for problem in caught.value.problems]


def test_a_right_file_is_one_frozen_document(tmp_path: Path) -> None:
    file = tmp_path / "profiles.toml"
    file.write_text(TEXT)
    book = load(file)
    assert [pool.name for pool in book.pools] == ["mig-small", "mig-large"]
    assert book.pools[0].node == (("nvidia.com/gpu.product", "NVIDIA-A100-80GB-PCIe"),)
    assert book.profile[1].time.warn == 1200
    file.write_text(TEXT + "# a word\n")
    assert load(file).digest != book.digest


def test_every_mistake_is_told_at_once_in_the_order_of_the_file() -> None:
    said = texts("""\
schema = 1
titel = "x"

[ceiling]
cpu = "16"
memory = "64GiB"
roots = ["/srv"]

[image.lab]
title = "Lab"
reference = "a/b"

[volume.home]
title = "Home"
kind = "bind"
source = "/var/run/docker.sock"
target = "/etc/x"

[[profile]]
name = "small"
title = "Small"
privileged = true
images = ["labb"]
cpu = [2]
memory = ["80GiB"]
volumes = ["hoem"]

[[profile]]
name = "small"
""")
    begins = [text.split(": ")[:2] for text in said]
    assert begins == [
        ["p.toml:2", "titel"],
        ["p.toml:5", "ceiling.cpu"],
        ["p.toml:11", "image.lab.reference"],
        ["p.toml:16", "volume.home.source"],
        ["p.toml:17", "volume.home.target"],
        ["p.toml:22", "profile.small.privileged"],
        ["p.toml:23", "profile.small.images"],
        ["p.toml:25", "profile.small.memory"],
        ["p.toml:26", "profile.small.volumes"],
        ["p.toml:28", "profile.small.title"],
        ["p.toml:28", "profile.small.cpu"],
        ["p.toml:28", "profile.small.memory"],
        ["p.toml:29", "profile.small.name"],
    ]
    assert "Did you mean 'title'?" in said[0]
    assert 'privileges = ["fuse", "userns"]' in said[5]
    assert "Did you mean 'lab'?" in said[6]
    assert "above the ceiling of 64GiB" in said[7]
    assert "Did you mean 'home'?" in said[8]


@pytest.mark.parametrize(
    ("right", "wrong", "fields"),
    [
        (
            'memory = ["2GiB"]',
            "memory = 2\nvolumes = ['hoem']",
            ["profile.cpu.memory", "profile.cpu.volumes"],
        ),
        (
            'memory = ["2GiB"]',
            "memory = ['99GiB']\non_full = 'wiat'",
            ["profile.cpu.memory", "profile.cpu.on_full"],
        ),
        (
            "[volume.home]",
            "[volume.home]\narea = 'attic'\nbackup = 7",
            ["volume.home.area", "volume.home.backup"],
        ),
        (
            'mig = "3g.40gb"',
            'mig = "1g.10gb"\nmemory = 7',
            ["accelerator.mig-large.model", "accelerator.mig-large.memory"],
        ),
        ("cpu = 16\n", "cpu = '16'\nroots = ['/']\n", ["ceiling.cpu", "ceiling.roots"]),
    ],
)
def test_a_wrong_key_hides_no_other_mistake_of_its_table(
    right: str, wrong: str, fields: list[str]
) -> None:
    assert right in TEXT
    text = TEXT.replace('roots = ["/srv/data", "/srv/backups"]\n', "") if "roots" in wrong else TEXT
    with pytest.raises(ProfilesError) as caught:
        read_text(text.replace(right, wrong, 1), "p.toml")
    found = [problem.field for problem in caught.value.problems]
    assert [field for field in found if field in fields] == fields


def test_a_table_in_place_of_a_list_of_tables_is_told_as_such() -> None:
    said = texts(TEXT.split("[[profile]]")[0] + '[profile]\nname = "x"\n')
    assert len(said) == 1
    assert "two brackets" in said[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('schema = 1\ntitle = "x', 2, "not TOML"),
        ("schema = 1\n[a]\n[a]\n", 3, "not TOML"),
        ("schema = 1\nx = 2\nx = 3\n", 3, "not TOML"),
        ("x = " + "[" * 50_000 + "]" * 50_000, 1, "nested"),
        ("", 1, "schema"),
    ],
)
def test_what_is_no_toml_is_said_with_its_line(text: str, line: int, words: str) -> None:
    said = texts(text)
    assert said[0].startswith(f"p.toml:{line}: ")
    assert words in said[0]


@pytest.mark.parametrize(
    ("data", "line", "words"),
    [
        (b"schema = 1\n\ntitle = '\xff'\n", 3, "UTF-8"),
        (b"#" * (2**20 + 1), 1, "larger than 1 MiB"),
    ],
)
def test_what_is_no_text_is_said(tmp_path: Path, data: bytes, line: int, words: str) -> None:
    file = tmp_path / "p.toml"
    file.write_bytes(data)
    with pytest.raises(ProfilesError, match="1 mistake") as caught:
        load(file)
    assert caught.value.problems[0].text.startswith(f"p.toml:{line}: ")
    assert words in caught.value.problems[0].text


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path / "gone.toml")
    assert caught.value.problems[0].text.startswith("gone.toml:1: The file cannot be read: ")


def test_windows_ends_of_lines_and_a_byte_order_mark_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "p.toml"
    file.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert load(file).profile[0].name == "cpu"


def test_positions_are_those_of_the_keys() -> None:
    text = '''schema = 1
[a]
b.c = [1,
  "x]", # ] c
  {k = 'v', z=3}]
[[p]]
n = """x
"y" = 3
"""
"q\\u0041 x" = 1979-05-27 07:32:00
[p.sub]
t=1
[[p]]
n=2 # x = 3
[p.sub]
z=\'\'\'
[q]\'\'\'
'''
    lines = positions(text)
    assert lines["a", "b", "c", 1] == 4
    assert lines["a", "b", "c", 2, "z"] == 5
    assert lines["p", 0, "n"] == 7
    assert lines["p", 0, "qA x"] == 10
    assert lines["p", 0, "sub", "t"] == 12
    assert lines["p", 1, "sub", "z"] == 16
    assert ("q",) not in lines


WORDS = st.text(st.sampled_from("ab[]{}=,.#\"'\\\n é"), max_size=6)
VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-9, 9), WORDS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORDS, inner, max_size=3)),
    max_leaves=8,
)


def written(value: Any, ends: str) -> str:
    """A value in TOML, with ends of lines wherever TOML allows them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "[" + ends + "".join(written(item, ends) + "," + ends for item in value) + "]"
    return "{" + ", ".join(f"{quoted(k)} = {written(v, ends)}" for k, v in value.items()) + "}"


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def paths(value: Any, path: KeyPath = ()) -> list[KeyPath]:
    """The path of everything in a document."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        found += [deeper for key, item in pairs for deeper in paths(item, (*path, key))]
    return found


@tried(150)
@given(st.dictionaries(WORDS, VALUES, max_size=4), st.sampled_from(["", "\n", " # ] }\n "]))
def test_everything_in_any_document_has_a_line(document: dict[str, Any], ends: str) -> None:
    text = "".join(f"{quoted(key)} = {written(item, ends)}\n" for key, item in document.items())
    assert tomllib.loads(text) == document
    lines = positions(text)
    assert set(lines) == set(paths(document))
    assert max(lines.values(), default=1) <= text.count("\n") + 1
