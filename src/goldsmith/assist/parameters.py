"""`${name…}`: defaults, lengths, cuts, replacements and cases, on what is known and on what Ansible will know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal, Protocol

from goldsmith.assist.arithmetic import Calculator
from goldsmith.assist.commands import Text, Word
from goldsmith.assist.expressions import atom, computed, expression_of, quoted, unknown
from goldsmith.assist.inputs import Inputs
from goldsmith.assist.pieces import Atom, Fragment, joined
from goldsmith.assist.scope import Array, Scope, Value, elements_of, is_counted, scalar
from goldsmith.assist.syntax import Arithmetic, Parameter, ShellWord


class Expander(Protocol):
    """What reading a parameter needs of the words' expansion."""

    scope: Scope
    calculator: Calculator

    @property
    def inputs(self) -> Inputs: ...

    def value(self, name: str, *, has_default: bool = False) -> Value | None: ...

    def write(self, name: str, value: Word) -> None: ...

    def join(self, written: ShellWord | None) -> Word: ...

    def pattern(self, written: ShellWord | None, *, is_greedy: bool = True) -> str | None: ...

    def operand(self, written: ShellWord | None, place: Literal["plain", "operand"]) -> list[Fragment]: ...

    def index(self, node: Arithmetic, *, is_named: bool) -> str | None: ...


