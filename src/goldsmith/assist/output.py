"""What `echo`, `printf` and `cat` print, where it follows from the script."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from goldsmith.assist import escapes
from goldsmith.assist.commands import Piece, Text, Variable, Word
from goldsmith.assist.expressions import Truth, atom, computed, either, expression_of, unknown
from goldsmith.assist.pieces import merged

_DIRECTIVE = re.compile(r"%(?:%|([-+ #0]*)(\*|\d+)?(?:\.(\d+))?([a-zA-Z]))")
_MOST = 1_000
_ONE_VALUE = re.compile(r"%s(?:\\n|[\s,])*")
"""A format that lists values: `printf '%s\\n' $PACKAGES`."""


def echo(args: Sequence[Word], *, is_bash: bool) -> Word:
    """The output of `echo`, with its line feed."""
    rest = list(args)
    ends, expands = True, not is_bash
    while rest and (flags := rest[0].text) is not None and re.fullmatch(r"-[neE]+" if is_bash else r"-n", flags):
        rest.pop(0)
        ends = ends and "n" not in flags
        expands = expands if is_bash is False else ("e" in flags or expands) and not flags.endswith("E")
    words = _spaced(rest)
    if any(word.glob for word in rest):
        return unknown("it prints the names of files")
    if expands:
        pieces: list[Piece] = []
        for piece in words.pieces:
            if isinstance(piece, Text):
                text, is_cut = escapes.echo(piece.value, is_bash=is_bash)
                pieces.append(Text(text))
                if is_cut:
                    return merged(pieces)
            else:
                pieces.append(piece)
        words = merged(pieces)
    return merged([*words.pieces, Text("\n")]) if ends else words


def printf(args: Sequence[Word]) -> Word:
    """The output of `printf FORMAT ARGUMENT…`."""
    rest = list(args[1:]) if args and args[0].text == "--" else list(args)
    format = rest[0].text if rest else None
    if format is None:
        return rest[0] if len(rest) == 1 else unknown("the format of printf is not known")
    values = rest[1:]
    if any(word.is_split for word in values) and _ONE_VALUE.fullmatch(format):
        return unknown("how many values printf is given is not known")
    pieces: list[Piece] = []
    for _ in range(_MOST):
        found = _formatted(format, values)
        if found is None:
            return unknown("printf formats a value that is not known")
        part, used = found
        pieces += part
        values = values[used:]
        if not values or not used:
            return merged(pieces)
    return unknown("printf prints too much")


def text_of(printed: Iterable[Word]) -> Word:
    """What was printed piece by piece, as one text."""
    pieces = [piece for word in printed for piece in word.pieces]
    return merged([*(settled(piece) for piece in pieces[:-1]), *_last_lines(pieces[-1])] if pieces else ())


def either_output(truth: Truth, first: Word, second: Word) -> Word:
    """What one of two branches printed."""
    condition = truth if isinstance(truth, str) else None
    one, two = _without_end(first), _without_end(second)
    if one is None or two is None:
        return either(condition, *(merged(settled(piece) for piece in word.pieces) for word in (first, second)))
    found = either(condition, one, two)
    if all(isinstance(word.pieces[-1], Text) for word in (first, second) if word.pieces) and first.pieces and second.pieces:
        return merged([*found.pieces, Text("\n")])
    expression = expression_of(found)
    return found if expression is None else Word((Variable(expression, "lines"),)) if found.pieces else found


def settled(piece: Piece) -> Piece:
    """A piece of what is printed, where more follows."""
    if not isinstance(piece, Variable) or piece.kind != "lines":
        return piece
    value = atom(piece.expression)
    return Variable(f"({value} ~ '\\n' if {value} else '')", "computed")


def without_empty_end(word: Word) -> Word:
    """A text without line feeds at its end, also where its last value is empty."""
    *before, last = word.pieces or (Text(""),)
    previous = before[-1] if before else None
    ends = isinstance(previous, Text) and previous.value.endswith("\n")
    ends = ends or (isinstance(previous, Variable) and "'\\n'" in previous.expression)
    expression = expression_of(word) if ends and isinstance(last, Variable) else None
    return word if expression is None else computed(f"{atom(expression)}.rstrip('\\n')", word.source)


def _last_lines(piece: Piece) -> tuple[Piece, ...]:
    if not isinstance(piece, Variable) or piece.kind != "lines":
        return (piece,)
    return Variable(piece.expression, "registered"), Text("\n")


def _without_end(printed: Word) -> Word | None:
    """Without the line feed at its end, or None where there is none."""
    if not printed.pieces:
        return printed
    *before, last = text_of([printed]).pieces
    return merged([*before, Text(last.value[:-1])]) if isinstance(last, Text) and last.value.endswith("\n") else None


def _formatted(format: str, values: Sequence[Word]) -> tuple[list[Piece], int] | None:
    pieces: list[Piece] = []
    last = used = 0
    for match in _DIRECTIVE.finditer(format):
        pieces.append(Text(escapes.printf(format[last : match.start()])))
        last = match.end()
        if match[0] == "%%":
            pieces.append(Text("%"))
            continue
        if match[2] == "*":
            return None
        value = values[used] if used < len(values) else Word(())
        used += 1
        found = _directive(match, value)
        if found is None:
            return None
        pieces += found
    pieces.append(Text(escapes.printf(format[last:])))
    return pieces, used


def _directive(match: re.Match[str], value: Word) -> list[Piece] | None:
    kind, text = match[4], value.text
    is_plain = not match[1] and not match[2] and not match[3]
    if kind == "s" and is_plain and not value.unknown:
        return list(value.pieces)
    if text is None:
        return None
    if kind in "sbq":
        shown = escapes.printf(text) if kind == "b" else shlex.quote(text) if kind == "q" else text
        return [Text(f"%{match[1]}{match[2] or ''}{'.' + match[3] if match[3] else ''}s" % shown)]
    if kind in "diuxXoc" and (kind == "c" or re.fullmatch(r"[-+]?\d*", text)):
        if kind == "c":
            return [Text(text[:1])]
        width = f"%{match[1]}{match[2] or ''}{'.' + match[3] if match[3] else ''}"
        return [Text((width + ("d" if kind in "diu" else kind)) % int(text or "0"))]
    return None


def _spaced(words: Sequence[Word]) -> Word:
    pieces: list[Piece] = []
    for number, word in enumerate(words):
        pieces += [Text(" ")] if number else []
        pieces += word.pieces
    return merged(pieces)
