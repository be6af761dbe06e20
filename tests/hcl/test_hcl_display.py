"""Values as the console prints them, and Go's notations of numbers and text."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.display import display, quoted
from goldsmith.hcl.gofmt import Verb, format_integer, format_real, shortest
from goldsmith.hcl.gotime import format_time, parse_duration, parse_rfc3339, rfc3339
from goldsmith.hcl.types import NUMBER, STRING, ListType
from goldsmith.hcl.values import Plain, Value, from_plain, object_of, string, tuple_of, unknown


@pytest.mark.parametrize(
    ("plain", "wanted"),
    [
        ('a "b"\n', 'a "b"\n'),
        (["a\t\u0001é"], '[\n  "a\\t\\x01é",\n]'),
        ([], "[]"),
        ({}, "{}"),
        ({"a": None}, "{}"),
        ({"b": [1, {"c": True}], "a": None}, '{\n  "b" = [\n    1,\n    {\n      "c" = true\n    },\n  ]\n}'),
        ([None], "[\n  null,\n]"),
        (None, "null"),
        (1000000, "1000000"),
        (2**63 - 1, "9223372036854775807"),
        (2**63, "9.223372036854776e+18"),
        (10**20, "1e+20"),
        (Decimal("12345678.9"), "1.23456789e+07"),
        (Decimal("0.1"), "0.1"),
        (Decimal("1") / 3, "0.3333333333333333"),
        (Decimal("0.00001"), "1e-05"),
        (10**400, "+Inf"),
        (Decimal("-1e400"), "-Inf"),
    ],
)
def test_a_value_is_displayed_as_packers_console_does(plain: Plain, wanted: str) -> None:
    assert display(from_plain(plain)) == wanted


def test_what_is_sensitive_or_unknown_shows_as_that() -> None:
    assert display(string("s3cret").marked()) == "<sensitive>"
    assert display(unknown(STRING)) == "<unknown>"
    mixed = tuple_of([string("s3cret").marked(), unknown(), object_of({"k": from_plain([1]).marked()})])
    assert display(mixed) == '[\n  <sensitive>,\n  <unknown>,\n  {\n    "k" = <sensitive>\n  },\n]'


def test_an_empty_list_of_a_type_shows_as_empty() -> None:
    assert display(Value(ListType(NUMBER), ())) == "[]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7", '"7"'),
        ('{\n  "a" = "x"\n}', '"{\\n  \\"a\\" = \\"x\\"\\n}"'),
        ("\\ \a\b\f\r\v\x7f", '"\\\\ \\a\\b\\f\\r\\v\\x7f"'),
        ("\u200b\U000e0001é\u65e5", '"\\u200b\\U000e0001é\u65e5"'),
    ],
)
def test_text_is_quoted_as_in_go(text: str, wanted: str) -> None:
    assert quoted(text) == wanted


@pytest.mark.parametrize(
    ("amount", "wanted"),
    [
        (0, "0"),
        (100000, "100000"),
        (1000000, "1e+06"),
        (123456789, "1.23456789e+08"),
        (Decimal("0.0001"), "0.0001"),
        (Decimal("0.00001"), "1e-05"),
        (Decimal("1e400"), "1e+400"),
        (-Decimal("1.50"), "-1.5"),
    ],
)
def test_the_shortest_form_of_a_number_is_gos(amount: Decimal | int, wanted: str) -> None:
    assert shortest(amount) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_shortest_form_of_a_float_reads_back_as_it(amount: float) -> None:
    assert float(shortest(Decimal(repr(amount)))) == amount


@given(st.integers(), st.integers(min_value=0, max_value=40))
def test_padding_a_number_with_zeros_does_not_change_it(amount: int, width: int) -> None:
    padded = format_integer(Verb("d", "0", width), amount)
    assert int(padded) == amount
    assert len(padded) >= width


def test_a_zero_has_no_exponent_of_its_own() -> None:
    assert format_real(Verb("e"), 0) == "0.000000e+00"
    assert format_real(Verb("G"), 0) == "0"


@given(st.floats(min_value=-1e15, max_value=1e15), st.integers(min_value=0, max_value=10))
def test_a_number_is_rounded_as_python_rounds_it(amount: float, precision: int) -> None:
    exact = Decimal(amount)
    assert format_real(Verb("f", precision=precision), exact) == f"{exact:.{precision}f}"
    assert format_real(Verb("e", precision=precision), exact) == f"{amount:.{precision}e}"


@pytest.mark.parametrize(
    ("layout", "wanted"),
    [
        ("2006-01-02T15:04:05Z07:00", "2021-02-03T04:05:06-07:30"),
        ("Mon Jan _2 03:04:05 PM 06", "Wed Feb  3 04:05:06 AM 21"),
        ("Monday, January 2 3:4:5pm", "Wednesday, February 3 4:5:6am"),
        ("002 __2 .000 .999999 ,00 -0700 -07 Z0700 MST", "034  34 .120 .12 ,12 -0730 -07 -0730 -0730"),
        ("20060102150405", "20210203040506"),
        ("Janet Monk 1", "Janet Monk 2"),
        ("plain", "plain"),
    ],
)
def test_a_moment_is_written_in_a_go_layout(layout: str, wanted: str) -> None:
    assert format_time(layout, parse_rfc3339("2021-02-03T04:05:06.12-07:30")) == wanted


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=5, minutes=45)))))
def test_a_moment_survives_being_text(moment: datetime) -> None:
    assert parse_rfc3339(rfc3339(moment)) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1h30m", 5400), ("-1.5h", -5400), ("300ms", 0.3), ("2us", 2e-6), ("+1m.5s", 60.5), ("1µs", 1e-6)],
)
def test_a_duration_is_read_as_go_does(text: str, seconds: float) -> None:
    assert parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "1", "h", "1h 2m", "1x", "1..5s", "-", "--1s", "١s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)
