"""JSON with the place of each value, for legacy templates."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import Range, SourceFile

Scalar: TypeAlias = str | bool | int | float | None


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON value: a scalar, a tuple of values, or values by name in the order of the file."""

    value: Scalar | tuple[Json, ...] | Mapping[str, Json]
    where: Range
    """The value itself; for the name of a member see `name_where`."""
    name_where: Range | None = None


def read_json(source: SourceFile) -> tuple[Json, tuple[Diagnostic, ...]]:
    """The value that a text holds, and one diagnostic for each member whose name came before; the last one is kept.

    Numbers are whole when they are written so, else floats. Raises `UserError` where the text is no JSON.
    """
    reader = _Reader(source)
    value = reader.document()
    return value, tuple(reader.duplicates)


_DEEPEST = 200
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"(true|false|null)\b")
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_LONGEST_WHOLE = 300
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class _Reader:
    def __init__(self, source: SourceFile) -> None:
        self._source = source
        self._text = source.text
        self._at = 0
        self._depth = 0
        self.duplicates: list[Diagnostic] = []

    def document(self) -> Json:
        value = self._value()
        self._skip_space()
        if self._at < len(self._text):
            raise self._fault("After the end of the template comes more text.")
        return value

    def _value(self) -> Json:
        self._skip_space()
        start = self._at
        match self._text[start : start + 1]:
            case "{":
                return Json(self._object(), self._source.range(start, self._at))
            case "[":
                return Json(self._array(), self._source.range(start, self._at))
            case '"':
                return Json(self._string(), self._source.range(start, self._at))
        if found := _WORD.match(self._text, start):
            self._at = found.end()
            return Json(_WORDS[found[1]], self._source.range(start, self._at))
        if found := _NUMBER.match(self._text, start):
            self._at = found.end()
            return Json(self._number(found), self._source.range(start, self._at))
        raise self._fault("Here must come a value: an object, a list, a string, a number, true, false or null.")

    def _object(self) -> dict[str, Json]:
        members: dict[str, Json] = {}
        self._open()
        while not self._closed("}", bool(members)):
            start = self._at
            if self._text[start : start + 1] != '"':
                raise self._fault('Here must come a name in double quotes, or "}".')
            name = self._string()
            name_where = self._source.range(start, self._at)
            self._expect(":")
            value = self._value()
            if name in members:
                self.duplicates.append(_duplicate(name, name_where, members[name]))
            members[name] = Json(value.value, value.where, name_where)
        return members

    def _array(self) -> tuple[Json, ...]:
        items: list[Json] = []
        self._open()
        while not self._closed("]", bool(items)):
            items.append(self._value())
        return tuple(items)

    def _open(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._fault(f"It is nested more than {_DEEPEST} levels deep.")
        self._at += 1

    def _closed(self, bracket: str, after_item: bool) -> bool:
        """Go to the next item of a list or object; True, behind the bracket, when there is none."""
        self._skip_space()
        if self._text[self._at : self._at + 1] == bracket:
            self._at += 1
            self._depth -= 1
            return True
        if after_item:
            self._expect(",", f' or "{bracket}"')
            self._skip_space()
        return False

    def _expect(self, mark: str, other: str = "") -> None:
        self._skip_space()
        if self._text[self._at : self._at + 1] != mark:
            raise self._fault(f'Here must come "{mark}"{other}.')
        self._at += 1

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._fault("This string does not end on its line, or holds a control character.")
        try:
            content = json.loads(found[0])
        except ValueError as error:
            raise self._fault("This string holds an escape sequence that JSON does not know.") from error
        self._at = found.end()
        # Half of a surrogate pair is no character; Go puts the replacement character in its place.
        return _LONE_SURROGATE.sub("\ufffd", content)

    def _number(self, found: re.Match[str]) -> int | float:
        if found[1] is None and found[2] is None and len(found[0]) < _LONGEST_WHOLE:
            return int(found[0])
        number = float(found[0])
        if math.isinf(number):
            raise self._fault("This number is too large.")
        return number

    def _skip_space(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _fault(self, why: str) -> UserError:
        where = self._source.range(min(self._at, len(self._text)), min(self._at + 1, len(self._text)))
        return UserError(Diagnostic(code="legacy.json", what="Error parsing JSON", where=where, why=why))


def _duplicate(name: str, where: Range, first: Json) -> Diagnostic:
    before = first.name_where.start.line if first.name_where else 0
    return Diagnostic(
        code="legacy.duplicate",
        what=f"template has duplicate field: {name}",
        where=where,
        why=f"It is there already, on line {before}.",
        next="Keep one of the two.",
    )
