"""Version constraints."""

from __future__ import annotations

import pytest

from goldsmith.template.constraints import parse_constraints


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
