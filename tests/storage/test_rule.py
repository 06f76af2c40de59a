"""Which copies a rule keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.model.errors import InputError
from jupyter_mlinfn.storage.backups.rule import DEFAULT, Rule, parse_rule

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

MOMENTS = st.lists(st.integers(0, 400 * 24), max_size=60, unique=True).map(
    lambda ages: [NOW - timedelta(hours=age) for age in ages]
)
RULES = st.builds(
    Rule, st.integers(0, 10 * 86400), st.integers(0, 20), st.integers(0, 20), st.integers(0, 5)
)


def test_the_default() -> None:
    rule = parse_rule(DEFAULT)
    assert rule == Rule(2 * 86400, daily=14, weekly=8)
    hourly = [NOW - timedelta(hours=age) for age in range(24 * 100)]
    kept = sorted(rule.kept(hourly, NOW), reverse=True)
    assert kept[:49] == hourly[:49]
    days = {moment.date() for moment in kept}
    assert all(NOW.date() - timedelta(days=age) in days for age in range(14))
    assert len({moment.isocalendar()[:2] for moment in kept}) == 8
    assert len(kept) < 49 + 14 + 8


@given(MOMENTS, RULES)
def test_the_newest_stays_and_what_is_let_go_never_matters_again(
    moments: list[datetime], rule: Rule
) -> None:
    kept = rule.kept(moments, NOW)
    assert kept <= set(moments)
    assert not moments or max(moments) in kept
    assert rule.kept(kept, NOW) == kept


@pytest.mark.parametrize(
    "text", ["", "all", "all=2", "daily=x", "daily=1,daily=2", "hourly=3", "weekly=-1", "daily=１"]
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(InputError):
        parse_rule(text)
