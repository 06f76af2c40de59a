"""Which copies are kept: all of the last days, then one a day, one a week, one a month."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.model.quantities import parse_count, parse_duration

DEFAULT = "all=2d,daily=14,weekly=8"


@dataclass(frozen=True)
class Rule:
    """``everything`` younger than so many seconds; beside these the newest copy of each of the
    last ``daily`` days, ``weekly`` weeks (ISO) and ``monthly`` months that have copies."""

    everything: int
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    def kept(self, moments: Iterable[datetime], now: datetime) -> frozenset[datetime]:
        """Which of the copies stay; the newest always does. Days are those of UTC."""
        ordered = sorted(moments, reverse=True)
        young = now - timedelta(seconds=self.everything)
        keep = {moment for moment in ordered if moment >= young} | set(ordered[:1])
        for number, name in (
            (self.daily, _day),
            (self.weekly, _week),
            (self.monthly, _month),
        ):
            keep |= _newest_of(ordered, number, name)
        return frozenset(keep)


def parse_rule(text: str) -> Rule:
    """The rule of ``all=2d,daily=14,weekly=8``; what is not named keeps none of its kind.

    Raises :class:`InputError` (``bad-rule``) for other words, numbers or times.
    """
    values: dict[str, int] = {}
    for part in text.split(","):
        name, found, value = part.strip().partition("=")
        if not found or name not in ("all", "daily", "weekly", "monthly") or name in values:
            raise InputError(
                f"'{part[:40]}' is no rule for backups. Write for example {DEFAULT}.",
                code="bad-rule",
                field="keep",
            )
        values[name] = (
            parse_duration(value, field="keep")
            if name == "all"
            else parse_count(value, field="keep", most=1000)
        )
    return Rule(values.pop("all", 0), **values)


def _newest_of(
    ordered: list[datetime], number: int, name: Callable[[datetime], object]
) -> set[datetime]:
    newest: dict[object, datetime] = {}
    for moment in ordered:
        if name(moment) in newest:
            continue
        if len(newest) == number:
            break
        newest[name(moment)] = moment
    return set(newest.values())


def _day(moment: datetime) -> object:
    return moment.astimezone(UTC).date()


def _week(moment: datetime) -> object:
    return moment.astimezone(UTC).isocalendar()[:2]


def _month(moment: datetime) -> object:
    return (moment.astimezone(UTC).year, moment.astimezone(UTC).month)
