"""Identity tokens: believed only when the provider's own key signed them, for us, for now.

OAuthenticator asks ``/userinfo`` and does not look at the identity token; where it does
(``userdata_from_id_token``) it skips the signature. Both are allowed by the standard while the
token comes from the provider itself by TLS; we look all the same, so that a proxy between the two,
or a provider that serves many hubs, is not believed without a proof.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt

from jupyter_mlinfn.model.errors import Refused

ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
)  # fmt: skip
"""Signatures by a key of the provider's own: never ``none``, never a secret that we know too."""

LEEWAY = 30
"""Seconds that two clocks may differ."""


class UnknownKey(Refused):
    """The key is not among those that we have; the provider may have new ones."""

    default_code = "unknown-key"


def verified(token: object, keys: Mapping[str, Any], issuer: str, client: str) -> dict[str, Any]:
    """The claims of ``token``. ``keys`` is the provider's JWKS document.

    Raises :class:`UnknownKey`, and :class:`Refused` with a text for the person: no token, not
    signed, signed by a stranger, not by ``issuer``, not for ``client``, over, or of the future.
    """
    if not isinstance(token, str):
        raise Refused(f"{_BAD} it sent no identity token. {_TELL}", code="no-identity-token")
    try:
        key = _key_of(token, keys)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=client,
            leeway=LEEWAY,
            options={"require": ["exp", "iat", "iss", "aud", "sub"]},
        )
    except jwt.PyJWTError as error:
        raise Refused(f"{_BAD} {_why(error)} {_TELL}", code="bad-identity-token") from error
    if str(claims["iss"]).removesuffix("/") != issuer.removesuffix("/"):
        raise Refused(f"{_BAD} the token is of another service. {_TELL}", code="bad-issuer")
    # a token for several clients says whom it was given to
    if claims.get("azp", client) != client:
        raise Refused(f"{_BAD} the token is for another program. {_TELL}", code="bad-audience")
    return claims


_BAD = "The answer of your login service cannot be trusted:"
_TELL = "Log in again; if this stays, tell the people who run this hub."


def _key_of(token: str, keys: Mapping[str, Any]) -> jwt.PyJWK:
    header = jwt.get_unverified_header(token)
    if header.get("alg") not in ALGORITHMS:
        raise jwt.InvalidAlgorithmError
    known = jwt.PyJWKSet.from_dict(dict(keys)).keys
    fitting = [key for key in known if key.key_id == header.get("kid")]
    if header.get("kid") is None and len(known) == 1:
        fitting = known
    if len(fitting) != 1:
        raise UnknownKey(f"{_BAD} the key of its signature is not known. {_TELL}")
    return fitting[0]


def _why(error: jwt.PyJWTError) -> str:
    """What is wrong in words: the library's own could repeat a part of the token."""
    reasons: tuple[tuple[type[Exception], str], ...] = (
        (jwt.ExpiredSignatureError, "the identity token is over."),
        (jwt.ImmatureSignatureError, "the identity token is of the future."),
        (jwt.InvalidAudienceError, "the identity token is for another program."),
        (jwt.MissingRequiredClaimError, "the identity token lacks what it must have."),
        (jwt.InvalidAlgorithmError, "the identity token is not signed as it must be."),
        (jwt.InvalidSignatureError, "the signature of the identity token is wrong."),
    )
    return next((text for kind, text in reasons if isinstance(error, kind)), "it is no token.")
