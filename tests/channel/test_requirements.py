"""Requirements of wheels in conda's words."""

from __future__ import annotations

import email
from email.message import Message

import pytest
from packaging.specifiers import SpecifierSet

from tests.channel.requirements import conda_name, conda_spec, depends


def metadata(*requirements: str) -> Message:
    return email.message_from_string("".join(f"Requires-Dist: {one}\n" for one in requirements))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("~=1.4.2", "==1.4.*,>=1.4.2"),
        ("~=2.1", "==2.*,>=2.1"),
        (">=1,<2,!=1.5.*", "!=1.5.*,<2,>=1"),
        ("==2.0+cpu", "==2.0_cpu"),
        ("", ""),
    ],
)
def test_version_comparisons(theirs: str, ours: str) -> None:
    assert conda_spec(SpecifierSet(theirs)) == ours


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Jupyter-Client", "jupyter_client"),
        ("prompt_toolkit", "prompt-toolkit"),
        ("PyYAML", "pyyaml"),
    ],
)
def test_names(theirs: str, ours: str) -> None:
    assert conda_name(theirs) == ours


def test_false_markers_and_extras_nobody_asked_for_are_left_out() -> None:
    said = metadata(
        "always>=1",
        "here; sys_platform == 'linux'",
        "elsewhere; sys_platform == 'win32'",
        "old; python_version < '3'",
        "extra-only; extra == 'all'",
    )
    assert depends(said, {}) == ["always >=1", "here"]


def test_what_an_extra_needs_is_said_by_who_asks_for_it() -> None:
    other = metadata(
        "base", "fancy>=2; extra == 'shiny'", "more; extra == 'shiny' and sys_platform == 'win32'",
        "other; extra == 'dull'", "itself[dull]; extra == 'shiny'",
    )  # fmt: skip
    said = metadata("itself[shiny]<9")
    assert depends(said, {"itself": other}) == ["fancy >=2", "itself", "itself <9", "other"]
