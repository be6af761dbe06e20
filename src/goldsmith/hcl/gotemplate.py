"""Go's text/template, as far as templates that Packer renders use it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial

from goldsmith.hcl.gotemplate_functions import BUILTINS, NAMES, is_true
from goldsmith.hcl.gotemplate_lexer import Text, fault
from goldsmith.hcl.gotemplate_printf import printed
from goldsmith.hcl.gotemplate_syntax import (
    Branch,
    Call,
    Command,
    Field,
    Inclusion,
    Jump,
    Literal,
    Node,
    Operand,
    Parsed,
    Pipeline,
    Variable,
    parse,
)
from goldsmith.hcl.limits import LONGEST_RENDERED, MOST_NODES

Functions = Mapping[str, Callable[..., object]]


def render(template: str, functions: Functions, data: Mapping[str, object] | None) -> str:
    """The template with every action done once. `functions` come on top of Go's own; `.Name` reads `data`.

    A field that `data` does not have, or any field when it is None, prints `<no value>`. Functions get the arguments of
    the template (str, int, float, bool) and may raise ValueError. Raises ValueError with line and reason in Go's words.
    """
    try:
        parsed = parse(template, {*functions, *NAMES})
        return "".join(_Execution(functions, data, parsed).run(parsed.nodes))
    except RecursionError as error:
        raise ValueError("template: root: it is nested too deeply") from error


def check(template: str, functions: Collection[str]) -> None:
    """Check the syntax of a template that may call `functions`, by name, and Go's own. Raises ValueError as `render` does."""
    try:
        parse(template, {*functions, *NAMES})
    except RecursionError as error:
        raise ValueError("template: root: it is nested too deeply") from error


def named_in_calls(template: str, functions: Collection[str], function: str) -> tuple[str, ...]:
    """The texts that a template hands to `function` as its first argument, where they are written out.

    Raises ValueError as `check` does.
    """
    parsed = parse(template, {*functions, *NAMES})
    every = (parsed.nodes, *parsed.defined.values())
    return tuple(text for nodes in every for command in _commands(nodes) for text in _named(command, function))


def _named(command: Command, function: str) -> Iterator[str]:
    match command.operands:
        case (Call(name), Literal(str(text)), *_) if name == function:
            yield text


def _commands(nodes: Sequence[Node | Operand | None]) -> Iterator[Command]:
    """All commands, also those in branches and parentheses."""
    for node in nodes:
        match node:
            case Pipeline(commands):
                yield from commands
                yield from _commands([operand for command in commands for operand in command.operands])
            case Branch():
                yield from _commands([node.pipeline, *node.body, *node.otherwise])
            case Inclusion():
                yield from _commands([node.pipeline])
            case Field(of=of):
                yield from _commands([of])


