"""Ages by the wall clock, and what a clock that jumps does to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jupyter_mlinfn.hub.reclaim.ages import SLACK, Ages


def test_time_that_passed_is_believed() -> None:
    ages = Ages()
    assert ages.true("ada", 100, 0) == 100
    assert ages.true("ada", 160, 60) == 160
    assert ages.true("ada", 3, 90) == 3  # she used it
    assert ages.true("ada", 33, 120) == 33


def test_an_hour_that_did_not_pass_is_not() -> None:
    ages = Ages()
    ages.true("ada", 100, 0)
    assert ages.true("ada", 3760, 60) == 160
    assert ages.true("ada", 3820, 120) == 220
    assert ages.true("ada", 5, 130) == 5
    assert ages.true("bob", 3700, 60) == 3700


def test_who_is_gone_is_forgotten() -> None:
    ages = Ages()
    ages.true("ada", 0, 0)
    ages.forget_all_but([])
    assert ages.true("ada", 500, 1) == 500


@given(
    st.lists(
        st.tuples(st.floats(0, 600), st.floats(-5000, 5000), st.booleans()), min_size=1, max_size=30
    )
)
def test_nobody_grows_older_than_time_passes(steps: list[tuple[float, float, bool]]) -> None:
    """Whatever the wall clock does, what is answered is at most what truly passed, and slack."""
    ages, now, wall, used_now, used_wall = Ages(), 0.0, 0.0, 0.0, 0.0
    ages.true("ada", 0, 0)
    for number, (passed, jump, used) in enumerate(steps, 1):
        now, wall = now + passed, wall + passed + jump
        if used:
            used_now, used_wall = now, wall
        told = max(0.0, wall - used_wall)
        assert ages.true("ada", told, now) <= now - used_now + number * SLACK or told == 0
