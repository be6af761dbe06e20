"""Functions that write values into a format: `format` and `formatlist`, with the verbs of go-cty."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeAlias

from goldsmith.hcl.convert import convert
from goldsmith.hcl.function import Function, FunctionFault, Parameter
from goldsmith.hcl.library.arguments import TEXT, named, of, text
from goldsmith.hcl.library.json_text import quoted, to_json
from goldsmith.hcl.numerals import number_text
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, SetType, TupleType, Type
from goldsmith.hcl.values import Number, Value, string

_VERB = re.compile(
    r"%(?P<flags>[-+ 0#]*)(?P<width>\*|\d+)?(?:\.(?P<precision>\*|\d+)?)?(?P<dot>)(?:\[(?P<index>\d+)\])?(?P<verb>[a-zA-Z%])"
)

_Write: TypeAlias = "Callable[[Value, str, int | None], str]"
"""Writes a value with the flags and the precision of a verb."""


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    rest = Parameter("args", DYNAMIC, allow_null=True)
    form = named("format", TEXT)
    return (
        of("format", lambda given: string(_formatted(text(given[0]), given[1:])), form, rest=rest, result=STRING),
        of("formatlist", _format_list, form, rest=rest, result=ListType(STRING)),
    )


def _format_list(given: Sequence[Value]) -> Value:
    lists = [item for item in given[1:] if isinstance(item.type, ListType | SetType | TupleType)]
    lengths = {len(item.items()) for item in lists}
    if len(lengths) > 1:
        raise FunctionFault(f"the lists have different lengths: {', '.join(str(length) for length in sorted(lengths))}")
    rounds = lengths.pop() if lengths else 1
    lines = []
    for number in range(rounds):
        arguments = [item.items()[number] if item in lists else item for item in given[1:]]
        lines.append(string(_formatted(text(given[0]), arguments)))
    return Value(ListType(STRING), tuple(lines))


def _formatted(form: str, arguments: Sequence[Value]) -> str:
    remaining = _Arguments(arguments)
    pieces: list[str] = []
    position = 0
    for match in re.finditer("%", form):
        if match.start() < position:
            continue
        verb = _VERB.match(form, match.start())
        if verb is None:
            raise FunctionFault(f"unrecognized format verb at offset {match.start()}", 0)
        pieces += [form[position : match.start()], _written(verb, remaining)]
        position = verb.end()
    if remaining.unused:
        raise FunctionFault("too many arguments; no verb in the format string uses the last one")
    return "".join([*pieces, form[position:]])


class _Arguments:
    """The arguments in turn; an explicit index sets where the turn goes on."""

    def __init__(self, values: Sequence[Value]) -> None:
        self._values = values
        self._next = 0
        self._explicit = False

    def take(self, index: str | None = None) -> Value:
        if index is not None:
            self._next, self._explicit = int(index) - 1, True
        if not 0 <= self._next < len(self._values):
            raise FunctionFault(f"not enough arguments for the format: there are {len(self._values)}")
        self._next += 1
        return self._values[self._next - 1]

    @property
    def unused(self) -> bool:
        return not self._explicit and self._next < len(self._values)


def _written(match: re.Match[str], arguments: _Arguments) -> str:
    if match["verb"] == "%":
        return "%"
    width = _size(match["width"], arguments)
    precision = _size(match["precision"], arguments)
    if "." in match[0].partition("[")[0] and precision is None:
        precision = 0
    value = arguments.take(match["index"])
    flags = match["flags"]
    told = _VERBS.get(match["verb"], _unknown)(value, flags, precision)
    return _padded(told, width, flags, numeric=match["verb"] in "dbBoxXeEfgG")


def _size(given: str | None, arguments: _Arguments) -> int | None:
    if given is None:
        return None
    if given == "*":
        return int(str(_converted(arguments.take(), NUMBER).raw))
    return int(given)


def _padded(told: str, width: int | None, flags: str, *, numeric: bool) -> str:
    missing = max(0, (width or 0) - len(told))
    if "-" in flags:
        return told + " " * missing
    if "0" in flags and numeric:
        sign, digits = (told[0], told[1:]) if told[:1] in "+- " and told else ("", told)
        return sign + "0" * missing + digits
    return " " * missing + told


def _converted(value: Value, wanted: Type) -> Value:
    if value.is_null:
        raise FunctionFault("a null value cannot be formatted with this verb")
    try:
        return convert(value, wanted)
    except ValueError as error:
        raise FunctionFault(f"unsupported value: {error}") from error


def _amount(value: Value) -> Number:
    raw = _converted(value, NUMBER).raw
    assert isinstance(raw, int | Decimal)
    return raw


def _signed(told: str, flags: str) -> str:
    if told.startswith("-"):
        return told
    return "+" + told if "+" in flags else " " + told if " " in flags else told


def _any(value: Value, flags: str, precision: int | None) -> str:
    if "#" in flags or not isinstance(value.raw, str | int | Decimal):
        return to_json(value)
    return (
        value.raw
        if isinstance(value.raw, str)
        else number_text(value.raw)
        if not isinstance(value.raw, bool)
        else to_json(value)
    )


def _text(value: Value, flags: str, precision: int | None) -> str:
    raw = str(_converted(value, STRING).raw)
    return raw if precision is None else raw[:precision]


def _quoted(value: Value, flags: str, precision: int | None) -> str:
    return quoted(str(_converted(value, STRING).raw))


def _truth(value: Value, flags: str, precision: int | None) -> str:
    return "true" if _converted(value, BOOL).raw else "false"


def _whole(value: Value, flags: str, precision: int | None) -> str:
    return _signed(str(int(_amount(value))), flags)


def _base(letter: str) -> _Write:
    def write(value: Value, flags: str, precision: int | None) -> str:
        return _signed(format(int(_amount(value)), letter), flags)

    return write


def _fixed(value: Value, flags: str, precision: int | None) -> str:
    return _signed(format(Decimal(_amount(value)), f".{6 if precision is None else precision}f"), flags)


def _scientific(letter: str) -> _Write:
    def write(value: Value, flags: str, precision: int | None) -> str:
        return _signed(format(float(_amount(value)), f".{6 if precision is None else precision}{letter}"), flags)

    return write


def _general(value: Value, flags: str, precision: int | None) -> str:
    if precision is None:
        return _signed(f"{float(_amount(value)):.15g}", flags)
    return _signed(format(float(_amount(value)), f".{precision}g"), flags)


def _unknown(value: Value, flags: str, precision: int | None) -> str:
    raise FunctionFault("unsupported format verb", 0)


_VERBS: Mapping[str, _Write] = {
    "v": _any,
    "s": _text,
    "q": _quoted,
    "t": _truth,
    "d": _whole,
    "b": _base("b"),
    "o": _base("o"),
    "x": _base("x"),
    "X": _base("X"),
    "e": _scientific("e"),
    "E": _scientific("E"),
    "f": _fixed,
    "g": _general,
    "G": _general,
}
