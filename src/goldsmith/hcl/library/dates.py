"""Functions on dates and times."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from goldsmith.hcl.gotime import DAYS, MONTHS, format_time, parse_duration, parse_rfc3339, rfc3339
from goldsmith.hcl.library.arguments import AMOUNT, TEXT, named, of, text, whole
from goldsmith.hcl.scope import Function, FunctionFault
from goldsmith.hcl.types import STRING
from goldsmith.hcl.values import Value, number, object_of, string


def functions(clock_s: int) -> tuple[Function, ...]:
    """All functions of this family. They agree on what time it is: `clock_s`, in seconds since 1970."""
    now = datetime.fromtimestamp(clock_s, UTC)
    stamp, layout = named("timestamp", TEXT), named("format", TEXT)
    return (
        of("formatdate", _formatdate, layout, named("time", TEXT), result=STRING),
        of("legacy_isotime", _legacy("legacy_isotime", now, format_time), rest=layout, result=STRING),
        of("legacy_strftime", _legacy("legacy_strftime", now, _strftime), rest=layout, result=STRING),
        of("rfc3339_parse", _rfc3339_parse, stamp),
        of("timeadd", _timeadd, stamp, named("duration", TEXT), result=STRING),
        of("timestamp", lambda _: string(rfc3339(now)), result=STRING),
        of("unix_timestamp_parse", _unix_timestamp_parse, named("unix_timestamp", AMOUNT)),
    )


def _moment(value: Value, argument: int, separators: str = "T") -> datetime:
    try:
        return parse_rfc3339(text(value), separators=separators)
    except ValueError as fault:
        raise FunctionFault(str(fault), argument) from fault


def _timeadd(given: Sequence[Value]) -> Value:
    moment = _moment(given[0], 0)
    try:
        return string(rfc3339(moment + parse_duration(text(given[1]))))
    except (ValueError, OverflowError) as fault:
        raise FunctionFault(str(fault), 1) from fault


def _legacy(name: str, now: datetime, form: Callable[[str, datetime], str]) -> Callable[[Sequence[Value]], Value]:
    def call(given: Sequence[Value]) -> Value:
        if len(given) > 1:
            raise FunctionFault(f"too many values, 1 needed: {name}() takes one format", 1)
        return string(form(text(given[0]), now) if given else rfc3339(now))

    return call


def _parts(moment: datetime) -> dict[str, Value]:
    """The attributes that Packer's documentation of the two parsing functions lists."""
    iso_year, iso_week, _ = moment.isocalendar()
    return {
        "year": number(moment.year),
        "year_day": number(moment.timetuple().tm_yday),
        "month": number(moment.month),
        "month_name": string(MONTHS[moment.month - 1]),
        "day": number(moment.day),
        "weekday": number((moment.weekday() + 1) % 7),
        "weekday_name": string(DAYS[moment.weekday()]),
        "hour": number(moment.hour),
        "minute": number(moment.minute),
        "second": number(moment.second),
        "iso_year": number(iso_year),
        "iso_week": number(iso_week),
    }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _rfc3339_parse(given: Sequence[Value]) -> Value:
    moment = _moment(given[0], 0, separators="T ")
    return object_of(_parts(moment) | {"unix": number((moment - _EPOCH) // timedelta(seconds=1))})


def _unix_timestamp_parse(given: Sequence[Value]) -> Value:
    try:
        moment = _EPOCH + timedelta(seconds=whole(given[0], 0))
    except OverflowError as fault:
        raise FunctionFault("the timestamp lies outside the years 1 to 9999", 0) from fault
    return object_of(_parts(moment) | {"rfc3339": string(rfc3339(moment))})


_TOKEN = re.compile(r"'(?:[^']|'')*'|'|([A-Za-z])\1*|[^A-Za-z']+", re.ASCII)


def _formatdate(given: Sequence[Value]) -> Value:
    moment = _moment(given[1], 1)
    return string("".join(_dated(token[0], moment) for token in _TOKEN.finditer(text(given[0]))))


def _dated(token: str, moment: datetime) -> str:
    if token == "'":
        raise FunctionFault("unterminated literal '", 0)
    if token.startswith("'"):
        return token[1:-1].replace("''", "'")
    if not (token[0].isascii() and token[0].isalpha()):
        return token
    form = _VERBS.get(token)
    if form is None:
        raise FunctionFault(f'invalid date format verb "{token}"{_EXPECTED.get(token[0], "")}', 0)
    return form(moment)


def _by_layout(layout: str) -> Callable[[datetime], str]:
    return lambda moment: format_time(layout, moment)


_VERBS: dict[str, Callable[[datetime], str]] = {
    "YYYY": _by_layout("2006"),
    "YY": _by_layout("06"),
    "MMMM": _by_layout("January"),
    "MMM": _by_layout("Jan"),
    "MM": _by_layout("01"),
    "M": _by_layout("1"),
    "DD": _by_layout("02"),
    "D": _by_layout("2"),
    "EEEE": _by_layout("Monday"),
    "EEE": _by_layout("Mon"),
    "hh": _by_layout("15"),
    "h": lambda t: str(t.hour),
    "HH": _by_layout("03"),
    "H": _by_layout("3"),
    "AA": _by_layout("PM"),
    "aa": _by_layout("pm"),
    "mm": _by_layout("04"),
    "m": _by_layout("4"),
    "ss": _by_layout("05"),
    "s": _by_layout("5"),
    "ZZZZZ": _by_layout("-07:00"),
    "ZZZZ": _by_layout("-0700"),
    "Z": _by_layout("Z07:00"),
    "ZZZ": lambda t: format_time("-0700", t) if t.utcoffset() else "UTC",
}
_EXPECTED = {
    "Y": ': year must either be "YY" or "YYYY"',
    "M": ': month must be "M", "MM", "MMM", or "MMMM"',
    "D": ': day of month must either be "D" or "DD"',
    "E": ': day of week must either be "EEE" or "EEEE"',
    "h": ': 24-hour must either be "h" or "hh"',
    "H": ': 12-hour must either be "H" or "HH"',
    "A": ': must be "AA"',
    "a": ': must be "aa"',
    "m": ': minute must either be "m" or "mm"',
    "s": ': second must either be "s" or "ss"',
    "Z": ": timezone must be Z, ZZZZ, or ZZZZZ",
}

_STRFTIME = {
    "A": "Monday",
    "a": "Mon",
    "B": "January",
    "b": "Jan",
    "h": "Jan",
    "d": "02",
    "e": "_2",
    "m": "01",
    "y": "06",
    "Y": "2006",
    "H": "15",
    "I": "03",
    "M": "04",
    "S": "05",
    "p": "PM",
    "j": "002",
    "Z": "MST",
    "z": "-0700",
    "c": "Mon Jan _2 15:04:05 2006",
    "D": "01/02/06",
    "F": "2006-01-02",
    "R": "15:04",
    "r": "03:04:05 PM",
    "T": "15:04:05",
    "v": "_2-Jan-2006",
    "X": "15:04:05",
    "x": "01/02/06",
}
"""The directives that are Go layouts; those of the library that Packer uses, in the C locale."""


def _strftime(form: str, moment: datetime) -> str:
    return re.sub(r"%(.?)", lambda found: _directive(found[1], moment), form, flags=re.DOTALL)


def _directive(letter: str, moment: datetime) -> str:
    if letter in _STRFTIME:
        return format_time(_STRFTIME[letter], moment)
    if letter in ("C", "U", "V", "W", "w", "u"):
        return moment.strftime("%" + letter)
    fixed = {"%": "%", "n": "\n", "t": "\t", "k": f"{moment.hour:2}", "l": f"{moment.hour % 12 or 12:2}"}
    if letter not in fixed:
        raise FunctionFault(f'unknown time format specification "%{letter}"', 0)
    return fixed[letter]
