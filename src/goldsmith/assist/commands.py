"""Commands of a script, as conversion sees them: each with the words that it was given, where it stands and what holds there.

A word is what is known of an argument when the script is read and not run: text, values that Ansible will know, and
gaps that nobody knows. A rule takes a command and says which tasks do the same.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from goldsmith.assist.counted import Effect


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that stand in the script or follow from it. Bytes that are no UTF-8 are surrogate escapes."""

    value: str


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the playbook has when it runs."""

    expression: str
    """Jinja without its braces: "web_version", "item", "kernel_release.stdout"."""
    kind: Literal["input", "fact", "loop", "registered", "computed", "number", "lines"]
    """An input of the script (a default of the role), a fact of the machine, an item of a loop, what a task registered; or
    an expression over such, such as the two values of a branch. A number is no text for Jinja: `1 == '1'` does not hold.
    Lines stand only in what is being printed: the text, and a line feed after it unless it is empty."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A gap: what stands here cannot be told without running the script."""

    reason: str


Piece: TypeAlias = Text | Variable | Unknown


@dataclass(frozen=True, slots=True)
class Word:
    """One argument, after quotes, braces and parameters: its pieces in order. No piece is empty text, neighbours are merged."""

    pieces: tuple[Piece, ...]
    source: str = field(default="", compare=False)
    """As it is written in the script."""
    glob: bool = False
    """Unquoted `*`, `?` or `[` stands in it: the text is a pattern of paths."""
    is_split: bool = False
    """An unquoted expansion stands in it: its value may become several words, or none."""

    @staticmethod
    def of(text: str) -> Word:
        """A word of plain text."""
        return Word((Text(text),) if text else (), text)

    @property
    def text(self) -> str | None:
        """The whole word where all of it is known from the script, else None."""
        if all(isinstance(piece, Text) for piece in self.pieces):
            return "".join(piece.value for piece in self.pieces if isinstance(piece, Text))
        return None

    @property
    def unknown(self) -> str | None:
        """Why the word has no value for a task, or None where it has one."""
        return next((piece.reason for piece in self.pieces if isinstance(piece, Unknown)), None)

    def __add__(self, other: Word) -> Word:
        pieces = list(self.pieces)
        for piece in other.pieces:
            last = pieces[-1] if pieces else None
            if isinstance(last, Text) and isinstance(piece, Text):
                pieces[-1] = Text(last.value + piece.value)
            else:
                pieces.append(piece)
        return Word(tuple(pieces), self.source + other.source, self.glob or other.glob, self.is_split or other.is_split)

    @property
    def label(self) -> str:
        """The word for the name of a task, without Jinja: variables stand in it by their names."""
        return "".join(piece.value if isinstance(piece, Text) else _spoken(piece) for piece in self.pieces)

    def startswith(self, prefix: str | tuple[str, ...]) -> bool:
        """Whether the word begins with this text, or with one of several."""
        first = self.pieces[0] if self.pieces else Text("")
        return isinstance(first, Text) and first.value.startswith(prefix)

    def after(self, prefix: str) -> Word:
        """The word without this text at its beginning; raises ValueError where it begins otherwise."""
        if not self.startswith(prefix):
            raise ValueError(f"{self.source} does not begin with {prefix}")
        if not prefix:
            return self
        first, *rest = self.pieces
        assert isinstance(first, Text)
        left = first.value[len(prefix) :]
        return replace(self, pieces=(Text(left), *rest) if left else tuple(rest))


def _spoken(piece: Variable | Unknown) -> str:
    first = re.match(r"\(*([A-Za-z_]\w*)", piece.expression) if isinstance(piece, Variable) else None
    return first[1] if first else "…"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command stands: lines count from 1, offsets are bytes."""

    file: str
    line: int
    end_line: int
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """`> target`, `< target`, `2>&1`; a here-document or here-string is the command's `stdin`."""

    operator: Literal[">", ">>", "<", "<>", ">|", "&>", "&>>", ">&", "<&"]
    fd: int
    target: Word


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold for a command to run, as an expression of Ansible's `when`; None where it cannot be said."""

    expression: str | None
    source: str
    place: Place


