"""Comma-separated values as text, by the strict rules of Go's reader (RFC 4180)."""

from __future__ import annotations

import re

_FIELD = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<bare>[^,\n]*)')


def parse_csv(text: str) -> list[list[str]]:
    """The records of the text, each a list of fields; empty lines are passed over.

    Raises ValueError with the line for a quote inside of a field that does not begin with one, or one that is never closed.
    """
    text = text.replace("\r\n", "\n")
    records: list[list[str]] = []
    at = 0
    while at < len(text):
        if text[at] == "\n":
            at += 1
            continue
        record, at = _record(text, at)
        records.append(record)
    return records


def _record(text: str, at: int) -> tuple[list[str], int]:
    """The record that begins at `at`, and the place behind its line end."""
    fields: list[str] = []
    while True:
        found = _FIELD.match(text, at)
        assert found is not None
        at = found.end()
        fields.append(_content(found, text))
        if at >= len(text) or text[at] == "\n":
            return fields, at + 1
        if text[at] != ",":
            raise ValueError(f'line {_line(text, at)}: extraneous or missing " in quoted-field')
        at += 1


def _content(found: re.Match[str], text: str) -> str:
    if found["quoted"] is not None:
        return found["quoted"].replace('""', '"')
    bare = found["bare"]
    if bare.startswith('"'):
        raise ValueError(f'line {_line(text, found.start())}: a " is never closed')
    if '"' in bare:
        raise ValueError(f'line {_line(text, found.start())}: bare " in non-quoted field')
    return bare


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
