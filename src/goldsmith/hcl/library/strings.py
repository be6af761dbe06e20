"""Functions on strings."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

from goldsmith.hcl.letters import lower, upper
from goldsmith.hcl.library.arguments import TEXT, TEXTS, check_count, check_length, named, of, text, whole
from goldsmith.hcl.library.graphemes import graphemes
from goldsmith.hcl.limits import WIDEST_PADDING
from goldsmith.hcl.scope import Function, FunctionFault, Parameter
from goldsmith.hcl.types import BOOL, NUMBER, STRING, ListType
from goldsmith.hcl.values import Value, boolean, string


def functions() -> tuple[Function, ...]:
    """All functions of this family."""
    cutset, part = named("cutset", TEXT), named("substr", TEXT)
    return (
        of("chomp", _each(lambda s: s.rstrip("\r\n")), TEXT, result=STRING),
        of("endswith", _asks(str.endswith), TEXT, named("suffix", TEXT), result=BOOL),
        of("indent", _indent, Parameter("spaces", NUMBER), TEXT, result=STRING),
        of("join", _join, named("separator", TEXT), rest=named("lists", TEXTS), result=STRING),
        of("lower", _each(lower), TEXT, result=STRING),
        of("replace", _replace, TEXT, part, named("replace", TEXT), result=STRING),
        of("split", _split, named("separator", TEXT), TEXT, result=ListType(STRING)),
        of("startswith", _asks(str.startswith), TEXT, named("prefix", TEXT), result=BOOL),
        of("strcontains", _asks(str.__contains__), TEXT, part, result=BOOL),
        of("strrev", _each(lambda s: "".join(reversed(graphemes(s)))), TEXT, result=STRING),
        of("substr", _substr, TEXT, Parameter("offset", NUMBER), Parameter("length", NUMBER), result=STRING),
        of("title", _each(_title), TEXT, result=STRING),
        of("trim", _both(str.strip), TEXT, cutset, result=STRING),
        of("trimprefix", _both(str.removeprefix), TEXT, named("prefix", TEXT), result=STRING),
        of("trimspace", _each(_trimspace), TEXT, result=STRING),
        of("trimsuffix", _both(str.removesuffix), TEXT, named("suffix", TEXT), result=STRING),
        of("upper", _each(upper), TEXT, result=STRING),
    )


def normalized(result: str) -> Value:
    """A string as the language keeps it."""
    return string(normal_form(result))


def normal_form(text: str) -> str:
    """The text in Unicode normal form C, which is how the language keeps all of its strings."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _each(act: Callable[[str], str]) -> Callable[[Sequence[Value]], Value]:
    return lambda arguments: normalized(act(text(arguments[0])))


def _both(act: Callable[[str, str], str]) -> Callable[[Sequence[Value]], Value]:
    return lambda arguments: normalized(act(text(arguments[0]), text(arguments[1])))


def _asks(ask: Callable[[str, str], bool]) -> Callable[[Sequence[Value]], Value]:
    return lambda arguments: boolean(ask(text(arguments[0]), text(arguments[1])))


def _title(s: str) -> str:
    """The first letter of each word in upper case, with the words of Go's strings.Title."""
    pairs = zip(" " + s, s, strict=False)
    return "".join(c.title() if _parts_words(before) and len(c.title()) == 1 else c for before, c in pairs)


def _parts_words(c: str) -> bool:
    return not (c.isalnum() or c == "_") if c.isascii() else c.isspace()


_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def _trimspace(s: str) -> str:
    return s.strip(_SPACE)


def _indent(arguments: Sequence[Value]) -> Value:
    """Indent all lines but the first."""
    spaces, given = whole(arguments[0], 0), text(arguments[1])
    if spaces < 0 or (spaces > WIDEST_PADDING and "\n" in given):
        raise FunctionFault(f"the number of spaces must be between 0 and {WIDEST_PADDING}", 0)
    check_length(len(given) + given.count("\n") * spaces)
    return string(given.replace("\n", "\n" + " " * spaces) if "\n" in given else given)


def _join(arguments: Sequence[Value]) -> Value:
    separator, lists = text(arguments[0]), arguments[1:]
    if not lists:
        raise FunctionFault("at least one list is required", 1)
    words: list[str] = []
    for place, given in enumerate(lists):
        for index, item in enumerate(given.items()):
            if item.is_null:
                raise FunctionFault(
                    f"element {index} of list {place} is null; cannot concatenate null values"
                    if len(lists) > 1
                    else f"element {index} is null; cannot concatenate null values",
                    place + 1,
                )
            words.append(text(item))
    check_length(sum(map(len, words)) + len(separator) * len(words))
    return normalized(separator.join(words))


def _replace(arguments: Sequence[Value]) -> Value:
    """Replace every occurrence, literally: `/regex/` has no meaning here."""
    given, old, new = (text(argument) for argument in arguments)
    check_length(len(given) + given.count(old) * max(0, len(new) - len(old)))
    return normalized(given.replace(old, new))


def _split(arguments: Sequence[Value]) -> Value:
    separator, given = text(arguments[0]), text(arguments[1])
    check_count(given.count(separator))
    parts = given.split(separator) if separator else list(given)
    return Value(ListType(STRING), tuple(normalized(part) for part in parts))


def _substr(arguments: Sequence[Value]) -> Value:
    """A part by place and length in characters as people see them; a negative place counts from the end."""
    offset, length = whole(arguments[1], 1), whole(arguments[2], 2)
    letters = graphemes(text(arguments[0]))
    start = max(0, len(letters) + offset) if offset < 0 else offset
    if length < 0:
        return string("".join(letters[start:]))
    return string("".join(letters[start : start + length]))
