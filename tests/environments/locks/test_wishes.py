"""``environment.yml`` and ``requirements.txt``: what is asked for, and every problem at once."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.environments.locks.document import Lock
from jupyter_mlinfn.environments.locks.files import dump_explicit, dump_lock
from jupyter_mlinfn.environments.locks.wishes import Wish, dump_environment_yml, read_wish
from jupyter_mlinfn.model.errors import InputError, Refused
from tests.environments.locks.making import SHA, conda, lock, pip

ENVIRONMENT = """\
name: analysis
channels: [conda-forge, defaults, nodefaults]
dependencies:
  - python=3.10
  - numpy >=2,<3
  - conda-forge/label/dev::uproot
  - pip:
      - requests[socks]>=2
platforms: [linux-64, osx-arm64]
prefix: /home/someone/envs/analysis
variables:
  SECRET: x
"""


def wish(text: str, name: str = "environment.yml") -> Wish:
    read = read_wish(text, name)
    assert isinstance(read, Wish)
    return read


def problems(text: str, name: str = "environment.yml") -> dict[str, str]:
    """Place → what is wrong there."""
    with pytest.raises(InputError) as refused:
        read_wish(text, name)
    assert all(problem.hint for problem in refused.value.problems)
    told = (problem.text.partition(": ") for problem in refused.value.problems)
    return {place.partition(", ")[2] or "whole": rest for place, _, rest in told}


def test_an_environment_file() -> None:
    read = wish(ENVIRONMENT)
    assert read.name == "analysis"
    assert read.channels == ("conda-forge",)
    assert read.all_channels == ("conda-forge", "conda-forge/label/dev")
    assert read.conda == ("python=3.10", "numpy >=2,<3", "conda-forge/label/dev::uproot")
    assert read.pip == ("requests[socks]>=2",)
    assert read.platforms == ("linux-64", "osx-arm64")
    notes = " ".join(read.notes)
    assert "prefix" in notes
    assert "variables in line 12" in notes
    assert "defaults" in notes
    assert "SECRET" not in notes


def test_all_problems_come_at_once_each_with_its_line() -> None:
    text = """\
nme: x
channels:
  - https://me:secret@a.example/c
dependencies:
  - --file=/etc/passwd
  - numpy; id
  - [a, b]
  - pip:
      - -r more.txt
      - x @ https://a.example/x.whl
  - conda: [a]
  - good
