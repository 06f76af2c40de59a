"""Column types all tables share."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
"""A document as its column keeps it."""


class Instant(TypeDecorator[datetime]):
    """A time with zone, kept as whole microseconds since 1970 UTC: exact and comparable."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds of ``value``; a time without zone is refused."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """The time, in UTC."""
        return None if value is None else _EPOCH + timedelta(microseconds=int(value))


class Document(TypeDecorator[Any]):
    """A small JSON document; ``None`` is NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        """Compact JSON."""
        return None if value is None else encode(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any | None:
        """The parsed document."""
        return None if value is None else json.loads(value)
