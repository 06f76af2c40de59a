"""Identity tokens: who signed, for whom, for when."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from jupyter_mlinfn.hub.login.identity_tokens import LEEWAY, UnknownKey, verified
from jupyter_mlinfn.model.errors import Refused

ISSUER, CLIENT = "https://iam.example.org/", "hub"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
KEYS = {
    "keys": [
        {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())), "kid": kid}
        for key, kid in ((KEY, "one"), (STRANGER, "two"))
    ]
}


def token(key: Any = KEY, kid: str = "one", algorithm: str = "RS256", **changed: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": CLIENT, "sub": "ada", "iat": now, "exp": now + 3600} | changed
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


def test_a_good_one_is_believed() -> None:
    assert verified(token(), KEYS, ISSUER, CLIENT)["sub"] == "ada"
    assert verified(token(aud=[CLIENT, "x"], azp=CLIENT), KEYS, ISSUER, CLIENT)["sub"] == "ada"
    assert verified(token(), KEYS, ISSUER.rstrip("/"), CLIENT)["sub"] == "ada"
    assert verified(token(exp=int(time.time()) - LEEWAY // 2), KEYS, ISSUER, CLIENT)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"exp": 1_000_000_000}, "is over"),
        ({"iat": 9_999_999_999}, "of the future"),
        ({"nbf": 9_999_999_999}, "of the future"),
        ({"aud": "other"}, "for another program"),
        ({"aud": [CLIENT, "other"], "azp": "other"}, "for another program"),
        ({"iss": "https://iam.example.com/"}, "another service"),
        ({"exp": None}, "lacks"),
        ({"iat": None}, "lacks"),
        ({"sub": None}, "lacks"),
        ({"aud": None}, "lacks|another program"),
        ({"kid": "two"}, "signature"),
        ({"key": STRANGER}, "signature"),
    ],
)
def test_a_wrong_one_is_refused_in_words(changed: dict[str, Any], text: str) -> None:
    made = token(**changed)
    with pytest.raises(Refused, match=text) as refused:
        verified(made, KEYS, ISSUER, CLIENT)
    assert made.split(".")[1] not in str(refused.value)


@pytest.mark.parametrize("made", [None, "", "x", "a.b.c", 7, token()[:-20], "é.é.é"])
def test_what_is_no_token_is_refused(made: object) -> None:
    with pytest.raises(Refused):
        verified(made, KEYS, ISSUER, CLIENT)


def test_no_secret_and_no_signature_will_do() -> None:
    with pytest.raises(Refused, match="not signed"):
        verified(token("s" * 64, algorithm="HS256"), KEYS, ISSUER, CLIENT)
    with pytest.raises(Refused, match="not signed"):
        verified(token(None, algorithm="none"), KEYS, ISSUER, CLIENT)


def test_a_new_key_is_told_from_a_wrong_signature() -> None:
    with pytest.raises(UnknownKey):
        verified(token(kid="three"), KEYS, ISSUER, CLIENT)