@dataclass(frozen=True, slots=True)
class Loop:
    """A `for` whose items are known: the command's words hold `Variable(variable, "loop")`."""

    variable: str
    items: tuple[Word, ...] | Variable


@dataclass(frozen=True, slots=True)
class Block:
    """A statement of the script that can run as shell of its own, with what it takes from the rest of the script."""

    place: Place
    source: str
    """As written, here-documents included."""
    variables: Mapping[str, Word] = field(default_factory=dict)
    """Variables of the script that it reads, by their names."""
    arguments: tuple[Word, ...] = ()
    """Its `$1`, `$2` …, where it reads them."""
    functions: tuple[str, ...] = ()
    """The text of the functions that it calls, those that they call first."""


@dataclass(frozen=True, slots=True)
class Context:
    """What holds where a command stands. Rules look at none of it: `tasks.py` gives it to the tasks that a rule makes."""

    conditions: tuple[Condition, ...] = ()
    loop: Loop | None = None
    may_fail: bool = False
    """Its failure is ignored: `|| true`, a script without `set -e`, or what follows looks at its status by `registers`."""
    registers: str = ""
    """The name under which its result is looked at later, by conditions and values. A query is a command: they use its `rc`
    and `stdout`. `test OPERATOR PATH` with an operator of `counted.FILE_TESTS` is `ansible.builtin.stat` (follow, but for
    `-L` and `-h`): they use its `stat`. Of what changes state they ask `is succeeded`."""
    retries: tuple[int, int] | None = None
    """Attempts and seconds between them."""
    until_it_fails: bool = False
    """The attempts go on while the command succeeds: `while fuser LOCK; do sleep 1; done`."""
    obstacle: str = ""
    """Why this command cannot become a task of its own (an unknown condition, a loop over something unknown), or empty."""
    block: Block | None = None
    """With an obstacle: the whole statement that has to stay shell. Commands of one statement share it."""
    dead: str = ""
    """Why the command never runs (a function that nothing calls, a branch that is never taken), or empty: it needs no task."""


@dataclass(frozen=True, slots=True)
class Command:
    """A simple command with its wrappers (`sudo`, `env`, `nice`, …) taken off."""

    id: int
    name: str
    """Without a directory: "apt-get"; empty where it is unknown."""
    args: tuple[Word, ...]
    place: Place
    source: str
    """The whole statement as written, here-documents included, its wrappers too."""
    program: Word = field(default_factory=lambda: Word(()))
    """The name as it was called, with its directory: "/opt/venv/bin/pip", "./configure"; empty where that is `name`."""
    directory: Word = field(default_factory=lambda: Word.of("/"))
    """The working directory, absolute where it is known."""
    environment: Mapping[str, Word] = field(default_factory=dict)
    """What was exported by the script or set for this command, beyond what a machine gives."""
    umask: int = 0o022
    user: Word | None = None
    """Another user than root, by `sudo -u`, `su` or `runuser`."""
    redirects: tuple[Redirect, ...] = ()
    stdin: Word | None = None
    """What a here-document, a here-string, or `echo`/`printf`/`cat <<E` before a pipe gives to it; with its last newline."""
    feeds: tuple[Command, ...] = ()
    """The commands before it in its pipeline, when they are more than plain text: `curl URL | tar x`."""
    context: Context = field(default_factory=Context)
    effect: Effect = "state"
    """A command that changes the machine (also by what it writes into a file); a query; `exit` and its kin: "control"."""
    block: Block | None = None
    """The statement as shell of its own, for what no rule can say."""
    is_bash: bool = True
    """False for dash: its `echo` expands backslashes."""

    def path(self, word: Word) -> Word:
        """The word as an absolute path, from the working directory of the command."""
        if word.startswith("/") or (word.pieces and not isinstance(word.pieces[0], Text)):
            return word
        joined = self.directory + Word.of("/") + word
        text = joined.text
        if text is None:
            return joined
        # POSIX leaves two slashes at the beginning alone, and nothing else does.
        return Word((Text(posixpath.normpath(text.replace("//", "/"))),), word.source, word.glob, word.is_split)


Argument: TypeAlias = "str | int | bool | Word | Sequence[Argument] | Mapping[str, Argument]"
"""A value of a task. `str` and the text of a word are plain text, never Jinja: the writer escapes what looks like it."""
