"""Functions on regular expressions, in RE2 syntax."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

from goldsmith.hcl.library.arguments import TEXT, check_count, check_length, named, of, text
from goldsmith.hcl.library.strings import normalized
from goldsmith.hcl.scope import Function, FunctionFault
from goldsmith.hcl.types import STRING, ListType, ObjectType, TupleType, Type
from goldsmith.hcl.values import Value, null, object_of, string, tuple_of


class _Match(Protocol):
    def group(self, group: int, /) -> str | None: ...
    def span(self, group: int = ..., /) -> tuple[int, int]: ...


class _Pattern(Protocol):
    """The part of a compiled `re2` pattern that is used here; the package has no annotations."""

    groups: int
    groupindex: dict[str, int]

    def search(self, text: str, pos: int = ..., /) -> _Match | None: ...


_COST = 20
"""A pattern is compiled for each call, which takes some 20 microseconds."""


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    pattern, given = named("pattern", TEXT), named("string", TEXT)
    return (
        of("regex", _regex, pattern, given, cost=_COST),
        of("regex_replace", _regex_replace, TEXT, pattern, named("replace", TEXT), result=STRING, cost=_COST),
        of("regexall", _regexall, pattern, given, cost=_COST),
    )


def _compiled(pattern: str, argument: int) -> _Pattern:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled: _Pattern = re2.compile(pattern, options)
    except re2.error as fault:
        reason = fault.args[0].decode() if isinstance(fault.args[0], bytes) else str(fault)
        raise FunctionFault(f"invalid regexp pattern: {reason} in {pattern}", argument) from fault
    return compiled


def _capturing(pattern: str) -> _Pattern:
    compiled = _compiled(pattern, 0)
    if compiled.groupindex and len(compiled.groupindex) != compiled.groups:
        raise FunctionFault("invalid regexp pattern: cannot mix both named and unnamed capture groups", 0)
    return compiled


def _regex(given: Sequence[Value]) -> Value:
    pattern = _capturing(text(given[0]))
    found = pattern.search(text(given[1]))
    if found is None:
        raise FunctionFault("pattern did not match any part of the given string")
    return _captured(pattern, found)


def _regexall(given: Sequence[Value]) -> Value:
    pattern = _capturing(text(given[0]))
    found: list[Value] = []
    for match in _matches(pattern, text(given[1])):
        check_count(len(found) * (1 + pattern.groups))
        found.append(_captured(pattern, match))
    return Value(ListType(found[0].type if found else _shape(pattern)), tuple(found))


def _captured(pattern: _Pattern, found: _Match) -> Value:
    """The whole match without groups; an object of named groups, otherwise a tuple of the groups."""
    if not pattern.groups:
        return string(found.group(0) or "")
    groups = [_group(found.group(place + 1)) for place in range(pattern.groups)]
    if pattern.groupindex:
        return object_of({name: groups[place - 1] for name, place in pattern.groupindex.items()})
    return tuple_of(groups)


def _group(content: str | None) -> Value:
    return null(STRING) if content is None else string(content)


def _shape(pattern: _Pattern) -> Type:
    if not pattern.groups:
        return STRING
    if pattern.groupindex:
        return ObjectType(dict.fromkeys(sorted(pattern.groupindex), STRING))
    return TupleType((STRING,) * pattern.groups)


def _matches(pattern: _Pattern, given: str) -> Iterator[_Match]:
    """The matches as Go finds them: an empty match right behind another match does not count."""
    at, last_end = 0, -1
    while at <= len(given) and (found := pattern.search(given, at)):
        start, end = found.span()
        if start != end or start != last_end:
            yield found
        last_end = end
        at = end if end > start else end + 1


def _regex_replace(given: Sequence[Value]) -> Value:
    whole, replacement = text(given[0]), text(given[2])
    pattern = _compiled(text(given[1]), 1)
    parts: list[str] = []
    at = length = 0
    for found in _matches(pattern, whole):
        start, end = found.span()
        parts += whole[at:start], _expanded(replacement, pattern, found)
        length += len(parts[-1])
        check_length(length)
        at = end
    return normalized("".join([*parts, whole[at:]]))


_REFERENCE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")


def _expanded(replacement: str, pattern: _Pattern, found: _Match) -> str:
    """Go's Regexp.Expand: `$name` takes as many letters as it can, `$$` is a dollar, unknown groups are empty."""

    def insert(reference: re.Match[str]) -> str:
        if reference["dollar"]:
            return "$"
        name = reference["braced"] or reference["bare"]
        if name.isdecimal():
            return found.group(int(name)) or "" if int(name) <= pattern.groups else ""
        place = pattern.groupindex.get(name)
        return found.group(place) or "" if place else ""

    return _REFERENCE.sub(insert, replacement)
