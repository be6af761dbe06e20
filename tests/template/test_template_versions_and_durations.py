"""Version constraints and Go's durations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.template.constraints import parse_constraints
from goldsmith.template.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "admits"),
    [
        (">= 1.0.0", True),
        (">= v1.0.0", True),
        (">= v1", True),
        ("1.16.0", True),
        ("= 1.16", True),
        ("!= 1.16.0", False),
        ("> 1.16.0", False),
        ("> 1.16.0-beta1", True),
        ("= 1.16.0-beta1", False),
        ("< 1.16.0-beta1", False),
        ("<= 1.16", True),
        ("< 1.16.1", True),
        ("~> 1.9", True),
        ("~> 1", True),
        ("~> 2", False),
        ("~> 1.16.0", True),
        ("~> 1.15.0", False),
        ("~> 1.17", False),
        (">= 1.9.0, < 2.0.0", True),
        (">= 1.9.0, != 1.16.0", False),
        (">= 700000.0.0", False),
    ],
)
def test_a_constraint_is_compared_segment_by_segment(text: str, admits: bool) -> None:
    assert all(constraint.admits("1.16.0") for constraint in parse_constraints(text)) is admits


@pytest.mark.parametrize("text", ["", "abc", ">= ", ">> 1", "1.x", ">= 1,"])
def test_a_malformed_constraint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Malformed constraint"):
        parse_constraints(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("500ms", 0.5), ("1.5h", 5400), ("0", 0), ("-2s", -2), (".5s", 0.5), ("1h0m1s", 3601)],
)
def test_a_duration_is_told_in_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("10", 'missing unit in duration "10"'),
        ("10d", 'unknown unit "d" in duration "10d"'),
        ("abc", 'invalid duration "abc"'),
        ("", 'invalid duration ""'),
        ("1s ", 'unknown unit "s "'),
    ],
)
def test_a_bad_duration_is_refused_in_the_words_of_go(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_duration(text)


@given(st.integers(0, 10_000), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_add_up(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == hours * 3600 + minutes * 60 + seconds
