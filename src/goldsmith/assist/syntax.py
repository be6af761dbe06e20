"""The syntax tree of a shell script, as conversion reads it: statements, commands, words and their parts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a script: offsets are bytes, lines count from 1; `end` is the offset after it."""

    start: int
    end: int
    line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class Plain:
    """Unquoted text, or text between double quotes or in a here-document; its backslashes still stand in it."""

    value: str


@dataclass(frozen=True, slots=True)
class Quoted:
    """`'text'`, or `$'text'` with its escapes unread."""

    value: str
    has_escapes: bool


@dataclass(frozen=True, slots=True)
class DoubleQuoted:
    """`"text $parameter"`."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Replacement:
    """`/pattern/text`: the first match, or `//` all of them."""

    pattern: ShellWord | None
    text: ShellWord | None
    is_all: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """`:offset:length`."""

    offset: Arithmetic | None
    length: Arithmetic | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$name`, `${name…}`. At most one of slice, replacement and operation is there."""

    name: str
    index: Arithmetic | None = None
    is_length: bool = False
    """`${#name}`."""
    is_indirect: bool = False
    """`${!name}`."""
    prefix: str = ""
    """`*` or `@` of `${!prefix*}`."""
    slice: Slice | None = None
    replacement: Replacement | None = None
    operation: str = ""
    """`:-`, `-`, `:=`, `=`, `:?`, `?`, `:+`, `+`, `#`, `##`, `%`, `%%`, `^`, `^^`, `,`, `,,`, `@`."""
    operand: ShellWord | None = None


@dataclass(frozen=True, slots=True)
class Substitution:
    """`$(…)` or backquotes."""

    statements: tuple[Statement, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class ProcessSubstitution:
    """`<(…)` or `>(…)`."""

    operator: str
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ArithmeticExpansion:
    """`$((…))`."""

    expression: Arithmetic | None


@dataclass(frozen=True, slots=True)
class ExtendedGlob:
    """`@(a|b)`, `!(a)` and the like."""

    operator: str
    pattern: str


Part: TypeAlias = (
    Plain | Quoted | DoubleQuoted | Parameter | Substitution | ProcessSubstitution | ArithmeticExpansion | ExtendedGlob
)


@dataclass(frozen=True, slots=True)
class ShellWord:
    """A word as written."""

    parts: tuple[Part, ...]
    span: Span

    @property
    def literal(self) -> str | None:
        """The text of a word that is nothing but unquoted text without backslashes, else None."""
        if len(self.parts) == 1 and isinstance(part := self.parts[0], Plain) and "\\" not in part.value:
            return part.value
        return None


@dataclass(frozen=True, slots=True)
class ArithmeticBinary:
    """`x + y`, `x = y`, `x ? y : z` (operators `?` and `:`)."""

    operator: str
    left: Arithmetic
    right: Arithmetic


@dataclass(frozen=True, slots=True)
class ArithmeticUnary:
    """`-x`, `!x`, `x++`."""

    operator: str
    operand: Arithmetic
    is_postfix: bool


Arithmetic: TypeAlias = ShellWord | ArithmeticBinary | ArithmeticUnary


@dataclass(frozen=True, slots=True)
class TestBinary:
    """`x == y`, `x && y` between `[[` and `]]`."""

    operator: str
    left: Test
    right: Test


@dataclass(frozen=True, slots=True)
class TestUnary:
    """`-f x`, `! x`."""

    operator: str
    operand: Test


Test: TypeAlias = ShellWord | TestBinary | TestUnary


@dataclass(frozen=True, slots=True)
class Element:
    """An element of an array in parentheses."""

    index: Arithmetic | None
    value: ShellWord | None


@dataclass(frozen=True, slots=True)
class Assignment:
    """`name=value`, `name+=value`, `name[index]=value`, `name=(…)`; or an argument of `export` and its kin."""

    name: str
    value: ShellWord | None
    array: tuple[Element, ...] | None
    index: Arithmetic | None
    is_append: bool
    is_bare: bool
    """No `=`: a name alone, or (with an empty name) any other argument, which is the value."""


@dataclass(frozen=True, slots=True)
class Redirection:
    """`> word`; a here-document has its body."""

    operator: str
    descriptor: str
    word: ShellWord | None
    body: ShellWord | None


@dataclass(frozen=True, slots=True)
class Call:
    """A simple command: assignments before it, and its words."""

    assignments: tuple[Assignment, ...]
    words: tuple[ShellWord, ...]


@dataclass(frozen=True, slots=True)
class If:
    """`if`, with `elif` as an `If` alone in `otherwise`."""

    condition: tuple[Statement, ...]
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...] | If


