"""One requirement: a word of a command line and a line of a file, or an error in words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_mlinfn.environments.locks.requirements import (
    channel_named,
    check_channel,
    check_conda,
    check_pip,
    conda_name,
    pip_name,
)
from jupyter_mlinfn.model.errors import InputError


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("numpy", "numpy"),
        (" numpy>=2,<3 ", "numpy"),
        ("numpy >=2,<3", "numpy"),
        ("numpy = 2", "numpy"),
        ("NumPy", "numpy"),
        ("python=3.11=*_cpython", "python"),
        ("python 3.11.* *_cpython", "python"),
        ("numpy (>=1,<2)|3", "numpy"),
        ("numpy~=2.1", "numpy"),
        ("numpy!=2.0", "numpy"),
        ("pkg 1!2.0+local", "pkg"),
        ("__cuda>=12", "__cuda"),
        ("conda-forge::numpy>=2", "numpy"),
        ("file:///srv/channel::numpy", "numpy"),
        ("numpy[version='>=1,<2',build=py*]", "numpy"),
        ("numpy[channel=conda-forge]", "numpy"),
        ("ruamel.yaml_x-y", "ruamel.yaml_x-y"),
    ],
)
def test_conda_requirements(spec: str, name: str) -> None:
    assert check_conda(spec) == spec.strip()
    assert conda_name(spec.strip()) == name


@pytest.mark.parametrize(
    "spec",
    [
        "", " ", "-p /", "--file=/etc/passwd", "numpy; id", "$(id)", "`id`", "numpy && id",
        "numpy\n--file=/etc/passwd", "numpy\x00", "numpy\u2028x", "a" * 301, "é", "numpy>=",
        "numpy>=2,", "numpy[md5=x]", "numpy[version=]", "numpy(", "numpy (1", "/etc/passwd",
        "../x.conda", "https://a.example/x.conda", "git+ssh://a/b", "::", "a::b::c d e f",
        "$HOME::numpy", "https://me:secret@a.example/c::numpy", "nu mpy pa ck", "\ud800",
    ],
)  # fmt: skip
def test_what_is_no_conda_requirement(spec: str) -> None:
    with pytest.raises(InputError) as refused:
        check_conda(spec)
    assert refused.value.hint
    assert "secret" not in refused.value.text


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.from_regex(r"[a-z]{1,5}[=<>!~\[\] ()*,|.0-9a-z'\"-]{0,30}"))
def test_a_checked_requirement_is_one_harmless_word(text: str) -> None:
    try:
        spec = check_conda(text)
    except InputError:
        return
    assert spec.isprintable()
    assert not spec.startswith("-")
    assert not set(spec) & set(";&`$\\{}\n\r")
    assert conda_name(spec)


def test_the_channel_a_requirement_names() -> None:
    assert channel_named("conda-forge::numpy") == "conda-forge"
    assert channel_named("numpy[channel='conda-forge']") == "conda-forge"
    assert channel_named("numpy[channel=conda-forge,version=2]") == "conda-forge"
    assert channel_named("numpy>=2") is None


@pytest.mark.parametrize(
    ("spec", "normal", "name"),
    [
        ("requests", "requests", "requests"),
        ("Foo_Bar[x]>=1", "Foo_Bar[x]>=1", "foo-bar"),
        ("a>=1 ; python_version>'3'", 'a>=1; python_version > "3"', "a"),
    ],
)
def test_pip_requirements(spec: str, normal: str, name: str) -> None:
    assert check_pip(spec) == normal
    assert pip_name(normal) == name


@pytest.mark.parametrize(
    "spec",
    [
        "", "-r x", "-e .", "--index-url=http://x", "./x", "/x", "~/x", "git+ssh://a/b",
        "x @ https://a.example/x.whl", "x@git+https://a.example/x", "x y", "x>=", "x\ny", "x;",
        "https://a.example/x.whl", "file:x.whl",
    ],
)  # fmt: skip
def test_what_is_no_pip_requirement(spec: str) -> None:
    with pytest.raises(InputError):
        check_pip(spec)


@pytest.mark.parametrize(
    "channel",
    [
        "conda-forge", "conda-forge/label/dev", "https://a.example:8443/x/", "http://127.0.0.1:1",
        "file:///srv/channel", "/srv/channel",
    ],
)  # fmt: skip
def test_channels(channel: str) -> None:
    assert check_channel(channel) == channel.rstrip("/")


@pytest.mark.parametrize(
    "channel",
    [
        "", "-c", "../x", "/srv/../etc", "https://a.example/../x", "https://a.example/%2e%2e/x",
        "ftp://a.example", "https://", "file://host/x", "https://me:secret@a.example/x",
        "https://a.example/t/secret-token/x", "https://a.example/$TOKEN", "a b", "a\nb",
        "https://[::1", "https://a.example:port/", "https://a.example/`id`", "x" * 1001,
    ],
)  # fmt: skip
def test_what_is_no_channel(channel: str) -> None:
    with pytest.raises(InputError) as refused:
        check_channel(channel)
    assert refused.value.code == "bad-channel"
    assert "me:secret" not in refused.value.text
