"""Go templates as trees: nodes, pipelines, and the parser that makes them."""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl.gotemplate_lexer import Action, Text, Word, fault, lex


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, truth or nil."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """`.A.B`: fields of what the operand is, or of the dot."""

    names: tuple[str, ...]
    of: Operand | None = None


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`; `$` alone is the data of the template."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function by name; its arguments are the other operands of its command."""

    name: str


@dataclass(frozen=True, slots=True)
class Command:
    """Operands side by side: a function and its arguments, or one value."""

    operands: tuple[Operand, ...]
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each handing its result to the next; `variables` are set to the last result (`:=` or, not `declares`, `=`)."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = True


Operand: TypeAlias = Literal | Field | Variable | Call | Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` or `range`: the body when there is something, otherwise the other one."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: str


Node: TypeAlias = Text | Pipeline | Branch | Jump

_KEYWORDS = frozenset({"if", "else", "end", "range", "with", "break", "continue"})
_REFUSED = frozenset({"block", "define", "template"})
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}


def parse(template: str, functions: Container[str]) -> tuple[Node, ...]:
    """The nodes of a template that may call `functions`. Raises ValueError with line and reason, as Go words it."""
    return _Parser(lex(template), functions).template()


class _Parser:
    """Reads the parts of one template from first to last."""

    def __init__(self, parts: list[Text | Action], functions: Container[str]) -> None:
        self._parts = parts
        self._functions = functions
        self._at = 0
        self._loops = 0
        self._variables = ["$"]

    def template(self) -> tuple[Node, ...]:
        nodes, closing = self._nodes()
        if closing is not None:
            raise fault(closing.line, f"unexpected {{{{{closing.words[0].text}}}}}")
        return nodes

    def _nodes(self) -> tuple[tuple[Node, ...], Action | None]:
        """The nodes up to an `end` or `else`, and that; None at the end of the template."""
        nodes: list[Node] = []
        while self._at < len(self._parts):
            part = self._parts[self._at]
            self._at += 1
            if isinstance(part, Text):
                nodes.append(part)
                continue
            keyword = _keyword(part)
            if keyword in ("end", "else"):
                return tuple(nodes), part
            nodes.append(self._node(part, keyword))
        return tuple(nodes), None

    def _node(self, action: Action, keyword: str) -> Node:
        if keyword in ("if", "with", "range"):
            return self._branch(action, keyword, action.words[1:])
        if keyword in ("break", "continue"):
            if not self._loops:
                raise fault(action.line, f"{{{{{keyword}}}}} outside {{{{range}}}}")
            return Jump(keyword)
        if keyword in _REFUSED:
            raise fault(action.line, f"{{{{{keyword}}}}} is not supported in Packer templates")
        return self._pipeline(action.words, action.line, "command")

    def _branch(self, action: Action, kind: str, words: tuple[Word, ...]) -> Branch:
        known = len(self._variables)
        pipeline = self._pipeline(words, action.line, kind)
        self._loops += kind == "range"
        body, closing = self._nodes()
        self._loops -= kind == "range"
        otherwise: tuple[Node, ...] = ()
        if closing is not None and _keyword(closing) == "else":
            otherwise, closing = self._else(closing, kind)
        del self._variables[known:]
        if closing is None:
            raise fault(action.line, "unexpected EOF")
        return Branch(kind, pipeline, body, otherwise, action.line)

    def _else(self, action: Action, kind: str) -> tuple[tuple[Node, ...], Action | None]:
        chained = [word for word in action.words[1:] if word.kind != "space"]
        if chained:
            # "else if" shares its "end" with the "if" that it belongs to.
            if chained[0].text != kind or kind == "range":
                raise fault(action.line, f'unexpected "{chained[0].text}" in else clause')
            place = action.words.index(chained[0])
            return (self._branch(action, kind, action.words[place + 1 :]),), action
        otherwise, closing = self._nodes()
        if closing is not None and _keyword(closing) == "else":
            raise fault(closing.line, "expected end; found {{else}}")
        return otherwise, closing

    def _pipeline(self, words: tuple[Word, ...], line: int, context: str) -> Pipeline:
        reader = _Words(words, line, context, self._functions, self._variables)
        pipeline = reader.pipeline(in_parentheses=False)
        self._variables += pipeline.variables if pipeline.declares else ()
        return pipeline


def _keyword(action: Action) -> str:
    first = action.words[0].text if action.words else ""
    return first if first in _KEYWORDS or first in _REFUSED else ""


class _Words:
    """Reads the pipeline of one action."""

    def __init__(
        self, words: tuple[Word, ...], line: int, context: str, functions: Container[str], variables: list[str]
    ) -> None:
        self._words = words
        self._line = line
        self._context = context
        self._functions = functions
        self._variables = variables
        self._at = 0

    def pipeline(self, *, in_parentheses: bool) -> Pipeline:
        self._skip_space()
        variables, declares = ((), True) if in_parentheses else self._declared()
        commands = [self._command()]
        while self._take("|"):
            commands.append(self._command())
        if in_parentheses and not self._take(")"):
            raise self._fault("unclosed left paren")
        if not in_parentheses and self._at < len(self._words):
            raise self._fault(f'unexpected "{self._words[self._at].text}" in {self._context}')
        for command in commands[1:]:
            if isinstance(command.operands[0], Literal):
                raise self._fault(f"non executable command in pipeline stage {commands.index(command) + 1}")
        return Pipeline(tuple(commands), variables, declares)

    def _declared(self) -> tuple[tuple[str, ...], bool]:
        """The variables that the pipeline sets, if any: `$x :=`, `$i, $x :=`, `$x =`."""
        start = self._at
        names: list[str] = []
        while self._kind() == "variable":
            names.append(self._next().text)
            self._skip_space()
            if self._take(","):
                self._skip_space()
                continue
            for mark in (":=", "="):
                if self._take(mark):
                    self._check_assigned(names, mark)
                    return tuple(names), mark == ":="
            break
        self._at = start
        return (), True

    def _check_assigned(self, names: list[str], mark: str) -> None:
        if len(names) > (2 if self._context == "range" else 1):
            raise self._fault(f"too many declarations in {self._context}")
        for name in names if mark == "=" else ():
            self._check_variable(name)

    def _check_variable(self, name: str) -> None:
        if name not in self._variables:
            raise self._fault(f'undefined variable "{name}"')

    def _command(self) -> Command:
        self._skip_space()
        start = self._at
        operands: list[Operand] = []
        while self._at < len(self._words) and self._words[self._at].text not in ("|", ")"):
            operands.append(self._operand())
            if not self._skip_space() and self._at < len(self._words) and self._words[self._at].text not in ("|", ")"):
                raise self._fault(f'unexpected "{self._words[self._at].text}" in operand')
        if not operands:
            raise self._fault(f"missing value for {self._context}")
        text = "".join(word.text for word in self._words[start : self._at]).strip()
        return Command(tuple(operands), self._line, text)

    def _operand(self) -> Operand:
        word = self._next()
        if word.kind == "field":
            return Field((word.text[1:], *self._fields()))
        operand = self._term(word)
        names = self._fields()
        if names and isinstance(operand, Literal):
            raise self._fault(f'unexpected "." after term "{word.text}"')
        return Field(names, operand) if names else operand

    def _term(self, word: Word) -> Operand:
        match word.kind, word.text:
            case "mark", "(":
                return self.pipeline(in_parentheses=True)
            case "mark", ".":
                return Field(())
            case "variable", name:
                self._check_variable(name)
                return Variable(name)
            case "name", name if name in _CONSTANTS:
                return Literal(_CONSTANTS[name])
            case "name", name:
                if name not in self._functions:
                    raise self._fault(f'function "{name}" not defined')
                return Call(name)
            case (("string" | "raw" | "char" | "number"), _):
                return Literal(self._constant(word))
        raise self._fault(f'unexpected "{word.text}" in {self._context}')

    def _constant(self, word: Word) -> str | int | float:
        try:
            return _constant(word)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._fault(f"bad {word.kind} syntax: {word.text}") from error

    def _fields(self) -> tuple[str, ...]:
        names: list[str] = []
        while self._kind() == "field":
            names.append(self._next().text[1:])
        return tuple(names)

    def _kind(self) -> str:
        return self._words[self._at].kind if self._at < len(self._words) else ""

    def _next(self) -> Word:
        self._at += 1
        return self._words[self._at - 1]

    def _take(self, mark: str) -> bool:
        found = self._at < len(self._words) and self._words[self._at].text == mark and self._kind() == "mark"
        self._at += found
        return found

    def _skip_space(self) -> bool:
        found = self._kind() == "space"
        self._at += found
        return found

    def _fault(self, why: str) -> ValueError:
        return fault(self._line, why)


_ESCAPE = re.compile(
    r"""\\(?:(?P<letter>[abfnrtv\\'"])|x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})|(?P<octal>[0-7]{3})"""
    r"|(?P<bad>.?))"
)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def _constant(word: Word) -> str | int | float:
    """The value of a literal. Raises ValueError when it is not spelled as in Go."""
    if word.kind == "raw":
        return word.text[1:-1]
    if word.kind == "number":
        return _number(word.text)
    text = _ESCAPE.sub(_unescaped, word.text[1:-1])
    if word.kind == "string":
        return text
    return ord(text)


def _number(text: str) -> int | float:
    digits = text.replace("_", "")
    bare = digits.lstrip("+-")
    if len(bare) > 1 and bare[0] == "0" and bare.isdigit():
        return int(digits, 8)
    try:
        return int(digits, 0)
    except ValueError:
        return float(digits)


def _unescaped(found: re.Match[str]) -> str:
    if found["bad"] is not None:
        raise ValueError("unknown escape")
    if found["letter"]:
        return _LETTERS.get(found["letter"], found["letter"])
    if found["octal"]:
        return chr(int(found["octal"], 8))
    return chr(int(found["x"] or found["u"] or found["U"], 16))
