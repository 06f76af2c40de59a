"""What an object store, its key service and the way to them answer, in words for people.

Nothing of a question is repeated: neither a token nor a key can be in a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from jupyter_mlinfn.model.areas import Area
from jupyter_mlinfn.model.errors import Conflict, MlinfnError, NotFound, Refused, Unavailable

KEYS_ENDED: Final = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "InvalidAccessKeyId", "InvalidTokenId",
     "InvalidToken", "InvalidClientTokenId", "TokenRefreshRequired",
     "XAdminUserNotFound"}
)  # fmt: skip
"""What a store says of keys that were good once."""

_CLOCKS: Final = frozenset({"RequestTimeTooSkewed", "RequestExpired"})
_FULL: Final = frozenset({"XMinioAdminBucketQuotaExceeded", "QuotaExceeded", "XMinioStorageFull"})
_BAD_TOKENS: Final = frozenset(
    {"InvalidIdentityToken", "InvalidIdentityTokenException", "InvalidParameterValue",
     "InvalidClientTokenId", "STSWebIdentityExpiredToken", "IDPRejectedClaim", "InvalidRequest"}
)  # fmt: skip
_SKEW: Final = 300.0
"""Seconds that S3 lets two clocks differ by are 900; a token may be refused long before."""


@contextmanager
def speaking(area: Area) -> Iterator[None]:
    """Errors of a conversation with the store as ours.

    Raises :class:`NotFound` (``bucket-missing``, ``no-such-object``), :class:`Refused`
    (``bucket-refused``), :class:`Conflict` (``bucket-full``), :class:`Unavailable`
    (``store-silent``, ``keys-ended``, ``clock-skew``, ``store-fails``).
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _of_the_store(area, error.response) from None
    except (BotoCoreError, OSError) as error:
        raise silent(area, error) from None
    except (ResponseParserError, ValueError, LookupError):
        raise _unreadable(area) from None


@contextmanager
def asking_for_keys(area: Area) -> Iterator[None]:
    """Errors of the key service as ours.

    Raises :class:`Refused` (``keys-refused``), :class:`Unavailable` (``clock-skew``,
    ``store-silent``, ``store-fails``).
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    try:
        yield
    except ClientError as error:
        raise _of_the_key_service(area, error.response) from None
    except (BotoCoreError, OSError) as error:
        raise silent(area, error) from None
    except (ResponseParserError, ValueError, LookupError):
        raise _unreadable(area) from None


def code_of(error: Exception) -> str:
    """S3's code of an error of botocore; empty for others."""
    told = getattr(error, "response", None) or {}
    return str(told.get("Error", {}).get("Code", ""))


def silent(area: Area, error: Exception) -> Unavailable:
    """The store was not reached; ``error`` is known by its kind alone."""
    kind = type(error).__name__
    why = {
        "ConnectTimeoutError": "no answer in time",
        "ReadTimeoutError": "no answer in time",
        "SSLError": "its certificate is not trusted here",
    }.get(kind, "nobody is reached there")
    endpoint = area.store.endpoint if area.store else ""
    return Unavailable(
        f"The object store {endpoint} does not answer ({why}). What is in it is not touched by "
        "that. Try again later.",
        code="store-silent",
    )


def _unreadable(area: Area) -> Unavailable:
    address = (area.store.sts or area.store.endpoint) if area.store else ""
    return Unavailable(
        f"What {address} answered is not what an object store says. Tell your admin: something "
        "else is perhaps at that address.",
        code="store-fails",
    )


def _of_the_store(area: Area, told: dict[str, Any]) -> MlinfnError:
    code, status = _code_and_status(told)
    if code == "NoSuchBucket":
        return NotFound(
            f"The object store has no bucket of {area.bucket}. Ask your admin to make it.",
            code="bucket-missing",
        )
    if code in ("NoSuchKey", "404", "NoSuchUpload"):
        return NotFound("There is no such object in the bucket.", code="no-such-object")
    if code in _CLOCKS:
        return _clocks(told)
    if code in KEYS_ENDED:
        return _skewed(told) or Unavailable(
            f"The keys to {area.bucket} ended, and the store does not take the new ones yet. "
            "Try again.",
            code="keys-ended",
        )
    if code in _FULL:
        return Conflict(
            f"The bucket of {area.title} is full. Delete something, or ask your admin for room.",
            code="bucket-full",
        )
    if status in (401, 403):
        return Refused(
            f"The object store refuses this in {area.bucket}: your keys have no right to it. If "
            "that is wrong, tell your admin.",
            code="bucket-refused",
        )
    return _failing(area, code, status)


def _of_the_key_service(area: Area, told: dict[str, Any]) -> MlinfnError:
    code, status = _code_and_status(told)
    if code in _CLOCKS:
        return _clocks(told)
    if code in _BAD_TOKENS or code in KEYS_ENDED or status in (401, 403) or code == "AccessDenied":
        return _skewed(told) or Refused(
            f"The object store gives you no keys to {area.bucket}: it does not accept what the "
            "hub's login says of you. Tell your admin: audience, role and the store's own rules "
            f"for people have to fit ({code or status}).",
            code="keys-refused",
        )
    if status in (404, 405, 501) or (status == 400 and not code):
        return Unavailable(
            f"{area.store.sts or area.store.endpoint if area.store else ''} gives no keys: it "
            "has no key service (STS). Tell your admin.",
            code="store-fails",
        )
    return _failing(area, code, status)


def _failing(area: Area, code: str, status: int) -> Unavailable:
    return Unavailable(
        f"The object store of {area.title} does not work now ({code or status}). Nothing was "
        "changed. Try again later.",
        code="store-fails",
    )


def _code_and_status(told: dict[str, Any]) -> tuple[str, int]:
    code = str(told.get("Error", {}).get("Code", ""))[:60]
    plain = code if code.isascii() and code.isalnum() else ""
    return plain, int(told.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _skewed(told: dict[str, Any]) -> Unavailable | None:
    """The clocks as the reason, where the answer's date says so."""
    skew = _skew(told)
    return None if skew is None or abs(skew) < _SKEW else _clocks(told)


def _clocks(told: dict[str, Any]) -> Unavailable:
    skew = _skew(told)
    by = "" if skew is None or abs(skew) < 60 else f" by {abs(skew) / 60:.0f} min"
    return Unavailable(
        f"The clocks of this machine and of the object store differ{by}, so it takes no keys. "
        "Tell your admin.",
        code="clock-skew",
    )


def _skew(told: dict[str, Any]) -> float | None:
    """Seconds that the store's clock is ahead of ours; ``None`` where it did not say."""
    date = told.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return (parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