class _Stop(Exception):
    """Leaves the body of a range: for good at `break`, for this element at `continue`."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class _Execution:
    """One rendering: what the dot is, what the variables hold, and the text so far."""

    def __init__(self, functions: Functions, data: object, parsed: Parsed) -> None:
        self._template = parsed.text
        self._defined = parsed.defined
        self._nodes_left, self._text_left = MOST_NODES, LONGEST_RENDERED
        self._functions = {**BUILTINS, **functions}
        self._own = frozenset(functions)
        self._variables: list[tuple[str, object]] = [("$", data)]
        self._dot = data
        self._text: list[str] = []

    def run(self, nodes: Sequence[Node]) -> list[str]:
        """The pieces of text that the nodes give."""
        self._run(nodes)
        return self._text

    def _run(self, nodes: Sequence[Node]) -> None:
        for node in nodes:
            self._step(1)
            match node:
                case Text(content):
                    self._write(content)
                case Pipeline():
                    value = self._value(node)
                    if not node.variables:
                        self._write("<no value>" if value is None else printed(value))
                case Inclusion():
                    self._include(node)
                case Jump(kind):
                    raise _Stop(kind)
                case Branch(kind="range"):
                    self._range(node)
                case Branch():
                    self._branch(node)

    def _step(self, steps: int) -> None:
        """Count nodes that run, and rounds of a range, which may have nothing in it."""
        self._nodes_left -= steps
        if self._nodes_left < 0:
            raise ValueError(f"template: root: it takes more than {MOST_NODES:,} steps")

    def _write(self, text: str) -> None:
        self._count(text)
        self._text.append(text)

    def _count(self, text: str) -> None:
        """Count what is made: a text in a variable takes memory as one that is printed does."""
        self._text_left -= len(text)
        if self._text_left < 0:
            raise ValueError(f"template: root: it makes more than {LONGEST_RENDERED:,} characters")

    def _include(self, node: Inclusion) -> None:
        if node.name not in self._defined:
            raise fault(node.line, f'executing "root" at <{{{{{node.text}}}}}>: template "{node.name}" not defined')
        variables, dot = self._variables, self._dot
        value = self._value(node.pipeline) if node.pipeline is not None else None
        self._variables, self._dot = [("$", value)], value
        self._run(self._defined[node.name])
        self._variables, self._dot = variables, dot

    def _branch(self, node: Branch) -> None:
        known, dot = len(self._variables), self._dot
        value = self._value(node.pipeline)
        if is_true(value):
            self._dot = value if node.kind == "with" else dot
            self._run(node.body)
        else:
            self._run(node.otherwise)
        self._dot = dot
        del self._variables[known:]

    def _range(self, node: Branch) -> None:
        known, dot = len(self._variables), self._dot
        value = self._value(node.pipeline, declare=False)
        pairs = _pairs(value, node.line)
        self._step(len(pairs))
        for key, item in pairs:
            self._dot = item
            self._bind(node.pipeline, (item,) if len(node.pipeline.variables) == 1 else (key, item))
            try:
                self._run(node.body)
            except _Stop as stop:
                if stop.kind == "break":
                    break
            finally:
                self._dot = dot
                del self._variables[known:]
        if not pairs:
            # As in Go, all variables of the range then hold what there was nothing in.
            self._bind(node.pipeline, (value,) * len(node.pipeline.variables))
            self._run(node.otherwise)
            del self._variables[known:]

    def _bind(self, pipeline: Pipeline, values: Sequence[object]) -> None:
        for name, value in zip(pipeline.variables, values, strict=False):
            if pipeline.declares:
                self._variables.append((name, value))
            else:
                place = max(place for place, (known, _) in enumerate(self._variables) if known == name)
                self._variables[place] = (name, value)

    def _value(self, pipeline: Pipeline, *, declare: bool = True) -> object:
        value: object = None
        for place, command in enumerate(pipeline.commands):
            value = self._command(command, (value,) if place else ())
        if declare:
            self._bind(pipeline, (value,))
        return value

    def _command(self, command: Command, piped: tuple[object, ...]) -> object:
        first, rest = command.operands[0], command.operands[1:]
        if isinstance(first, Call):
            arguments: list[Callable[[], object]] = [partial(self._operand, operand, command) for operand in rest]
            arguments += [partial(_same, value) for value in piped]
            return self._called(first.name, arguments, command)
        if rest or piped:
            raise self._fault(command, f"can't give argument to non-function {command.text.split()[0]}")
        if isinstance(first, Literal) and first.value is None:
            raise self._fault(command, "nil is not a command")
        return self._operand(first, command)

    def _called(self, name: str, arguments: Sequence[Callable[[], object]], command: Command) -> object:
        """The result of a function. `and` and `or` look at no more arguments than they need."""
        if name in ("and", "or") and name not in self._own:
            if not arguments:
                raise self._fault(command, f"wrong number of args for {name}: want at least 1 got 0")
            value: object = None
            for argument in arguments:
                value = argument()
                if is_true(value) == (name == "or"):
                    break
            return value
        given = [argument() for argument in arguments]
        if not _accepts(self._functions[name], given):
            why = f"wrong number of args for {name}: want {_wanted(self._functions[name])} got {len(given)}"
            raise self._fault_at(*command.places[0], why)
        if name in self._own and None in given:
            place = given.index(None) + 1
            raise self._fault_at(*command.places[place if place < len(command.places) else 0], "invalid value; expected string")
        try:
            result = self._functions[name](*given)
        except ValueError as error:
            raise self._fault(command, f"error calling {name}: {error}") from error
        if isinstance(result, str):
            self._count(result)
        return result

    def _operand(self, operand: Operand, command: Command) -> object:
        match operand:
            case Literal(value):
                return value
            case Variable(name):
                return next(value for known, value in reversed(self._variables) if known == name)
            case Call(name):
                return self._called(name, (), command)
            case Pipeline():
                return self._value(operand)
            case Field(names, of):
                found = self._dot if of is None else self._operand(of, command)
                for name in names:
                    found = self._field(found, name, command)
                return found

    def _field(self, value: object, name: str, command: Command) -> object:
        if value is None:
            return None
        if isinstance(value, Mapping):
            return value.get(name)
        raise self._fault(command, f"can't evaluate field {name} in type {type(value).__name__}")

    def _fault(self, command: Command, why: str) -> ValueError:
        return self._fault_at(command.places[0][0], command.text, why)

    def _fault_at(self, at: int, text: str, why: str) -> ValueError:
        line_start = self._template.rfind("\n", 0, at) + 1
        place = f"{self._template.count(chr(10), 0, at) + 1}:{len(self._template[line_start:at].encode())}"
        return fault(place, f'executing "root" at <{text}>: {why}')


def _accepts(function: Callable[..., object], arguments: Sequence[object]) -> bool:
    import inspect

    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True


def _wanted(function: Callable[..., object]) -> str:
    import inspect

    parameters = inspect.signature(function).parameters.values()
    fixed = sum(parameter.kind is not inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    return str(fixed) if fixed == len(parameters) else f"at least {fixed}"


def _same(value: object) -> object:
    return value


def _pairs(value: object, line: int) -> Sequence[tuple[object, object]]:
    """What a range goes through: keys (places, for a list; numbers, for a whole number) with elements."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        if value > MOST_NODES:
            raise fault(line, f'executing "root": range over more than {MOST_NODES:,} numbers')
        return [(place, place) for place in range(value)]
    raise fault(line, f'executing "root": range can\'t iterate over {printed(value)}')
