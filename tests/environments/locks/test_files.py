"""Lock files: ours and conda-lock's own, and what must not come out of a stranger's."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.environments.locks.document import Lock, LockedPackage
from jupyter_mlinfn.environments.locks.files import (
    dump_explicit,
    dump_lock,
    read_explicit,
    read_lock,
    require_platform,
)
from jupyter_mlinfn.model.errors import InputError
from tests.environments.locks.making import CHANNEL, MD5, SHA, conda, lock, pip, yaml_text

REWRITE = """
import sys
from pathlib import Path
from conda_lock.lockfile import parse_conda_lock_file, write_conda_lock_file
path = Path(sys.argv[1])
write_conda_lock_file(parse_conda_lock_file(path), path, None)
"""


def rewritten(text: str, folder: Path) -> str:
    """What conda-lock makes of a lock file: read by it, and written by it."""
    path = folder / "conda-lock.yml"
    path.write_text(text, encoding="utf-8")
    subprocess.run([sys.executable, "-c", REWRITE, str(path)], check=True)
    return path.read_text(encoding="utf-8")


WHOLE = lock(
    conda("a", dependencies={"b": ">=1,<2", "__glibc": ">=2.17"}),
    conda("b", "3.10", dependencies={"c": ""}),
    conda("c", "1!2.0+x", subdir="noarch", sha256=None, md5="1" * 32),
    conda("d", "0x1e3", sha256="1234567890" * 6 + "1234"),
    conda("b", "3.10", platform="osx-arm64"),
    conda("test-only", category="dev"),
    pip("requests", "2.32", dependencies={"idna": ">=2.5"}),
)


def test_what_is_written_is_read_back_also_after_conda_lock_rewrote_it(tmp_path: Path) -> None:
    text = dump_lock(WHOLE, "name: x\n")
    assert read_lock(text) == WHOLE
    assert dump_lock(WHOLE, "name: x\n") == text
    again = rewritten(text, tmp_path)
    assert read_lock(again) == WHOLE
    # but for the comments, conda-lock writes the very same text
    assert yaml.safe_load(again) == yaml.safe_load(text)


def test_a_package_of_several_categories_is_taken_once() -> None:
    document = yaml.safe_load(dump_lock(lock(conda("a", category="dev"), conda("b"))))
    document["package"] += [{**document["package"][0], "category": "test"}]
    assert read_lock(yaml_text(document)).packages[0].category == "dev"
    document["package"] += [{**document["package"][0], "category": "main", "optional": False}]
    read = read_lock(yaml_text(document))
    assert [package.name for package in read.packages] == ["a", "b"]
    assert read.packages[0].category == "main"


def test_virtual_packages_of_old_locks_are_passed_over() -> None:
    document = yaml.safe_load(dump_lock(lock(conda("a"))))
    document["package"].append(
        {**document["package"][0], "name": "__glibc", "url": "", "hash": {"md5": ""}}
    )
    document["package"][1]["url"] = "virtual"
    assert [package.name for package in read_lock(yaml_text(document)).packages] == ["a"]


def broken(**changes: Any) -> str:
    """A lock whose only package has other values; ``...`` removes one."""
    document = yaml.safe_load(dump_lock(lock(conda("numpy", "2.0"))))
    entry = {**document["package"][0], **changes}
    document["package"] = [{key: value for key, value in entry.items() if value is not ...}]
    return yaml_text(document)


def at(path: str) -> str:
    return f"{CHANNEL}/linux-64/{path}"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": at("evil-2.0-py_0.conda")}, "names another package, evil 2.0"),
        ({"url": at("numpy-1.0-py_0.conda")}, "names another package, numpy 1.0"),
        ({"url": f"{CHANNEL}/win-64/numpy-2.0-py_0.conda"}, "its file is for 'win-64'"),
        ({"url": at("../linux-64/numpy-2.0-py_0.conda")}, "'..'"),
        ({"url": at("%2e%2e/linux-64/numpy-2.0-py_0.conda")}, "'..'"),
        ({"url": at("numpy-2.0-py_0.sh")}, "no conda package"),
        ({"url": "git+ssh://x/linux-64/numpy-2.0-py_0.conda"}, "only http"),
        ({"url": "/srv/linux-64/numpy-2.0-py_0.conda"}, "only http"),
        ({"url": "https://u:pw@x.example/linux-64/numpy-2.0-py_0.conda"}, "a password"),
        ({"url": "https://${TOKEN}.x.example/linux-64/numpy-2.0-py_0.conda"}, "variable"),
        ({"url": at("numpy-2.0-py_0.conda\n--x")}, "characters that no address has"),
        ({"url": ...}, "has no url"),
        ({"hash": {}}, "has no SHA-256"),
        ({"hash": ...}, "has no SHA-256"),
        ({"hash": {"sha256": "abc"}}, "no hexadecimal digest"),
        ({"hash": {"md5": ["a"]}}, "no hexadecimal digest"),
        ({"name": "../numpy"}, "no name of a package"),
        ({"name": "--file=x"}, "no name of a package"),
        ({"version": "2.0; id"}, "is no version"),
        ({"version": ["2.0"]}, "has no version"),
        ({"manager": "npm"}, "neither conda nor pip"),
        ({"platform": "osx-64"}, "metadata does not list"),
        ({"dependencies": ["a"]}, "dependencies are a list"),
        ({"dependencies": {"a": ["b"]}}, "the version of 'a'"),
        ({"manager": "pip", "hash": {"md5": MD5}}, "has no SHA-256"),
        ({"manager": "pip", "url": "https://x.example/numpy.exe"}, "no wheel"),
        ({"manager": "pip", "url": "git+https://x.example/numpy.git"}, "only http"),
    ],
)
def test_an_entry_that_cannot_be_trusted_is_refused_with_its_line(
    changes: dict[str, Any], said: str
) -> None:
    text = broken(**changes)
    with pytest.raises(InputError) as refused:
        read_lock(text, where="conda-lock.yml")
    told = [problem.text for problem in refused.value.problems]
    assert any(said in one for one in told), told
    assert all("conda-lock.yml, line " in one for one in told)
    assert all(problem.hint for problem in refused.value.problems)
    assert "pw@" not in " ".join(told)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version: 2\nmetadata: {}\npackage: []\n", "version 2"),
        ("metadata: {}\n", "'package' is missing"),
        ("- a\n", "no conda-lock.yml"),
        ("metadata: []\npackage: []\n", "metadata is a list"),
        ("metadata: {channels: a, platforms: [linux-64]}\npackage: []\n", "channels is a text"),
        ("metadata: {channels: [{}], platforms: []}\npackage: []\n", "a channel has no url"),
        ("metadata: {channels: [], platforms: [x y]}\npackage: []\n", "as linux-64 is"),
        ("metadata: {channels: [], platforms: [linux-64]}\npackage: {}\n", "package is a mapping"),
        ("metadata: {channels: [], platforms: [linux-64]}\npackage: [3]\n", "a package is a text"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_lock(text)
    assert any(said in problem.text for problem in refused.value.problems)


def test_the_same_package_from_two_files_is_refused() -> None:
    document = yaml.safe_load(dump_lock(lock(conda("a"))))
    other = {**document["package"][0], "version": "2.0", "url": at("a-2.0-py_0.conda")}
    document["package"].append(other)
    with pytest.raises(InputError, match="a is there twice"):
        read_lock(yaml_text(document))


def test_a_lock_of_strangers_only_tells_the_first_problems() -> None:
    document = yaml.safe_load(dump_lock(lock(conda("a"))))
    document["package"] = [{**document["package"][0], "hash": {}} for _ in range(500)]
    with pytest.raises(InputError) as refused:
        read_lock(yaml_text(document))
    assert len(refused.value.problems) == 50
    assert "And 499 more problems" in refused.value.text


def test_a_foreign_platform_is_told_with_those_there_are() -> None:
    there = lock(conda("a", platform="osx-arm64"), conda("a", platform="win-64"))
    with pytest.raises(InputError) as refused:
        require_platform(there, "linux-64")
    assert refused.value.code == "foreign-platform"
    assert "linux-64" in refused.value.text
    assert "osx-arm64, win-64" in refused.value.text
    require_platform(there, "win-64")


def test_an_explicit_list_goes_there_and_back() -> None:
    text = dump_explicit(WHOLE, "linux-64")
    read = read_explicit(text)
    assert read.platforms == ("linux-64",)
    assert read.digest("linux-64") == WHOLE.digest("linux-64")
    assert read.packages[0].build == "py_0"
    with pytest.raises(InputError, match="win-64"):
        dump_explicit(WHOLE, "win-64")


def test_an_explicit_list_has_dependencies_first_and_survives_circles() -> None:
    chain = [conda(f"p{n}", dependencies={f"p{n + 1}": ""}) for n in range(30)]
    chain.append(conda("p30", dependencies={"p28": "", "p30": "", "absent": ""}))
    random.Random(1).shuffle(chain)
    text = dump_explicit(lock(*chain), "linux-64")
    names = [line.rsplit("/", 1)[1].split("-")[0] for line in text.splitlines() if "://" in line]
    assert sorted(names) == sorted(package.name for package in chain)
    places = {name: place for place, name in enumerate(names)}
    assert all(places[f"p{n}"] > places[f"p{n + 1}"] for n in range(28))


def test_lists_of_other_programs() -> None:
    url = at("a-1.0-py_0.conda")
    for hashed in (MD5, SHA, f"sha256:{SHA}", SHA.upper()):
        read = read_explicit(f"# made by conda\n\n@EXPLICIT\n{url}#{hashed}\n")
        assert read.channels == (CHANNEL,)
        assert (read.packages[0].sha256 or read.packages[0].md5) == hashed[-64:].lower()
    noarch = f"@EXPLICIT\n{CHANNEL}/noarch/a-1.0-py_0.conda#{MD5}\n"
    assert read_explicit(noarch, platform="linux-64").platforms == ("linux-64",)
    assert read_explicit(f"# platform: osx-64\n{noarch}").platforms == ("osx-64",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (at("a-1.0-py_0.conda"), "has no SHA-256"),
        (at("a-1.0-py_0.conda") + "#abc", "neither an MD5"),
        (at("a.conda") + f"#{MD5}", "none of a conda package"),
        ("numpy=2.0", "an address is missing"),
        (f"https://x.example/a-1.0-py_0.conda#{MD5}", "none of a conda package"),
        (f"ftp://x.example/linux-64/a-1.0-py_0.conda#{MD5}", "only http"),
        ("# pip a @ https://x.example/a-1.0-py3-none-any.whl", "no SHA-256"),
        (f"# pip a @ https://x.example/a.exe#sha256={SHA}", "no wheel"),
        (f"{CHANNEL}/win-64/b-1.0-py_0.conda#{MD5}", "several platforms: linux-64, win-64"),
        ("--file=/etc/passwd", "an address is missing"),
    ],
)
def test_what_an_explicit_list_may_not_hold(line: str, said: str) -> None:
    text = f"@EXPLICIT\n{CHANNEL}/linux-64/good-1.0-py_0.conda#{MD5}\n{line}\n"
    with pytest.raises(InputError) as refused:
        read_explicit(text)
    assert any(said in problem.text for problem in refused.value.problems)


NAMES = st.from_regex(r"[a-z][a-z0-9_.]{0,6}(-[a-z0-9]{1,4})?", fullmatch=True)
VERSIONS = st.from_regex(r"(1!)?[0-9]{1,4}(\.[0-9a-z]{1,3}){0,3}(\+x)?", fullmatch=True)
BUILDS = st.from_regex(r"[a-z0-9_]{1,9}", fullmatch=True)
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def packages(draw: st.DrawFn) -> LockedPackage:
    name, version, platform = (
        draw(NAMES),
        draw(VERSIONS),
        draw(st.sampled_from(["linux-64", "a-1"])),
    )
    fields: dict[str, Any] = {
        "platform": platform,
        "sha256": draw(HASHES),
        "dependencies": draw(st.dictionaries(NAMES, st.text("0123456789.*<>=,| ", max_size=9))),
        "category": draw(st.sampled_from(["main", "dev"])),
    }
    if draw(st.booleans()):
        return pip(name.replace(".", "x").rstrip("_"), version, **fields)
    fields["md5"] = draw(st.none() | HASHES.map(lambda text: text[:32]))
    return conda(name, version, draw(BUILDS), **fields)


@settings(max_examples=150, deadline=None)
@given(st.lists(packages(), unique_by=lambda p: (p.platform, p.manager, p.name), max_size=6))
def test_any_lock_goes_there_and_back(found: list[LockedPackage]) -> None:
    there = Lock.made_of([CHANNEL], ["linux-64", "a-1"], found)
    read = read_lock(dump_lock(there))
    assert read == there
    for platform in there.platforms:
        again = read_explicit(dump_explicit(there, platform), platform=platform)
        assert again.digest(platform) == there.digest(platform)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_lock_is_read_or_refused_in_words(data: st.DataObject) -> None:
    text = list(dump_lock(WHOLE))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place] = data.draw(st.sampled_from("\n :-[]{}'\"&*!#x0/\t") | st.characters())
    with suppress(InputError):
        for package in read_lock("".join(text)).packages:
            assert package.sha256 or package.md5
            assert "/" not in package.file_name
