"""Go templates as trees: nodes, pipelines, and the parser that makes them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.hcl.diagnostics import did_you_mean
from goldsmith.hcl.gofmt import quote
from goldsmith.hcl.gotemplate_lexer import Action, Text, Word, fault, lex
from goldsmith.hcl.gotemplate_literals import constant


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
    places: tuple[tuple[int, str], ...]
    """Of each operand, its offset in the template and how it is written."""
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


@dataclass(frozen=True, slots=True)
class Inclusion:
    """`template "name" pipeline`: the nodes defined under a name, with the pipeline's value as their dot and `$`."""

    name: str
    pipeline: Pipeline | None
    line: int
    text: str


Node: TypeAlias = Text | Pipeline | Branch | Jump | Inclusion


@dataclass(frozen=True, slots=True)
class Parsed:
    """A template: its text, its nodes, and those that it defines under a name."""

    text: str
    nodes: tuple[Node, ...]
    defined: Mapping[str, tuple[Node, ...]]


_KEYWORDS = frozenset({"if", "else", "end", "range", "with", "break", "continue", "block", "define", "template"})
_LONGEST_SHOWN = 10
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}


def parse(template: str, functions: Collection[str]) -> Parsed:
    """A template that may call `functions`, read. Raises ValueError with line and reason, as Go words it."""
    return _Parser(lex(template), functions).template(template)


class _Parser:
    """Reads the parts of one template from first to last."""

    def __init__(self, parts: list[Text | Action], functions: Collection[str]) -> None:
        self._parts = parts
        self._functions = functions
        self._at = 0
        self._loops = 0
        self._depth = 0
        self._variables = ["$"]
        self._defined: dict[str, tuple[Node, ...]] = {}

    def template(self, text: str) -> Parsed:
        nodes, closing = self._nodes()
        if closing is not None:
            raise fault(closing.line, f"unexpected {{{{{closing.words[0].text}}}}}")
        return Parsed(text, nodes, self._defined)

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
            if keyword and part.words[-1].kind == "error":
                raise fault(part.words[-1].line, part.words[-1].text)
            if keyword in ("end", "else"):
                return tuple(nodes), part
            if keyword == "define":
                self._define(part)
            else:
                nodes.append(self._node(part, keyword))
        return tuple(nodes), None

    def _define(self, action: Action) -> None:
        if self._depth:
            raise fault(action.line, "unexpected {{define}}")
        name, rest = self._name(action)
        if rest:
            raise fault(action.line, f'unexpected "{rest[-1].text}" in define clause')
        self._keep(name, self._body(action))

    def _body(self, action: Action) -> tuple[Node, ...]:
        """The nodes up to the `end`, read as a template of their own: of the variables outside only `$` is known."""
        variables, loops, self._variables, self._loops = self._variables, self._loops, ["$"], 0
        nodes, closing = self._nested()
        self._variables, self._loops = variables, loops
        if closing is None:
            raise fault(action.line, "unexpected EOF")
        if _keyword(closing) != "end":
            raise fault(closing.line, f"unexpected {{{{{closing.words[0].text}}}}} in {action.words[0].text} clause")
        return nodes

    def _nested(self) -> tuple[tuple[Node, ...], Action | None]:
        self._depth += 1
        found = self._nodes()
        self._depth -= 1
        return found

    def _keep(self, name: str, nodes: tuple[Node, ...]) -> None:
        # A definition that holds nothing does not replace one that holds something.
        if any(not isinstance(node, Text) or node.content.strip() for node in nodes) or name not in self._defined:
            self._defined[name] = nodes

    def _name(self, action: Action) -> tuple[str, tuple[Word, ...]]:
        """The quoted name behind the keyword of an action, and the words behind that."""
        words = [word for word in action.words[1:] if word.kind != "space"]
        keyword = action.words[0].text
        if not words or words[0].kind not in ("string", "raw"):
            found = f'unexpected "{words[0].text}"' if words else "missing name"
            raise fault(action.line, f"{found} in {keyword} clause")
        place = action.words.index(words[0]) + 1
        return str(constant(words[0])), action.words[place:] if len(words) > 1 else ()

    def _inclusion(self, action: Action, keyword: str) -> Inclusion:
        name, words = self._name(action)
        pipeline = self._pipeline(words, action.line, f"{keyword} clause") if words else None
        if keyword == "block":
            if pipeline is None:
                raise fault(action.line, "missing value for block clause")
            self._keep(name, self._body(action))
        return Inclusion(name, pipeline, action.line, "".join(word.text for word in action.words))

    def _node(self, action: Action, keyword: str) -> Node:
        if keyword in ("if", "with", "range"):
            return self._branch(action, keyword, action.words[1:])
        if keyword in ("break", "continue"):
            if not self._loops:
                raise fault(action.line, f"{{{{{keyword}}}}} outside {{{{range}}}}")
            return Jump(keyword)
        if keyword in ("template", "block"):
            return self._inclusion(action, keyword)
        return self._pipeline(action.words, action.line, "command")

    def _branch(self, action: Action, kind: str, words: tuple[Word, ...]) -> Branch:
        known = len(self._variables)
        pipeline = self._pipeline(words, action.line, kind)
        self._loops += kind == "range"
        body, closing = self._nested()
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
        otherwise, closing = self._nested()
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
    return first if first in _KEYWORDS else ""


