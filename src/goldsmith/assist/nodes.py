"""Typed nodes from shfmt's JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from goldsmith.assist import syntax
from goldsmith.assist.syntax import Span, Statement

Json = Mapping[str, Any]
"""A node as shfmt writes it: which keys it has depends on its `Type`, see mvdan.cc/sh/v3/syntax."""


def statements_of(nodes: Sequence[Json] | None, text: bytes) -> tuple[Statement, ...]:
    """The statements of a script or of a part of it."""
    return _Reader(text).statements(nodes)


class _Reader:
    def __init__(self, text: bytes) -> None:
        self._text = text
        self._commands: Mapping[str, Callable[[Json], syntax.ShellCommand]] = {
            "CallExpr": self._call,
            "IfClause": self._if,
            "WhileClause": self._while,
            "ForClause": self._for,
            "CaseClause": self._case,
            "Block": lambda node: syntax.Group(self.statements(node.get("Stmts")), is_subshell=False),
            "Subshell": lambda node: syntax.Group(self.statements(node.get("Stmts")), is_subshell=True),
            "BinaryCmd": lambda node: syntax.Binary(node["Op"], self._statement(node["X"]), self._statement(node["Y"])),
            "FuncDecl": lambda node: syntax.Function(_name(node), self._statement(node["Body"])),
            "DeclClause": lambda node: syntax.Declaration(node["Variant"]["Value"], self._assignments(node.get("Args"))),
            "TestClause": lambda node: syntax.TestCommand(self._test(node["X"])),
            "ArithmCmd": lambda node: syntax.ArithmeticCommand((self._arithmetic(node["X"]),)),
            "LetClause": lambda node: syntax.ArithmeticCommand(tuple(self._arithmetic(item) for item in node["Exprs"])),
            "TimeClause": lambda node: syntax.Timed(self._statement(node["Stmt"]) if node.get("Stmt") else None),
            "CoprocClause": lambda node: syntax.Coprocess(self._statement(node["Stmt"])),
        }
        self._parts: Mapping[str, Callable[[Json], syntax.Part]] = {
            "Lit": lambda node: syntax.Plain(node.get("Value", "")),
            "SglQuoted": lambda node: syntax.Quoted(node.get("Value", ""), bool(node.get("Dollar"))),
            "DblQuoted": lambda node: syntax.DoubleQuoted(self._word_parts(node)),
            "ParamExp": self._parameter,
            "CmdSubst": lambda node: syntax.Substitution(self.statements(node.get("Stmts")), _span(node)),
            "ProcSubst": lambda node: syntax.ProcessSubstitution(node["Op"], self.statements(node.get("Stmts"))),
            "ArithmExp": lambda node: syntax.ArithmeticExpansion(self._arithmetic(node["X"]) if node.get("X") else None),
            "ExtGlob": lambda node: syntax.ExtendedGlob(node["Op"], node["Pattern"].get("Value", "")),
        }

    def statements(self, nodes: Sequence[Json] | None) -> tuple[Statement, ...]:
        return tuple(self._statement(node) for node in nodes or ())

    def _statement(self, node: Json) -> Statement:
        redirections = tuple(self._redirection(item) for item in node.get("Redirs") or ())
        command = node.get("Cmd")
        read = self._commands[command["Type"]](command) if command else None
        span = _span(node)
        bodies = [item["Hdoc"]["End"]["Offset"] for item in _here_documents(node)]
        if bodies:
            start = self._text.find(b"\n", max(bodies)) if self._text[max(bodies) - 1 : max(bodies)] != b"\n" else max(bodies)
            after = self._text.find(b"\n", start) if start >= 0 else -1
            end = max(span.end, after if after >= 0 else len(self._text))
            span = Span(span.start, end, span.line, span.line + self._text.count(b"\n", span.start, end))
        return Statement(read, redirections, bool(node.get("Negated")), bool(node.get("Background")), span)

    def _redirection(self, node: Json) -> syntax.Redirection:
        return syntax.Redirection(
            node["Op"],
            node["N"]["Value"] if node.get("N") else "",
            self._optional_word(node.get("Word")),
            self._optional_word(node.get("Hdoc")),
        )

    def word(self, node: Json) -> syntax.ShellWord:
        return syntax.ShellWord(self._word_parts(node), _span(node))

    def _optional_word(self, node: Json | None) -> syntax.ShellWord | None:
        return self.word(node) if node else None

    def _word_parts(self, node: Json) -> tuple[syntax.Part, ...]:
        return tuple(self._parts[part["Type"]](part) for part in node.get("Parts") or ())

    def _parameter(self, node: Json) -> syntax.Parameter:
        part, change, operation = node.get("Slice"), node.get("Repl"), node.get("Exp") or {}
        return syntax.Parameter(
            node["Param"]["Value"] if node.get("Param") else "",
            index=self._optional_arithmetic(node.get("Index")),
            is_length=bool(node.get("Length")),
            is_indirect=bool(node.get("Excl")),
            prefix=node.get("Names") or "",
            slice=syntax.Slice(self._optional_arithmetic(part.get("Offset")), self._optional_arithmetic(part.get("Length")))
            if part
            else None,
            replacement=syntax.Replacement(
                self._optional_word(change.get("Orig")), self._optional_word(change.get("With")), bool(change.get("All"))
            )
            if change
            else None,
            operation=operation.get("Op", ""),
            operand=self._optional_word(operation.get("Word")),
        )

    def _arithmetic(self, node: Json) -> syntax.Arithmetic:
        match node["Type"]:
            case "BinaryArithm":
                return syntax.ArithmeticBinary(node["Op"], self._arithmetic(node["X"]), self._arithmetic(node["Y"]))
            case "UnaryArithm":
                return syntax.ArithmeticUnary(node["Op"], self._arithmetic(node["X"]), bool(node.get("Post")))
            case "ParenArithm" | "FlagsArithm":
                return self._arithmetic(node["X"])
        return self.word(node)

    def _optional_arithmetic(self, node: Json | None) -> syntax.Arithmetic | None:
        return self._arithmetic(node) if node else None

    def _test(self, node: Json) -> syntax.Test:
        match node["Type"]:
            case "BinaryTest":
                return syntax.TestBinary(node["Op"], self._test(node["X"]), self._test(node["Y"]))
            case "UnaryTest":
                return syntax.TestUnary(node["Op"], self._test(node["X"]))
            case "ParenTest":
                return self._test(node["X"])
        return self.word(node)

    def _assignments(self, nodes: Sequence[Json] | None) -> tuple[syntax.Assignment, ...]:
        return tuple(self._assignment(node) for node in nodes or ())

    def _assignment(self, node: Json) -> syntax.Assignment:
        array = node.get("Array")
        return syntax.Assignment(
            node["Name"]["Value"] if node.get("Name") else "",
            self._optional_word(node.get("Value")),
            tuple(
                syntax.Element(self._optional_arithmetic(item.get("Index")), self._optional_word(item.get("Value")))
                for item in array.get("Elems") or ()
            )
            if array
            else None,
            self._optional_arithmetic(node.get("Index")),
            bool(node.get("Append")),
            bool(node.get("Naked")),
        )

    def _call(self, node: Json) -> syntax.Call:
        return syntax.Call(self._assignments(node.get("Assigns")), tuple(self.word(item) for item in node.get("Args") or ()))

    def _if(self, node: Json) -> syntax.If:
        other = node.get("Else")
        otherwise: tuple[Statement, ...] | syntax.If = ()
        if other:
            otherwise = self._if(other) if other.get("Cond") else self.statements(other.get("Then"))
        return syntax.If(self.statements(node.get("Cond")), self.statements(node.get("Then")), otherwise)

    def _while(self, node: Json) -> syntax.While:
        return syntax.While(self.statements(node.get("Cond")), self.statements(node.get("Do")), bool(node.get("Until")))

    def _for(self, node: Json) -> syntax.For | syntax.ForArithmetic:
        loop, body = node["Loop"], self.statements(node.get("Do"))
        if loop["Type"] == "CStyleLoop":
            first, condition, step = (self._optional_arithmetic(loop.get(key)) for key in ("Init", "Cond", "Post"))
            return syntax.ForArithmetic(first, condition, step, body)
        has_words = bool(loop.get("InPos", {}).get("Line"))
        words = tuple(self.word(item) for item in loop.get("Items") or ()) if has_words else None
        return syntax.For(loop["Name"]["Value"], words, body, bool(node.get("Select")))

    def _case(self, node: Json) -> syntax.Case:
        arms = tuple(
            syntax.Arm(
                tuple(self.word(item) for item in arm.get("Patterns") or ()), self.statements(arm.get("Stmts")), arm["Op"]
            )
            for arm in node.get("Items") or ()
        )
        return syntax.Case(self.word(node["Word"]), arms)


def _name(node: Json) -> str:
    return cast("str", node["Name"]["Value"])


def _span(node: Json) -> Span:
    start, end = node["Pos"], node["End"]
    return Span(start["Offset"], end["Offset"], start["Line"], end["Line"])


def _here_documents(node: Json) -> list[Json]:
    """The redirections with a body that a statement has, also those of the commands that `|`, `&&` and `||` join in it."""
    found = [item for item in node.get("Redirs") or () if item.get("Hdoc")]
    command = node.get("Cmd") or {}
    if command.get("Type") == "BinaryCmd":
        found += _here_documents(command["X"]) + _here_documents(command["Y"])
    return found
