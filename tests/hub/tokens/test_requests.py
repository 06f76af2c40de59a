"""What a session may ask of the token handler, and how often."""

from __future__ import annotations

import pytest

from jupyter_mlinfn.hub.tokens.documents import TokenRequest, read_request
from jupyter_mlinfn.hub.tokens.rate import Rate
from jupyter_mlinfn.model.errors import InputError, MlinfnError, Refused

SCOPES, AUDIENCES = ("openid", "iam"), ("https://s3.example.org",)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"audience": null}'])
def test_nothing_is_the_usual_token(body: bytes) -> None:
    assert read_request(body, AUDIENCES, SCOPES) == TokenRequest()


def test_less_may_be_asked_for() -> None:
    asked = read_request(
        b'{"audience": "https://s3.example.org", "scopes": ["iam"]}', AUDIENCES, SCOPES
    )
    assert (asked.audience, asked.scopes) == ("https://s3.example.org", ["iam"])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"[]", InputError),
        (b"null", InputError),
        (b"x", InputError),
        (b"\xff", InputError),
        (b"[" * 4000, InputError),
        (b" " * 5000, InputError),
        (b'{"user": "eve"}', InputError),
        (b'{"audience": 1}', InputError),
        (b'{"audience": ""}', InputError),
        (b'{"scopes": "openid"}', InputError),
        (b'{"scopes": []}', InputError),
        (b'{"scopes": ["openid offline_access"]}', Refused),
        (b'{"scopes": ["offline_access"]}', Refused),
        (b'{"audience": "https://evil.example"}', Refused),
    ],
)
def test_what_is_not_offered(body: bytes, kind: type[MlinfnError]) -> None:
    with pytest.raises(kind):
        read_request(body, AUDIENCES, SCOPES)


def test_so_many_times_and_then_wait() -> None:
    rate = Rate(times=2, seconds=60)
    assert [rate.wait("ada", at) for at in (0.0, 10.0, 20.0, 59.5)] == [0, 0, 40, 1]
    assert rate.wait("eve", 20.0) == 0
    assert rate.wait("ada", 60.0) == 0
    assert rate.wait("ada", 61.0) == 9
