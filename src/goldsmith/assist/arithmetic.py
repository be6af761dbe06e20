"""Arithmetic of the shell: a number where all is known, an expression of Jinja where it is not, with its assignments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from goldsmith.assist.commands import Word
from goldsmith.assist.expressions import atom, computed, number_of, unknown
from goldsmith.assist.syntax import Arithmetic, ArithmeticBinary, ArithmeticUnary, ShellWord

_NAME = re.compile(r"[A-Za-z_]\w*")
_DEEPEST = 8
_BITS = 64
_SYMBOLIC: Mapping[str, str] = {"+": "+", "-": "-", "*": "*", "/": "//", "%": "%", "**": "**"}
_COMPARES = frozenset({"<", "<=", ">", ">=", "==", "!="})


class Calculator:
    """Evaluates with the variables of a scope: `read` gives a variable's value, `write` sets it, `expand` gives a word's."""

    def __init__(self, read: Callable[[str], Word], write: Callable[[str, Word], None], expand: Callable[[ShellWord], Word]):
        self._read, self._write, self._expand = read, write, expand

    def evaluate(self, node: Arithmetic | None) -> Word:
        """The number as a word; unknown with its reason where it cannot be told."""
        if node is None:
            return Word.of("0")
        if isinstance(node, ShellWord):
            return self._leaf(self._expand(node), 0)
        if isinstance(node, ArithmeticUnary):
            return self._unary(node)
        return self._binary(node)

    def condition(self, node: Arithmetic | None) -> bool | str | None:
        """Whether it is not zero: known, an expression, or None."""
        word = self.evaluate(node)
        if word.text is not None:
            return int(word.text) != 0
        expression = number_of(word)
        if expression is None:
            return None
        return expression.removesuffix(" | int").strip() if expression.endswith(") | int") else f"{atom(expression)} | int != 0"

    def _leaf(self, word: Word, depth: int) -> Word:
        text = word.text
        if text is None:
            expression = number_of(word)
            return unknown(word.unknown or "") if expression is None else computed(f"{atom(expression)} | int", is_number=True)
        number = _number(text.strip())
        if number is not None:
            return Word.of(str(number))
        if _NAME.fullmatch(text.strip()) and depth < _DEEPEST:
            return self._leaf(self._read(text.strip()), depth + 1)
        return unknown(f'"{text}" is no number')

    def _unary(self, node: ArithmeticUnary) -> Word:
        value = self.evaluate(node.operand)
        if node.operator in ("++", "--"):
            changed = self._apply("+" if node.operator == "++" else "-", value, Word.of("1"))
            self._store(node.operand, changed)
            return value if node.is_postfix else changed
        if value.text is not None:
            number = int(value.text)
            return Word.of(str({"-": -number, "+": number, "!": int(not number), "~": ~number}[node.operator]))
        expression = number_of(value)
        if expression is None:
            return value
        if node.operator == "!":
            return computed(f"({atom(expression)} == 0) | int", is_number=True)
        if node.operator == "-":
            return computed(f"-{atom(expression)}", is_number=True)
        return unknown("it is a sum over bits")

    def _binary(self, node: ArithmeticBinary) -> Word:
        operator = node.operator
        if operator == "=":
            value = self.evaluate(node.right)
            self._store(node.left, value)
            return value
        if operator.endswith("=") and operator not in _COMPARES:
            value = self._apply(operator[:-1], self.evaluate(node.left), self.evaluate(node.right))
            self._store(node.left, value)
            return value
        if operator == "?" and isinstance(node.right, ArithmeticBinary):
            return self._choice(node.left, node.right)
        left = self.evaluate(node.left)
        if operator in ("&&", "||") and left.text is not None and (left.text == "0") == (operator == "&&"):
            return Word.of(str(int(operator == "||")))
        return self._apply(operator, left, self.evaluate(node.right))

    def _choice(self, condition: Arithmetic, arms: ArithmeticBinary) -> Word:
        found = self.condition(condition)
        if isinstance(found, bool):
            return self.evaluate(arms.left if found else arms.right)
        words = self.evaluate(arms.left), self.evaluate(arms.right)
        one, two = (number_of(word) for word in words)
        if found is None or one is None or two is None:
            return unknown("a part of a sum is not known")
        one, two = (_as_number(word, text) for word, text in zip(words, (one, two), strict=True))
        return computed(f"{atom(one)} if {atom(found)} else {atom(two)}", is_number=True)

    def _apply(self, operator: str, left: Word, right: Word) -> Word:
        if left.text is not None and right.text is not None:
            number = _calculate(operator, int(left.text), int(right.text))
            return unknown("a sum that bash refuses") if number is None else Word.of(str(number))
        one, two = number_of(left), number_of(right)
        if one is None or two is None:
            return unknown(left.unknown or right.unknown or "")
        one, two = (_as_number(word, text) for word, text in ((left, one), (right, two)))
        if operator in _SYMBOLIC:
            return computed(f"{one} {_SYMBOLIC[operator]} {two}", is_number=True)
        if operator in _COMPARES:
            return computed(f"({one} {operator} {two}) | int", is_number=True)
        if operator in ("&&", "||"):
            word = "and" if operator == "&&" else "or"
            return computed(f"({one} != 0 {word} {two} != 0) | int", is_number=True)
        return unknown("it is a sum over bits") if operator != "," else right

    def _store(self, node: Arithmetic, value: Word) -> None:
        if isinstance(node, ShellWord) and node.literal is not None and _NAME.fullmatch(node.literal):
            self._write(node.literal, value)


def _as_number(word: Word, expression: str) -> str:
    return word.text if word.text is not None else atom(expression)


def _number(text: str) -> int | None:
    if not text:
        return 0
    if match := re.fullmatch(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|(\d+)#(\w+)|(0[0-7]*)|([1-9]\d*))", text):
        sign = -1 if match[1] == "-" else 1
        if match[2]:
            return sign * int(match[2], 16)
        if match[3]:
            return sign * int(match[4], int(match[3])) if 2 <= int(match[3]) <= 36 and _fits(match[4], int(match[3])) else None
        return sign * (int(match[5], 8) if match[5] else int(match[6]))
    return None


def _fits(digits: str, base: int) -> bool:
    try:
        int(digits, base)
    except ValueError:
        return False
    return True


def _calculate(operator: str, left: int, right: int) -> int | None:
    if operator in ("/", "%"):
        if right == 0:
            return None
        quotient = abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)
        return _wrapped(quotient if operator == "/" else left - right * quotient)
    if operator == "**":
        return _wrapped(pow(left, right, 1 << _BITS)) if right >= 0 else None
    results: Mapping[str, Callable[[], int]] = {
        "+": lambda: left + right,
        "-": lambda: left - right,
        "*": lambda: left * right,
        "<<": lambda: left << (right % _BITS),
        ">>": lambda: left >> (right % _BITS),
        "&": lambda: left & right,
        "|": lambda: left | right,
        "^": lambda: left ^ right,
        "<": lambda: int(left < right),
        "<=": lambda: int(left <= right),
        ">": lambda: int(left > right),
        ">=": lambda: int(left >= right),
        "==": lambda: int(left == right),
        "!=": lambda: int(left != right),
        "&&": lambda: int(bool(left) and bool(right)),
        "||": lambda: int(bool(left) or bool(right)),
        ",": lambda: right,
    }
    return _wrapped(results[operator]()) if operator in results else None


def _wrapped(number: int) -> int:
    number &= (1 << _BITS) - 1
    return number - (1 << _BITS) if number >> (_BITS - 1) else number
