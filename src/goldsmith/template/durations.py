"""Go's durations: "10s", "1m30s", "500ms"."""

from __future__ import annotations

import re

from goldsmith.components import Duration

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")


def parse_duration(text: str) -> Duration:
    """Seconds of a Go duration. Raises `ValueError` in the words of Go's time.ParseDuration."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return Duration(0)
    seconds, position = 0.0, 0
    while match := _PART.match(rest, position):
        number, unit = match.groups()
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        seconds += float(number) * _UNITS[unit]
        position = match.end()
    if position == 0 or position != len(rest):
        raise ValueError(f'time: invalid duration "{text}"')
    return Duration(sign * seconds)