class _Words:
    """Reads the pipeline of one action."""

    def __init__(
        self, words: tuple[Word, ...], line: int, context: str, functions: Collection[str], variables: list[str]
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
            raise self._unclosed()
        if not in_parentheses and self._at < len(self._words):
            raise self._unexpected(self._words[self._at], self._context)
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
        places: list[tuple[int, str]] = []
        while self._at < len(self._words) and self._words[self._at].text not in ("|", ")"):
            first = self._at
            operands.append(self._operand("operand" if operands else self._context))
            places.append((self._words[first].at, self._text(first)))
            if not self._skip_space() and self._at < len(self._words) and self._words[self._at].text not in ("|", ")"):
                raise self._unexpected(self._words[self._at], "operand")
        if not operands:
            raise self._fault(f"missing value for {self._context}")
        return Command(tuple(operands), tuple(places), self._text(start))

    def _text(self, start: int) -> str:
        """What was read from a word on, as it is written."""
        return "".join(word.text for word in self._words[start : self._at]).strip()

    def _operand(self, context: str) -> Operand:
        word = self._next()
        if word.kind == "field":
            return Field((word.text[1:], *self._fields()))
        operand = self._term(word, context)
        names = self._fields()
        if names and isinstance(operand, Literal):
            raise self._fault(f'unexpected "." after term "{word.text}"')
        return Field(names, operand) if names else operand

    def _term(self, word: Word, context: str) -> Operand:
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
            case "name", name if name not in _KEYWORDS:
                if name not in self._functions:
                    raise self._fault(f'function "{name}" not defined{self._suggestion(name)}')
                return Call(name)
            case (("string" | "raw" | "char" | "number"), _):
                return Literal(self._constant(word))
        raise self._unexpected(word, context)

    def _suggestion(self, name: str) -> str:
        suggestion = did_you_mean(name, self._functions)
        return f". {suggestion}" if suggestion else ""

    def _constant(self, word: Word) -> str | int | float:
        try:
            return constant(word)
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

    def _unclosed(self) -> ValueError:
        rest = self._words[self._at :]
        return self._unexpected(rest[-1], "") if rest and rest[-1].kind == "error" else self._fault("unclosed left paren")

    def _unexpected(self, word: Word, context: str) -> ValueError:
        if word.kind == "error":
            return fault(word.line, word.text)
        return self._fault(f"unexpected {_shown(word.text)} in {context}")

    def _fault(self, why: str) -> ValueError:
        return fault(self._line, why)


def _shown(word: str) -> str:
    """A word as Go shows it in an error: a long one only in part."""
    if word in _KEYWORDS:
        return f"<{word}>"
    return quote(word) if len(word) <= _LONGEST_SHOWN else f"{quote(word[:_LONGEST_SHOWN])}..."
