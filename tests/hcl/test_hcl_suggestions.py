"""What is suggested for a name that nobody knows, also among very many names."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import did_you_mean, listed

MANY = [f"{kind}_{number}_name" for kind in ("first", "second", "third") for number in range(1000)]


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("regoin", ["region", "zone"], "region"),
        ("scond_741_name", MANY, "second_741_name"),
        ("third_12_nam", MANY, "third_12_name"),
        ("xfirst_7_name", MANY, "first_7_name"),
    ],
)
def test_a_slip_is_met_with_the_name_that_was_meant(name: str, known: list[str], meant: str) -> None:
    assert did_you_mean(name, known) == f'Did you mean "{meant}"?'


@pytest.mark.parametrize(
    ("name", "known"),
    [("entirely", ["other", "words"]), ("a" * 101, ["a" * 101]), ("x1", [f"x{n}" for n in range(5001)]), ("x", [])],
)
def test_nothing_is_suggested_where_nothing_is_near_or_looking_would_take_long(name: str, known: list[str]) -> None:
    assert did_you_mean(name, known) == ""


@given(st.text(max_size=12), st.lists(st.text(max_size=12), max_size=60))
def test_among_few_names_the_nearest_one_is_found(name: str, known: list[str]) -> None:
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)

    assert did_you_mean(name, known) == (f'Did you mean "{close[0]}"?' if close else "")


def test_many_names_are_listed_in_part() -> None:
    assert listed({"b", "a"}) == "a, b"
    assert listed([f"n{number:02}" for number in range(30)]).endswith("n19 and 10 more")
    assert listed([str(number) for number in range(6000)]) == "6,000 names"
