"""Dates and durations in Go's notations: reference layouts, RFC 3339, `1h30m`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?P<separator>[Tt ])(\d\d):(\d\d):(\d\d)(?:\.(\d+))?"
    r"(?P<zone>[Zz]|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d))",
    re.ASCII,
)
_UNIT_S = {"ns": "1e-9", "us": "1e-6", "µs": "1e-6", "μs": "1e-6", "ms": "1e-3", "s": "1", "m": "60", "h": "3600"}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)


def format_time(layout: str, moment: datetime) -> str:
    """The moment in a Go reference layout: `2006-01-02T15:04:05Z07:00` (https://pkg.go.dev/time#Layout)."""
    return _ELEMENT.sub(lambda found: _element(found[0], moment), layout)


def rfc3339(moment: datetime) -> str:
    """The moment as RFC 3339 text with whole seconds; UTC is `Z`."""
    return format_time("2006-01-02T15:04:05Z07:00", moment)


def strftime(form: str, moment: datetime) -> str:
    """The moment by the directives of Packer's `{{strftime}}`; one that it does not know stays as it is."""
    return re.sub(r"%(.)", lambda found: _directive(found[0], moment), form, flags=re.DOTALL)


_DIRECTIVES = {
    "A": "Monday",
    "B": "January",
    "H": "15",
    "I": "03",
    "L": ".000",
    "M": "04",
    "S": "05",
    "Y": "2006",
    "Z": "MST",
    "a": "Mon",
    "b": "Jan",
    "d": "02",
    "m": "01",
    "p": "PM",
    "y": "06",
    "z": "-0700",
}


def _directive(text: str, moment: datetime) -> str:
    if text == "%%":
        return "%"
    return format_time(_DIRECTIVES[text[1]], moment) if text[1] in _DIRECTIVES else text


def parse_rfc3339(text: str, *, separators: str = "T") -> datetime:
    """The moment that an RFC 3339 text names, in its own zone. Raises ValueError for anything else."""
    found = _RFC3339.fullmatch(text)
    if found is None or found["separator"] not in separators:
        raise ValueError(f'"{text}" is not a valid RFC3339 timestamp')
    zone = UTC
    if found["sign"]:
        offset = timedelta(hours=int(found["hours"]), minutes=int(found["minutes"]))
        zone = timezone(-offset if found["sign"] == "-" else offset) if offset else UTC
    year, month, day, hour, minute, second = (int(found[place]) for place in (1, 2, 3, 5, 6, 7))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as fault:
        raise ValueError(f'"{text}" is not a valid RFC3339 timestamp: {fault}') from fault
    return moment.replace(microsecond=int((found[8] or "0")[:6].ljust(6, "0")))


def parse_duration(text: str) -> timedelta:
    """A Go duration: `300ms`, `-1.5h`, `2h45m`, `0`. Raises ValueError for anything else."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if digits == "0":
        return timedelta()
    parts = list(_PART.finditer(digits))
    if not parts or "".join(part[0] for part in parts) != digits:
        raise ValueError(f'time: invalid duration "{text}"')
    seconds = sum((Decimal(part[1]) * Decimal(_UNIT_S[part[2]]) for part in parts), Decimal(0))
    try:
        length = timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError as fault:
        raise ValueError(f'time: invalid duration "{text}"') from fault
    return -length if text.startswith("-") else length


def duration_text(length: timedelta) -> str:
    """A duration as Go prints it: `1h0m5s`, `1.5s`, `20ms`, `0s`."""
    microseconds = length // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    minutes, rest = divmod(abs(microseconds), 60_000_000)
    if microseconds == 0:
        return "0s"
    if not minutes and rest < 1_000_000:
        unit, size = ("ms", 1000) if rest >= 1000 else ("µs", 1)
        return f"{sign}{_plain(Decimal(rest) / size)}{unit}"
    hours, minutes = divmod(minutes, 60)
    seconds = f"{_plain(Decimal(rest) / 1_000_000)}s"
    return sign + (f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else "") + seconds


def _plain(number: Decimal) -> str:
    return format(number.normalize(), "f")


_ELEMENT = re.compile(
    r"January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST|2006|__2|_2(?!006)|002|01|02|03|04|05|06|15|PM|pm"
    r"|Z0700(?:00)?|Z07:00(?::00)?|Z07|-0700(?:00)?|-07:00(?::00)?|-07|[.,](?:0+|9+)(?!\d)|[1-5]"
)
"""The elements of a layout, the longer ones before those that they begin with."""


def _element(name: str, moment: datetime) -> str:
    if name[0] in ".,":
        return _fraction(name, moment)
    if name[0] == "Z" or (name[0] == "-" and len(name) > 1):
        return _zone(name, moment)
    return _FIELDS[name](moment)


_FIELDS: dict[str, Callable[[datetime], str]] = {
    "January": lambda t: MONTHS[t.month - 1],
    "Jan": lambda t: MONTHS[t.month - 1][:3],
    "1": lambda t: str(t.month),
    "01": lambda t: f"{t.month:02}",
    "Monday": lambda t: DAYS[t.weekday()],
    "Mon": lambda t: DAYS[t.weekday()][:3],
    "2": lambda t: str(t.day),
    "_2": lambda t: f"{t.day:2}",
    "02": lambda t: f"{t.day:02}",
    "__2": lambda t: f"{t.timetuple().tm_yday:3}",
    "002": lambda t: f"{t.timetuple().tm_yday:03}",
    "15": lambda t: f"{t.hour:02}",
    "3": lambda t: str(t.hour % 12 or 12),
    "03": lambda t: f"{t.hour % 12 or 12:02}",
    "4": lambda t: str(t.minute),
    "04": lambda t: f"{t.minute:02}",
    "5": lambda t: str(t.second),
    "05": lambda t: f"{t.second:02}",
    "2006": lambda t: f"{t.year:04}",
    "06": lambda t: f"{t.year % 100:02}",
    "PM": lambda t: "PM" if t.hour >= 12 else "AM",
    "pm": lambda t: "pm" if t.hour >= 12 else "am",
    "MST": lambda t: t.tzname() or "" if t.utcoffset() == timedelta() else t.strftime("%z"),
}


def _fraction(name: str, moment: datetime) -> str:
    digits = f"{moment.microsecond * 1000:09}"[: len(name) - 1]
    if name[1] == "0":
        return name[0] + digits
    digits = digits.rstrip("0")
    return name[0] + digits if digits else ""


def _zone(name: str, moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    if name[0] == "Z" and not offset:
        return "Z"
    total_s = int(abs(offset).total_seconds())
    parts = [f"{total_s // 3600:02}", f"{total_s // 60 % 60:02}", f"{total_s % 60:02}"]
    count = len(re.sub(r"[Z:-]", "", name)) // 2
    sign = "-" if offset < timedelta() else "+"
    return sign + (":" if ":" in name else "").join(parts[:count])
