"""What is said of a request before a task is started."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_mlinfn.environments.own.asking import check_request
from jupyter_mlinfn.environments.own.naming import check_state, split_state
from jupyter_mlinfn.environments.own.policy import Policy
from jupyter_mlinfn.model.environment_tasks import Alter, Clone, Create, Restore
from jupyter_mlinfn.model.errors import InputError, Refused

FREE = Policy(user="me", channels=("file:///c",))
STRICT = Policy(
    user="me",
    channels=("file:///c",),
    allowed_channels=("file:///c", "conda-forge"),
    denied_packages=("anaconda*",),
    pip_allowed=False,
)
LOCK = (
    """\
@EXPLICIT
https://example.org/c/linux-64/x-1.0-0.conda#sha256:"""
    + "0" * 64
)


@pytest.mark.parametrize(
    "request_",
    [
        Create(name="x", packages=("python=3.11", "numpy>=2,<3", "conda-forge::pandas")),
        Create(name="x", pip=("requests[socks]==2.32.3",)),
        Create(name="x", file_name="environment.yml", file_text="dependencies: [python]\n"),
        Create(name="x", file_name="explicit.txt", file_text=LOCK),
        Clone(name="x", source="y"),
        Alter(name="x", add=("numpy",), remove=("pandas",), update=("scipy",)),
        Restore(name="x", digest="0" * 12),
    ],
    ids=lambda one: one.action,
)
def test_what_is_in_order(request_: Any) -> None:
    check_request(request_, FREE)


def test_all_problems_at_once_with_their_places() -> None:
    request = Create(
        name="x", packages=("ok", "-x"), pip=("a b",), channels=("file:///c", "ftp://c")
    )
    with pytest.raises(InputError) as caught:
        check_request(request, FREE)
    assert [problem.field for problem in caught.value.problems] == [
        "packages.1", "pip.0", "channels.1",
    ]  # fmt: skip


@pytest.mark.parametrize("field", ["add", "add_pip", "remove", "update"])
def test_each_list_of_a_change_is_checked(field: str) -> None:
    with pytest.raises(InputError) as caught:
        check_request(Alter.model_validate({"name": "x", field: ("--file=/etc/passwd",)}), FREE)
    assert [problem.field for problem in caught.value.problems] == [f"{field}.0"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\n", "-p", "x" * 65, "а", "tasks", "gc"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(InputError) as caught:
        check_request(Create(name=name, packages=("python",)), FREE)
    assert caught.value.code == "bad-name"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Create(name="x", packages=("anaconda-client",)), "package-refused"),
        (Create(name="x", packages=("other::numpy",)), "channel-refused"),
        (Create(name="x", packages=("y",), channels=("bioconda",)), "channel-refused"),
        (Create(name="x", pip=("requests",)), "pip-refused"),
        (Alter(name="x", add_pip=("requests",)), "pip-refused"),
        (Alter(name="x", update=("Anaconda",)), "package-refused"),
        (
            Create(name="x", file_name="a.yml", file_text="dependencies: [{pip: [requests]}]"),
            "pip-refused",
        ),
        (
            Create(name="x", file_name="a.yml", file_text="dependencies: [anaconda]"),
            "package-refused",
        ),
        (
            Create(name="x", file_name="a.yml", file_text="channels: [o]\ndependencies: [a]"),
            "channel-refused",
        ),
    ],
)
def test_what_the_admin_does_not_allow(request_: Any, code: str) -> None:
    with pytest.raises(Refused) as caught:
        check_request(request_, STRICT)
    assert caught.value.code == code


def test_removing_what_is_denied_is_allowed() -> None:
    check_request(Alter(name="x", remove=("anaconda-client",)), STRICT)


def test_states() -> None:
    assert split_state("a") == ("a", None)
    assert split_state("a@sha256:01234567") == ("a", "sha256:01234567")
    assert check_state("a@0123456789ab") == "a@0123456789ab"


@pytest.mark.parametrize("text", ["a@", "a@zz", "a@0123456", "a@01234567@1", "a@" + "0" * 65, "@0"])
def test_states_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        split_state(text)
