"""`[ … ]` and `[[ … ]]` as expressions of Ansible's `when`; what is known when the script is read is worked out at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import eq, ge, gt, le, lt, ne

from goldsmith.assist.commands import Text, Word
from goldsmith.assist.counted import FILE_TESTS
from goldsmith.assist.expressions import Truth, any_of, atom, both, computed, expression_of, negated, number_of, quoted
from goldsmith.assist.patterns import CLASSES, has_pattern
from goldsmith.assist.scope import Array
from goldsmith.assist.syntax import Parameter, ShellWord, Test, TestBinary, TestUnary
from goldsmith.assist.values import Values

_NUMERIC: Mapping[str, str] = {"-eq": "==", "-ne": "!=", "-lt": "<", "-le": "<=", "-gt": ">", "-ge": ">="}
_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": eq,
    "-ne": ne,
    "-lt": lt,
    "-le": le,
    "-gt": gt,
    "-ge": ge,
}
_FILE = FILE_TESTS.keys() | {"-N", "-O", "-G", "-k", "-t"}
_COMPARE_FILES = frozenset({"-nt", "-ot", "-ef"})
_REGEX_ONLY_HERE = re.compile(r"\[\[[.=]|\\[<>bB`']")


def conjunction(first: Truth, second: Truth) -> Truth:
    """Both hold."""
    if first is False or second is False:
        return False
    if first is True:
        return second
    return first if second is True else both(first, second)


def disjunction(first: Truth, second: Truth) -> Truth:
    """At least one holds."""
    if first is True or second is True:
        return True
    if first is False:
        return second
    return first if second is False else any_of(first, second)


def opposite(truth: Truth) -> Truth:
    """It does not hold."""
    return not truth if isinstance(truth, bool) else negated(truth)


class Conditions:
    """Reads tests. `ask` registers a test of a file, by its operator and operands, and gives the expression of its answer."""

    def __init__(self, values: Values, ask: Callable[[Sequence[Word]], Truth]) -> None:
        self._values, self._ask = values, ask

    def bracket(self, args: Sequence[Word]) -> Truth:
        """`test ARGUMENT…`, without the closing bracket."""
        if any(word.is_split for word in args) and len(args) == 1:
            return self.is_text(args[0])
        truth, rest = self._any(list(args))
        return truth if not rest else None

    def test(self, node: Test) -> Truth:
        """What stands between `[[` and `]]`."""
        if isinstance(node, ShellWord):
            return self.is_text(self._values.join(node))
        if isinstance(node, TestUnary):
            return opposite(self.test(node.operand)) if node.operator == "!" else self._unary_node(node)
        if node.operator in ("&&", "||"):
            left = self.test(node.left)
            if left is (node.operator == "||"):
                return left
            join = conjunction if node.operator == "&&" else disjunction
            return join(left, self.test(node.right))
        return self._binary_node(node)

    def is_text(self, word: Word) -> Truth:
        """`-n word`."""
        if word.text is not None:
            return word.text != ""
        if any(isinstance(piece, Text) and piece.value for piece in word.pieces):
            return True
        expression = expression_of(word)
        return None if expression is None else f"{atom(expression)} | length > 0"

    def _unary_node(self, node: TestUnary) -> Truth:
        if not isinstance(node.operand, ShellWord):
            return None
        if node.operator in ("-v", "-R") and (name := node.operand.literal):
            return self._is_set(name)
        return self._unary(node.operator, self._values.join(node.operand))

    def _binary_node(self, node: TestBinary) -> Truth:
        if not isinstance(node.left, ShellWord) or not isinstance(node.right, ShellWord):
            return None
        left = self._values.join(node.left)
        if node.operator in ("=", "==", "!="):
            found = self._matches(left, node.right)
            return opposite(found) if node.operator == "!=" else found
        if node.operator == "=~":
            return self._searches(left, node.right)
        if node.operator in _NUMERIC:
            right = self._values.calculator.evaluate(node.right)
            return self._numeric(node.operator, self._values.calculator.evaluate(node.left), right)
        return self._binary(left, node.operator, self._values.join(node.right))

    def _matches(self, left: Word, written: ShellWord) -> Truth:
        right = self._values.join(written)
        pattern = self._values.pattern(written)
        if pattern is None:
            if any(part.is_indirect for part in written.parts if isinstance(part, Parameter)):
                return None
            if any(text and has_pattern(text) and not is_quoted for text, is_quoted in self._values.fragments(written)):
                return None
            return self._equal(left, right)
        if left.text is not None:
            return re.fullmatch(pattern, left.text, re.DOTALL) is not None
        if re.fullmatch(r"(?:\\.|[^\\.*?\[\](){}^$|+])*", pattern, re.DOTALL):
            return self._equal(left, Word.of(re.sub(r"\\(.)", r"\1", pattern, flags=re.DOTALL)))
        expression = expression_of(left)
        return None if expression is None else f"{atom(expression)} is match({quoted(rf'(?s)(?:{pattern})' + chr(92) + 'Z')})"

    def matches_any(self, left: Word, patterns: Sequence[ShellWord]) -> Truth:
        """Whether a word matches one of the patterns of a `case`."""
        found: Truth = False
        for pattern in patterns:
            found = disjunction(found, self._matches(left, pattern))
        return found

    def _searches(self, left: Word, written: ShellWord) -> Truth:
        atoms = self._values.fragments(written)
        parts = []
        for text, is_quoted in atoms:
            if text is None:
                return None
            parts.append(re.escape(text) if is_quoted else text)
        regex = "".join(parts)
        if _REGEX_ONLY_HERE.search(regex):
            return None
        regex = _python_regex(regex)
        try:
            compiled = re.compile(regex)
        except re.error:
            return None
        expression = expression_of(left)
        if left.text is not None:
            found = compiled.search(left.text)
            groups = [Word.of(text or "") for text in (found[0], *found.groups())] if found else []
        elif expression is not None:
            groups = [_group(expression, regex, number) for number in range(compiled.groups + 1)]
        else:
            return None
        self._values.scope.variables["BASH_REMATCH"] = Array({str(number): word for number, word in enumerate(groups)})
        return bool(groups) if left.text is not None else f"{atom(expression or '')} is search({quoted(regex)})"

    def _any(self, args: list[Word]) -> tuple[Truth, list[Word]]:
        truth, rest = self._all(args)
        while rest and rest[0].text == "-o":
            second, rest = self._all(rest[1:])
            truth = disjunction(truth, second)
        return truth, rest

    def _all(self, args: list[Word]) -> tuple[Truth, list[Word]]:
        truth, rest = self._one(args)
        while rest and rest[0].text == "-a":
            second, rest = self._one(rest[1:])
            truth = conjunction(truth, second)
        return truth, rest

    def _one(self, args: list[Word]) -> tuple[Truth, list[Word]]:
        if not args:
            return False, []
        first = args[0].text
        second = args[1].text if len(args) > 1 else None
        is_binary = second in ("=", "==", "!=", "<", ">") or second in _NUMERIC or second in _COMPARE_FILES
        if len(args) >= 3 and is_binary:
            return self._binary(args[0], second or "", args[2]), args[3:]
        if first == "!" and len(args) > 1:
            truth, rest = self._one(args[1:])
            return opposite(truth), rest
        if first == "(" and len(args) > 2:
            truth, rest = self._any(args[1:])
            return (truth, rest[1:]) if rest and rest[0].text == ")" else (None, rest)
        if first in ("-n", "-z", "-v", *_FILE) and len(args) > 1 and second not in ("-a", "-o"):
            return self._unary(first or "", args[1]), args[2:]
        return self.is_text(args[0]), args[1:]

    def _unary(self, operator: str, word: Word) -> Truth:
        if operator == "-n":
            # Unquoted and empty it is no word at all: `[ -n $X ]` asks whether "-n" is a text.
            return True if word.is_split and len(word.pieces) == 1 and word.unknown is None else self.is_text(word)
        if operator == "-z":
            return opposite(self.is_text(word))
        if operator == "-v":
            return self._is_set(word.text) if word.text else None
        if operator == "-t":
            return False
        if operator in _FILE and word.unknown is None:
            return False if not word.pieces else self._ask((Word.of(operator), word))
        return None

    def _binary(self, left: Word, operator: str, right: Word) -> Truth:
        if operator in ("=", "=="):
            return self._equal(left, right)
        if operator == "!=":
            return opposite(self._equal(left, right))
        if operator in _NUMERIC:
            return self._numeric(operator, left, right)
        if operator in ("<", ">"):
            return self._ordered(left, operator, right)
        if operator in _COMPARE_FILES and left.unknown is None and right.unknown is None:
            return self._ask((left, Word.of(operator), right))
        return None

    def _equal(self, left: Word, right: Word) -> Truth:
        if left.text is not None and right.text is not None:
            return left.text == right.text
        left, right = _without_common_ends(left, right)
        one, two = expression_of(left), expression_of(right)
        if one is None or two is None:
            return None
        if one == two:
            return True
        return f"{atom(two)} == {atom(one)}" if left.text is not None else f"{atom(one)} == {atom(two)}"

    def _ordered(self, left: Word, operator: str, right: Word) -> Truth:
        if left.text is not None and right.text is not None:
            return left.text < right.text if operator == "<" else left.text > right.text
        one, two = expression_of(left), expression_of(right)
        return None if one is None or two is None else f"{atom(one)} {operator} {atom(two)}"

    def _numeric(self, operator: str, left: Word, right: Word) -> Truth:
        one, two = (_number(word) for word in (left, right))
        if one is None or two is None:
            return None
        if isinstance(one, int) and isinstance(two, int):
            return _COMPARISONS[operator](one, two)
        return f"{one} {_NUMERIC[operator]} {two}"

    def _is_set(self, name: str) -> Truth:
        if name in self._values.scope.variables:
            return self._values.scope.variables[name] is not None
        value = self._values.value(name)
        if value is None:
            return False
        return self.is_text(value) if isinstance(value, Word) else True


def _number(word: Word) -> int | str | None:
    """A number, or an expression of one in which operators bind no looser than a filter."""
    text = word.text
    if text is not None:
        return int(text) if re.fullmatch(r"\s*[-+]?\d+\s*", text) else 0 if not text.strip() else None
    expression = number_of(word)
    if expression is None:
        return None
    return expression if expression.endswith("| int") and "(" not in expression else f"{atom(expression)} | int"


def _group(expression: str, regex: str, number: int) -> Word:
    """What a group of a regular expression matched, as an expression."""
    if number == 0:
        return computed(f"{atom(expression)} | regex_search({quoted(regex)}) | default('', true)")
    found = f"{atom(expression)} | regex_search({quoted(regex)}, {quoted(chr(92) + str(number))})"
    return computed(f"({found} | default([''], true) | first)")


def _without_common_ends(left: Word, right: Word) -> tuple[Word, Word]:
    """`x$a = xb` as `$a = b`: the letter is there against empty values."""
    first, second = left.pieces[:1], right.pieces[:1]
    if first and second and isinstance(first[0], Text) and isinstance(second[0], Text):
        one, two = first[0].value, second[0].value
        length = next((number for number, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        if length and (length == len(one) or length == len(two)):
            return _cut(left, length), _cut(right, length)
    return left, right


def _cut(word: Word, length: int) -> Word:
    first = word.pieces[0]
    assert isinstance(first, Text)
    rest = first.value[length:]
    return Word((*((Text(rest),) if rest else ()), *word.pieces[1:]), word.source)


def _python_regex(regex: str) -> str:
    """An extended regular expression of POSIX as Python reads it: the classes in brackets differ."""
    for name, members in CLASSES.items():
        regex = regex.replace(f"[:{name}:]", members)
    return regex