@dataclass(frozen=True, slots=True)
class While:
    """`while`, or `until`."""

    condition: tuple[Statement, ...]
    body: tuple[Statement, ...]
    is_until: bool


@dataclass(frozen=True, slots=True)
class For:
    """`for name in words`; without `in`, `words` is None: the positional parameters."""

    name: str
    words: tuple[ShellWord, ...] | None
    body: tuple[Statement, ...]
    is_select: bool


@dataclass(frozen=True, slots=True)
class ForArithmetic:
    """`for ((first; condition; step))`."""

    first: Arithmetic | None
    condition: Arithmetic | None
    step: Arithmetic | None
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Arm:
    """`pattern|pattern) statements ;;`."""

    patterns: tuple[ShellWord, ...]
    body: tuple[Statement, ...]
    end: str
    """`;;`, `;&` or `;;&`."""


@dataclass(frozen=True, slots=True)
class Case:
    """`case word in … esac`."""

    word: ShellWord
    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """`{ … }`, or `( … )` in a subshell."""

    statements: tuple[Statement, ...]
    is_subshell: bool


@dataclass(frozen=True, slots=True)
class Binary:
    """Two statements joined by `&&`, `||`, `|` or `|&`."""

    operator: Literal["&&", "||", "|", "|&"]
    left: Statement
    right: Statement


@dataclass(frozen=True, slots=True)
class Function:
    """`name() body`."""

    name: str
    body: Statement


@dataclass(frozen=True, slots=True)
class Declaration:
    """`export`, `local`, `declare`, `readonly`, `typeset`, `nameref` with their arguments."""

    variant: str
    arguments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class TestCommand:
    """`[[ … ]]`."""

    test: Test


@dataclass(frozen=True, slots=True)
class ArithmeticCommand:
    """`((…))`, or `let` with its expressions."""

    expressions: tuple[Arithmetic, ...]


@dataclass(frozen=True, slots=True)
class Timed:
    """`time statement`."""

    statement: Statement | None


@dataclass(frozen=True, slots=True)
class Coprocess:
    """`coproc statement`."""

    statement: Statement


ShellCommand: TypeAlias = (
    Call
    | If
    | While
    | For
    | ForArithmetic
    | Case
    | Group
    | Binary
    | Function
    | Declaration
    | TestCommand
    | ArithmeticCommand
    | Timed
    | Coprocess
)


@dataclass(frozen=True, slots=True)
class Statement:
    """A command with its redirections; None stands where there are redirections alone."""

    command: ShellCommand | None
    redirections: tuple[Redirection, ...]
    is_negated: bool
    is_background: bool
    span: Span
    """Here-documents of the statement included."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A script that was parsed."""

    path: str
    text: bytes
    is_bash: bool
    """False for a script of `sh`, which dash runs on Debian."""
    statements: tuple[Statement, ...]
    is_utf8: bool = True

    def excerpt(self, span: Span) -> str:
        """The text of a span; bytes that are no UTF-8 are surrogate escapes."""
        text = self.text[span.start : span.end].decode()
        return text if self.is_utf8 else restored(text)


_AREA = 0xF700
"""A byte that is no UTF-8 stands here as a character of this private area: shfmt takes UTF-8 only."""


def as_utf8(text: bytes) -> bytes:
    """The text where it is UTF-8, else with a character of a private area for each byte that is none."""
    try:
        text.decode()
    except UnicodeDecodeError:
        decoded = text.decode("utf-8", "surrogateescape")
        return "".join(chr(ord(char) - 0xDC00 + _AREA) if 0xDC80 <= ord(char) <= 0xDCFF else char for char in decoded).encode()
    return text


def restored(text: str) -> str:
    """The text with surrogate escapes for the characters that `as_utf8` put in."""
    return "".join(chr(ord(char) - _AREA + 0xDC00) if _AREA <= ord(char) <= _AREA + 0xFF else char for char in text)