class Reading:
    """One parameter, read in a scope; `result` is a word, an array that is not joined yet, or the pieces of a default."""

    def __init__(self, values: Expander, part: Parameter, place: Literal["plain", "operand"]) -> None:
        self._values, self._part, self._place = values, part, place

    def result(self) -> Word | Array | list[Fragment]:
        """What the parameter is worth."""
        part = self._part
        if part.is_indirect:
            return self._indirect()
        base = self._base()
        if part.is_length:
            return self._length(base)
        if part.operation in (":-", "-", ":=", "=", ":?", "?", ":+", "+"):
            return self._with_default(base)
        if base is None:
            return Array({}) if self._is_list() else Word(())
        if isinstance(base, Array):
            if part.slice is not None:
                return self._array_slice(base)
            return Array({key: self._changed(word) for key, word in base.items.items()}, base.is_named)
        return self._changed(base)

    def _base(self) -> Value | None:
        part = self._part
        if part.name.isdigit() and part.name != "0" and self._values.scope.positionals is None:
            return None if self._has_default() else self._values.inputs.bare(part.name)
        value = self._values.value(part.name, has_default=self._has_default())
        if part.name in ("@", "*"):
            return value
        if part.index is None and isinstance(value, Array) and "0" in value.items and not is_counted((value.items["0"],)):
            return unknown("an element of an array of which nobody knows how many elements it has")
        if part.index is None:
            return scalar(value) if isinstance(value, Word) or (value is not None and "0" in value.items) else None
        if self._is_list():
            return Array({"0": elements_of(value)}) if isinstance(value, Word) else value
        if not isinstance(value, Array):
            return (
                value
                if self._values.index(part.index, is_named=False) == "0"
                else None
                if value is None
                else unknown("an element of no array")
            )
        found = self._values.index(part.index, is_named=value.is_named)
        if found is None:
            return unknown("an element of an array whose key is not known")
        if not value.is_named and not is_counted(value.items.values()):
            return unknown("an element of an array of which nobody knows how many elements it has")
        if found.startswith("-") and not value.is_named:
            keys = list(value.items)
            found = keys[int(found)] if -int(found) <= len(keys) else ""
        return value.items.get(found)

    def _is_list(self) -> bool:
        """`$@`, `${name[@]}`: any number of words."""
        index = self._part.index
        return self._part.name in ("@", "*") or (isinstance(index, ShellWord) and index.literal in ("@", "*"))

    def _has_default(self) -> bool:
        return self._part.operation in (":-", "-", ":=", "=", ":?", "?", ":+", "+")

    def _indirect(self) -> Word | Array:
        part = self._part
        if part.prefix:
            return Array(
                {
                    str(number): Word.of(name)
                    for number, name in enumerate(
                        sorted(name for name in self._values.scope.variables if name.startswith(part.name))
                    )
                }
            )
        base = self._values.value(part.name)
        if self._is_list():
            if isinstance(base, Word) and base.text is None:
                return unknown(f"whether {part.name} is an array is not known")
            if isinstance(base, Array) and not is_counted(base.items.values()):
                return Array({"0": elements_of(unknown("an array of which nobody knows how many elements it has"))})
            keys = base.items if isinstance(base, Array) else ("0",) if base is not None else ()
            return Array({str(number): Word.of(key) for number, key in enumerate(keys)})
        name = scalar(base).text if base is not None else None
        if name is None or not re.fullmatch(r"\w+", name):
            return unknown(f"the variable that ${{!{part.name}}} names is not known")
        inner = Parameter(name, slice=part.slice, replacement=part.replacement, operation=part.operation, operand=part.operand)
        found = Reading(self._values, inner, self._place).result()
        return found if isinstance(found, Word | Array) else joined(found)

    def _length(self, base: Value | None) -> Word:
        if base is None:
            return Word.of("0")
        if isinstance(base, Array):
            return (
                Word.of(str(len(base.items)))
                if is_counted(base.items.values())
                else unknown("the length of an array is not known")
            )
        if base.text is not None:
            return Word.of(str(len(base.text)))
        expression = expression_of(base)
        return base if expression is None else computed(f"{atom(expression)} | length", is_number=True)

    def _with_default(self, base: Value | None) -> Word | Array | list[Fragment]:
        part, operation = self._part, self._part.operation
        counts_empty = not operation.startswith(":")
        if isinstance(base, Array):
            words = list(base.items.values())
            base = base if words and (counts_empty or len(words) > 1 or words[0].pieces) else None
        elif base is not None and not base.pieces and not counts_empty:
            base = None
        kind = operation[-1]
        if base is None and kind == "+" and self._is_outside():
            base = self._values.inputs.bare(part.name)
            counts_empty = counts_empty and base is None
        known = self._values.scope.variables.get(part.name)
        if isinstance(base, Word) and base.unknown and isinstance(known, Array) and not is_counted(known.items.values()):
            return base
        if isinstance(base, Word) and base.text is None and not counts_empty:
            return self._maybe_empty(base, kind)
        if kind == "+":
            return Word(()) if base is None else self._values.operand(part.operand, self._place)
        if base is not None:
            return base
        return self._of_default(kind)

    def _is_outside(self) -> bool:
        """Whether the script itself never sets the parameter, so that its environment or its call may."""
        part, scope = self._part, self._values.scope
        is_unset = part.name not in scope.variables and part.index is None
        return is_unset and (not part.name.isdigit() or scope.positionals is None)

    def _of_default(self, kind: str) -> Word | list[Fragment]:
        """The parameter has no value of the script's."""
        part, values = self._part, self._values
        is_outside = self._is_outside()
        if kind == "?":
            return values.inputs.required(part.name) if is_outside else unknown(f"the script stops: {part.name} has no value")
        atoms = values.operand(part.operand, self._place)
        if is_outside:
            default = joined(atoms)
            found = values.inputs.defaulted(part.name, default)
            if found != default:
                if kind == "=":
                    values.write(part.name, found)
                return found
        if kind == "=":
            found = joined(atoms)
            values.write(part.name, found)
            return found
        return atoms

    def _maybe_empty(self, base: Word, kind: str) -> Word:
        """`:-` and its kin on a value that the play knows when it runs."""
        expression = expression_of(base)
        if any(isinstance(piece, Text) for piece in base.pieces):
            return base if kind != "+" else joined(self._values.operand(self._part.operand, self._place))
        if kind == "?":
            return base
        other = joined(self._values.operand(self._part.operand, self._place))
        alternative = expression_of(other)
        if expression is None:
            return base
        if alternative is None:
            return other
        if kind == "+":
            return computed(f"{atom(alternative)} if {atom(expression)} | length > 0 else ''")
        found = base if not other.pieces else computed(f"{atom(expression)} | default({alternative}, true)")
        if kind == "=":
            self._values.write(self._part.name, found)
        return found

    def _array_slice(self, base: Array) -> Array:
        part = self._part
        assert part.slice is not None
        offset = self._values.calculator.evaluate(part.slice.offset).text
        length = self._values.calculator.evaluate(part.slice.length).text if part.slice.length is not None else ""
        words = list(base.items.values())
        if offset is None or length is None or not is_counted(words):
            return Array({"0": elements_of(unknown("a part of an array whose bounds are not known"))})
        first = int(offset)
        if part.name in ("@", "*"):
            words = [Word.of(self._values.scope.script), *words]
        first = first + len(words) if first < 0 else first
        chosen = words[first : first + int(length)] if length else words[first:]
        return Array({str(number): word for number, word in enumerate(chosen)})

    def _changed(self, word: Word) -> Word:
        """After a cut, a replacement or a change of case."""
        part = self._part
        if not is_counted([word]) and (part.slice or part.replacement or part.operation):
            return elements_of(unknown("a change of each of several words"))
        if part.slice is not None:
            return self._slice(word)
        if part.replacement is not None:
            return self._replaced(word)
        if part.operation in ("#", "##", "%", "%%"):
            return self._cut(word)
        if part.operation in ("^^", ",,", "^", ","):
            return self._cased(word)
        if part.operation == "@":
            return word if self._values.join(part.operand).text in ("E", "P") else unknown("a transformation of a variable")
        return word

    def _slice(self, word: Word) -> Word:
        part = self._part.slice
        assert part is not None
        offset = self._values.calculator.evaluate(part.offset).text
        length = self._values.calculator.evaluate(part.length).text if part.length is not None else ""
        if offset is None or length is None:
            return unknown("a part of a text whose bounds are not known")
        first = int(offset)
        if word.text is not None:
            text = word.text
            start = first if first >= 0 else len(text) + first
            if start < 0 or start > len(text):
                return Word(())
            end = len(text) if not length else start + int(length) if int(length) >= 0 else len(text) + int(length)
            return Word.of(text[start:end]) if end >= start else unknown("a part of a text whose end is before its beginning")
        expression = expression_of(word)
        if expression is None:
            return word
        end_text = (
            ""
            if not length
            else length
            if int(length) < 0
            else str(first + int(length))
            if first >= 0 or first + int(length) < 0
            else ""
        )
        found = f"{atom(expression)}[{first}:{end_text}]"
        return computed(found if first >= 0 else f"{found} if {atom(expression)} | length >= {-first} else ''")

    def _cut(self, word: Word) -> Word:
        operation = self._part.operation
        regex = self._values.pattern(self._part.operand, is_greedy=operation == "##")
        if regex is None:
            return word if word.unknown is not None else unknown("a cut by a pattern that is not known")
        if operation in ("#", "##"):
            whole = rf"(?s)^(?:{regex})(.*)\Z"
        else:
            regex = self._values.pattern(self._part.operand) or ""
            whole = rf"(?s)^(.*{'?' if operation == '%%' else ''})(?:{regex})\Z"
        return _substituted(word, whole, r"\1")

    def _replaced(self, word: Word) -> Word:
        change = self._part.replacement
        assert change is not None
        pattern = change.pattern
        plain = self._values.pattern(pattern)
        text = self._values.join(change.text)
        if plain is None or text.unknown is not None:
            return word if word.unknown is not None else unknown("a replacement that is not known")
        if not plain and change.is_all:
            return unknown("a pattern that begins with a slash")
        anchor = ""
        if not change.is_all and pattern is not None and (first := _first(pattern)) in ("#", "%"):
            anchor, plain = first, plain[1:] if not plain.startswith("\\") else plain[2:]
        if not plain and not anchor:
            return word
        if word.text is None and re.fullmatch(plain, ""):
            return unknown("a replacement in a value that may be empty")
        if _has_ampersand(self._values.operand(change.text, "plain")):
            return unknown("`&` in a replacement is the text itself, or, since bash 5.2, what was matched")
        if word.text is not None and text.text is not None:
            return Word.of(_replace_known(word.text, plain, text.text, anchor, is_all=change.is_all))
        value, other = expression_of(word), expression_of(text)
        if value is None or other is None:
            return word if value is None else text
        literal = re.sub(r"\\(.)", r"\1", plain) if re.fullmatch(r"(?:\\.|[^\\.*?\[\](){}^$|+])*", plain) else None
        if literal is not None and not anchor:
            count = "" if change.is_all else ", 1"
            return computed(f"{atom(value)} | replace({quoted(literal)}, {other}{count})")
        if text.text is None or not (anchor or change.is_all):
            return unknown("a replacement by a pattern in a value that is known later")
        if anchor == "%":
            return _substituted(word, rf"(?s)^(.*?)(?:{plain})\Z", r"\g<1>" + text.text.replace("\\", r"\\"))
        # Of `*`, Python finds the empty rest at the end once more.
        regex = rf"(?s)^(?:{plain})" if anchor else rf"(?s)(?=.)(?:{plain})"
        return _substituted(word, regex, text.text.replace("\\", r"\\"))

    def _cased(self, word: Word) -> Word:
        operation = self._part.operation
        if self._part.operand is not None and self._part.operand.parts:
            return unknown("a change of case by a pattern")
        method = "upper" if "^" in operation else "lower"
        if word.text is not None:
            text = word.text
            changed = text.upper() if method == "upper" else text.lower()
            return Word.of(changed if len(operation) == 2 else changed[:1] + text[1:])
        expression = expression_of(word)
        if expression is None:
            return word
        value = atom(expression)
        return computed(f"{value} | {method}" if len(operation) == 2 else f"({value}[:1] | {method}) ~ {value}[1:]")


def _has_ampersand(fragments: Iterable[Fragment]) -> bool:
    return any(
        isinstance(item, Atom) and not item.is_quoted and isinstance(item.piece, Text) and "&" in item.piece.value
        for item in fragments
    )


def _first(pattern: ShellWord) -> str:
    part = pattern.parts[0] if pattern.parts else None
    value = getattr(part, "value", "")
    return value[:1] if isinstance(value, str) else ""


def _replace_known(text: str, regex: str, new: str, anchor: str, *, is_all: bool) -> str:
    whole = {"#": rf"\A(?:{regex})", "%": rf"(?:{regex})\Z", "": rf"(?=.)(?:{regex})" if text else rf"\A(?:{regex})"}[anchor]
    return re.sub(whole, lambda _: new, text, count=0 if is_all else 1, flags=re.DOTALL)


def _substituted(word: Word, regex: str, replacement: str) -> Word:
    if word.text is not None:
        return Word.of(re.sub(regex, replacement, word.text))
    if word.unknown is not None:
        return word
    expression = expression_of(word)
    if expression is None:
        return unknown("its value is put together from too many parts")
    return computed(f"{atom(expression)} | regex_replace({quoted(regex)}, {quoted(replacement)})")