platforms: [linux 64]
pip-repositories: [https://a.example]
"""
    found = problems(text)
    assert sorted(found, key=lambda place: int(place.split()[1])) == [
        f"line {line}" for line in (1, 3, 5, 6, 7, 9, 10, 11, 13, 14)
    ]
    assert "not known" in found["line 1"]
    assert "secret" not in str(found)


def test_a_misspelt_key_is_met_with_a_guess() -> None:
    with pytest.raises(InputError) as refused:
        read_wish("dependancies: [a]\n", "environment.yml")
    assert "Did you mean dependencies?" in [problem.hint for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("- a\n- b\n", "environment.yml"),
        ("dependencies: numpy\n", "environment.yml"),
        ("dependencies:\n- pip: requests\n", "environment.yml"),
        ("channels: {a: b}\ndependencies: []\n", "environment.yml"),
        ("name: [a]\ndependencies: []\n", "environment.yml"),
        ("x: &x [*x]\n", "environment.yml"),
        ("!!python/object:os.system x", "environment.yaml"),
        ("numpy\n", "numpy.csv"),
        ("numpy\n", ""),
        ("a" * (8 * 2**20 + 1), "conda-lock.yml"),
        ("a" * (2**20 + 1), "requirements.txt"),
        ("dependencies:\n" + "- a\n" * 2**18, "environment.yml"),
        ("a\n" * 5001, "requirements.txt"),
        ("@EXPLICIT\nnumpy\n", "requirements.txt"),
        ("package: 3\n", "conda-lock.yml"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(text: str, name: str) -> None:
    with pytest.raises(InputError) as refused:
        read_wish(text, name)
    assert refused.value.text
    assert refused.value.exit_code == 2


def test_a_file_name_is_only_looked_at_never_opened() -> None:
    assert wish("numpy\n", "../../etc/requirements.txt").pip == ("numpy",)


def test_requirements() -> None:
    text = f"""\
# what we need
requests[socks]>=2.3 ; python_version > '3'  # for the web
numpy==2.0 \\
    --hash=sha256:{"A" * 64} \\
    --hash=sha256:{"b" * 64}

tqdm
"""
    read = wish(text, "requirements.txt")
    assert read.conda == ()
    assert read.pip == ('requests[socks]>=2.3; python_version > "3"', "numpy==2.0", "tqdm")
    assert read.pip_hashes == {"numpy": ("a" * 64, "b" * 64)}


def test_a_file_that_is_wrong_all_over_is_not_read_to_its_end() -> None:
    with pytest.raises(InputError) as refused:
        read_wish("@EXPLICIT\n" + "nothing\n" * 200_000, "list.txt")
    assert refused.value.text.endswith("And at least 999 more problems.")


def test_options_of_pip_are_refused_with_their_line() -> None:
    lines = [
        "-r more.txt", "-e .", "-e.", "--index-url=https://a.example", "./folder",
        "git+ssh://a.example/x", "numpy --no-binary :all:", "foo bar", "-f x",
        "x --hash=md5:" + "a" * 32, "x --hash=sha256:abc",
    ]  # fmt: skip
    found = problems("good\n" + "\n".join(lines), "requirements.txt")
    assert set(found) == {f"line {number}" for number in range(2, len(lines) + 2)}


def test_hashes_asked_for_are_looked_for_in_the_lock() -> None:
    asked = Wish(pip=("tqdm",), pip_hashes={"tqdm": ("c" * 64, SHA)})
    asked.check_hashes(lock(pip("tqdm"), conda("numpy")))
    with pytest.raises(Refused, match=r"Tqdm 1\.0"):
        asked.check_hashes(lock(pip("Tqdm", sha256="d" * 64)))


def test_locks_are_known_by_what_they_hold() -> None:
    there = lock(conda("numpy"))
    assert read_wish(dump_lock(there), "environment.yml") == there
    explicit = read_wish(dump_explicit(there, "linux-64"), "list.txt")
    assert isinstance(explicit, Lock)
    assert explicit.digest("linux-64") == there.digest("linux-64")


NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,12}[a-z0-9]", fullmatch=True)
VERSIONS = st.from_regex(r"(|==|>=|<|!=)[1-9](\.[0-9]{1,2}){1,2}", fullmatch=True).map(
    lambda text: text if text[0] in "=<>!" else "==" + text
)
SPECS = st.builds("{}{}".format, NAMES, VERSIONS)


@settings(max_examples=100, deadline=None)
@given(
    st.builds(
        Wish,
        name=st.none() | NAMES,
        channels=st.lists(NAMES.filter(lambda n: n != "defaults"), unique=True).map(tuple),
        conda=st.lists(SPECS, unique=True).map(tuple),
        pip=st.lists(SPECS, unique=True).map(tuple),
        platforms=st.lists(st.sampled_from(["linux-64", "osx-arm64"]), unique=True).map(tuple),
    )
)
def test_a_written_wish_is_read_back(wanted: Wish) -> None:
    assert read_wish(dump_environment_yml(wanted), "environment.yml") == wanted


@settings(max_examples=200, deadline=None)
@given(
    st.text(max_size=200),
    st.sampled_from(["environment.yml", "requirements.txt", "conda-lock.yml", "x"]),
)
def test_any_file_is_read_or_refused_in_words(text: str, name: str) -> None:
    with suppress(InputError):
        assert isinstance(read_wish(text, name), Wish | Lock)
