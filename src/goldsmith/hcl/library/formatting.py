"""The functions format and formatlist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from goldsmith.hcl.convert import convert
from goldsmith.hcl.gofmt import Verb, format_integer, format_real, pad, shortest
from goldsmith.hcl.library.arguments import TEXT, amount, check_length, named, of, text, truth, whole
from goldsmith.hcl.library.graphemes import graphemes
from goldsmith.hcl.library.json_text import quoted, to_json
from goldsmith.hcl.library.strings import normalized
from goldsmith.hcl.limits import WIDEST_PADDING
from goldsmith.hcl.numerals import fewest_digits, written_out
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import BOOL, DYNAMIC, NUMBER, STRING, ListType, SetType, TupleType, Type
from goldsmith.hcl.values import Value

_ARGUMENTS = Parameter("args", DYNAMIC, allow_null=True)
_DIRECTIVE = re.compile(
    r"%(?P<flags>[ 0#+-]*)(?:\[(?P<first>[1-9][0-9]*)\])?(?P<width>[0-9]+)?(?:\.(?P<precision>[0-9]*))?"
    r"(?:\[(?P<second>[1-9][0-9]*)\])?(?P<letter>[a-zA-Z%])"
)


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    form = named("format", TEXT)
    return (
        of("format", lambda given: normalized(_formatted(text(given[0]), given[1:])), form, rest=_ARGUMENTS, result=STRING),
        of("formatlist", _formatlist, form, rest=_ARGUMENTS, result=ListType(STRING)),
    )


def _formatted(form: str, arguments: Sequence[Value]) -> str:
    """The format with each directive replaced. Surplus arguments are a fault unless one was named by number."""
    parts: list[str] = []
    at, used, named_one, length = 0, 0, False, len(form)
    while (start := form.find("%", at)) >= 0:
        parts.append(form[at:start])
        found = _DIRECTIVE.match(form, start)
        if found is None:
            raise FunctionFault(_unreadable(form, start))
        at = found.end()
        if found["letter"] == "%":
            parts.append("%")
            continue
        number = found["first"] or found["second"]
        used = int(number) if number else used + 1
        named_one = named_one or bool(number)
        if used > len(arguments):
            raise FunctionFault(
                f'not enough arguments for "{found[0]}" at {start}: need index {used} but have {len(arguments)} total'
            )
        parts.append(_directive(found, arguments[used - 1]))
        length += len(parts[-1])
        check_length(length)
    if not named_one and used < len(arguments):
        raise FunctionFault(f"too many arguments; {'only ' if used else ''}{used or 'none'} used by format string", used + 1)
    return "".join([*parts, form[at:]])


def _unreadable(form: str, start: int) -> str:
    place = start + 1
    while place < len(form) and form[place] in " 0#+-123456789.[]":
        place += 1
    if place == len(form):
        return "unterminated verb at end of format string"
    return f"unrecognized format character '{form[place]}' at offset {place}"


def _directive(found: re.Match[str], argument: Value) -> str:
    width = int(found["width"]) if found["width"] else None
    precision = int(found["precision"] or 0) if found["precision"] is not None else None
    verb = Verb(found["letter"], found["flags"], width, precision)
    if max(width or 0, precision or 0) > WIDEST_PADDING:
        raise FunctionFault(f'the width or precision of "{found[0]}" is beyond {WIDEST_PADDING}')
    if argument.is_null and verb.letter != "v":
        raise FunctionFault(f'unsupported value for "{found[0]}" at {found.start()}: null value cannot be formatted')
    try:
        return _FORMS[verb.letter](verb, argument)
    except KeyError as fault:
        raise FunctionFault(f"unsupported format verb '{verb.letter}' in \"{found[0]}\" at offset {found.start()}") from fault
    except ValueError as fault:
        raise FunctionFault(f'unsupported value for "{found[0]}" at {found.start()}: {fault}') from fault


def _padded(verb: Verb, content: str) -> str:
    return pad(verb, content, len(graphemes(content)))


def _as_is(verb: Verb, argument: Value) -> str:
    if "#" not in verb.flags and not argument.is_null:
        if argument.type == STRING:
            return _padded(verb, text(argument))
        if argument.type == NUMBER:
            return _padded(verb, shortest(fewest_digits(amount(argument))))
    return _padded(verb, to_json(argument))


def _bool(verb: Verb, argument: Value) -> str:
    return "true" if truth(convert(argument, BOOL)) else "false"


def _integer(verb: Verb, argument: Value) -> str:
    value = convert(argument, NUMBER)
    if isinstance(value.raw, Decimal) and value.raw.is_finite() and value.raw != value.raw.to_integral_value():
        raise ValueError("an integer is required")
    return format_integer(verb, whole(value))


def _real(verb: Verb, argument: Value) -> str:
    value = amount(convert(argument, NUMBER))
    if not written_out(value):
        raise ValueError("the number is too large to be written")
    return format_real(verb, value)


def _text(verb: Verb, argument: Value) -> str:
    content = text(convert(argument, STRING))
    if verb.precision:
        content = "".join(graphemes(content)[: verb.precision])
    return _padded(verb, quoted(content) if verb.letter == "q" else content)


_FORMS = {
    "v": _as_is,
    "t": _bool,
    **dict.fromkeys("bdoxX", _integer),
    **dict.fromkeys("eEfgG", _real),
    **dict.fromkeys("sq", _text),
}


def _formatlist(given: Sequence[Value]) -> Value:
    """Format once for each element of the arguments that are lists; others are the same each time."""
    arguments = given[1:]
    lengths = [len(value.items()) if _is_list(value.type) and not value.is_null else None for value in arguments]
    wanted = next((length for length in lengths if length is not None), None)
    for place, length in enumerate(lengths, start=1):
        if length is not None and wanted is not None and length != wanted:
            first = lengths.index(wanted) + 1
            raise FunctionFault(
                f"argument {place} has length {length}, which is inconsistent with argument {first} of length {wanted}", place
            )
    rows: list[Value] = []
    length = 0
    for row in range(1 if wanted is None else wanted):
        columns = zip(arguments, lengths, strict=True)
        picked = [value if length is None else value.items()[row] for value, length in columns]
        rows.append(normalized(_row(text(given[0]), picked, row)))
        length += len(text(rows[-1]))
        check_length(length)
    return Value(ListType(STRING), tuple(rows))


def _row(form: str, picked: Sequence[Value], row: int) -> str:
    try:
        return _formatted(form, picked)
    except FunctionFault as fault:
        raise FunctionFault(f"error on format iteration {row}: {fault}", fault.argument) from fault


def _is_list(type: Type) -> bool:
    return isinstance(type, ListType | SetType | TupleType)
