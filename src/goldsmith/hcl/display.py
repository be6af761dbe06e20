"""Values as the console prints them, and text in quotes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from goldsmith.hcl.numerals import number_text
from goldsmith.hcl.values import Unknown, Value


def display(value: Value) -> str:
    """The value as text: strings as they are, everything inside of others quoted."""
    return value.raw if isinstance(value.raw, str) and not value.sensitive else _inner(value)


def _inner(value: Value) -> str:
    raw = value.raw
    if value.sensitive:
        return "<sensitive>"
    if isinstance(raw, Unknown):
        return "<unknown>"
    if raw is None:
        return "null"
    if isinstance(raw, bool):
        return "true" if raw else "false"
    if isinstance(raw, str):
        return json.dumps(raw, ensure_ascii=False)
    if isinstance(raw, tuple):
        return "[]" if not raw else "[\n" + "".join(f"  {_indented(item)},\n" for item in raw) + "]"
    if isinstance(raw, Mapping):
        lines = [f"  {json.dumps(name)} = {_indented(item)}\n" for name, item in sorted(raw.items()) if not item.is_null]
        return "{}" if not raw else "{\n" + "".join(lines) + "}"
    return number_text(raw)


def _indented(value: Value) -> str:
    return _inner(value).replace("\n", "\n  ")


def quoted(text: str) -> str:
    """The text in Go's `%q` quotes."""
    return json.dumps(text, ensure_ascii=False)
