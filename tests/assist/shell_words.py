"""Words of bash by chance: quoting, parameters, sums and substitutions; and the marking commands that stand in them.

Left out is what conversion does not claim to know: patterns of paths that exist, and what differs between versions of bash.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from random import Random

from tests.assist.shell_oracle import Answer

TEXTS = (
    *("a", "b", "ab", "x y", "", "a.tar.gz", "/opt/x/y.conf", "  lead", "tail ", "3", "10", "-1", "0", "007", "é", "q'q"),
    *('d"d', "b\\c", "k=v", "A-b_C", "$x", "{a,b}", "a:b:c", "one\ntwo", "tab\tbed", "[a]", "a/b/c", "foo.bar.baz", "~"),
    *("~/x", "!"),
)
PATTERNS = (
    *("a", "?", "*", "a*", "*.*", "*b", "[ab]", "[!a]*", "*/", "/*", "*/*", "x\\ y", '"*"', "'a'*", "[[:digit:]]", "[a-c]b"),
    *("[^b]", "\\*", "*[[:space:]]*", "??", '"$v0"', "$v0*", "*:", ":*"),
)
NAMES = ("v0", "v1", "v2", "v3")
NUMBERS = ("n0", "n1")
_READABLE = (*NAMES, *NAMES, "G1", "1", "r[1]", "r", "n0", "h[a]", "unset_name")
_OPERANDS = ("", "d", "d e", "$v0", '"$v1"', "'x-y'", "\\}", "${v2}", '"q-r"', "a/b", "\\\\")
_LISTS = (
    *("${r[@]}", "${r[*]}", "${#r[@]}", "${!r[@]}", "${r[@]:1}", "${r[@]:0:2}", "${r[@]#a}", "${r[-1]}", "$@", "$*", "$#"),
    *("$1", "${2}", "${@:2}", "${*:1:1}", "${10}", "${!i}", "${h[a]}", "${!h[@]}", "${r[@]/#/-p}"),
)
_BRACES = ("{a,b}c", "{1..3}", "x{,y}", "{a,{b,c}}", '{"x y",${v0}}', "{c..a}", "{01..3}")
_OPERATORS = ("+", "-", "*", "/", "%", "<<", ">>", "&", "|", "^", "<", "<=", ">", ">=", "==", "!=", "&&", "||", ",")
_LEAVES = ("0", "1", "2", "3", "10", "0x1f", "010", "n0", "n1", "${#v0}", "-1", "2#101", "r[0]")
_CHANGES = ("n0++", "++n1", "n0--", "(n0 += 2)", "(n1 *= 3)", "(n0 = n1 + 1)", "(n1 -= 1)", "~n0", "2 ** 3")
_ANSWERS = (
    *(Answer(), Answer(), Answer("a\n"), Answer("ab"), Answer("", 1), Answer("x y\nz\n"), Answer("a\n", 2), Answer("3\n")),
)


class Words:
    """Writes words, and keeps what the marking commands in them answer."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._answers: dict[str, Answer] = {}

    def _one(self, *texts: str) -> str:
        return self._random.choice(texts)

    def _pick(self, *choices: Callable[[], str]) -> str:
        return self._random.choice(choices)()

    def _several(self, write: Callable[[], str], fewest: int, most: int) -> str:
        return " ".join(write() for _ in range(self._random.randint(fewest, most)))

    def _name(self) -> str:
        return self._one(*NAMES)

    def _mark(self, *names: str, code: int | None = None) -> str:
        """A marking command with its place, without further arguments."""
        place, name = f"p{len(self._answers)}", self._one(*names)
        is_plain = name in ("mark", "take") and self._random.random() < 0.8
        answer = Answer() if is_plain else self._random.choice(_ANSWERS)
        self._answers[place] = answer if code is None else Answer(answer.output, code)
        return f"{name} {place}"

    def _quoted(self, text: str) -> str:
        """A text as one word."""
        escaped = "".join("\\" + char if char in '$`"\\' else char for char in text)
        ways = [shlex.quote(text), f'"{escaped}"']
        if text and not set(text) & set("\n \t'\"") and text[0] != "~":
            ways.append("".join(char if char.isalnum() or char in "/.-_=:" else f"\\{char}" for char in text))
        if text.isascii():
            ansi = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
            ways.append(f"$'{ansi}'")
        return self._one(*ways)

    def _text(self) -> str:
        return self._quoted(self._one(*TEXTS))

    def _word(self, depth: int = 1) -> str:
        """An argument, quoted or not."""
        if depth <= 0:
            return self._text()
        return self._pick(
            self._text,
            self._text,
            lambda: f'"{self._expansion(depth - 1)}"',
            lambda: f'"{self._expansion(depth - 1)}"',
            lambda: f'"{self._one(*_LISTS)}"',
            lambda: self._one(*_LISTS),
            lambda: f'"x{self._expansion(depth - 1)}y z"',
            lambda: self._expansion(depth - 1),
            lambda: f"a{self._expansion(depth - 1)}b",
            lambda: f"{self._word(depth - 1)}{self._word(depth - 1)}",
            lambda: self._one(*_BRACES),
        )

    def _scalar(self) -> str:
        """A word that is always one argument."""
        return self._pick(self._text, lambda: f'"{self._expansion(0)}"')

    def _operand(self) -> str:
        return self._one(*_OPERANDS)

    def _expansion(self, depth: int) -> str:
        name, operand, pattern = self._one(*_READABLE), self._operand(), self._one(*PATTERNS)
        sets = (":=",) if name in NAMES else ()
        return self._pick(
            lambda: f"${{{name}}}",
            lambda: f"${self._name()}",
            lambda: f"${{{name}{self._one(':-', '-', ':+', '+', *sets)}{operand}}}",
            lambda: f"${{{name}{self._one('#', '##', '%', '%%')}{pattern}}}",
            lambda: f"${{{name}{self._one('/', '//', '/#', '/%')}{pattern}/{operand}}}",
            lambda: f"${{{name}:{self._one('0', '1', '2', ' -1', ' -2', 'n0', '1+1')}}}",
            lambda: f"${{{name}:{self._one('0', '1', ' -2')}:{self._one('0', '1', '2', '-1', '9')}}}",
            lambda: f"${{{name}{self._one('^^', ',,', '^', ',')}}}",
            lambda: f"${{#{name}}}",
            lambda: f"$(({self._sum(2)}))",
            lambda: f"$(printf '%s' {self._text()})",
            lambda: f'$(echo "{self._expansion(depth - 1)}e")' if depth > 0 else f"${{{name}}}",
            lambda: f"$({self._mark('probe', 'getent', code=0)} {self._word(depth - 1)})",
        )

    def _sum(self, depth: int) -> str:
        if depth <= 0:
            return self._one(*_LEAVES)
        return self._pick(
            lambda: self._sum(0),
            lambda: f"{self._sum(depth - 1)} {self._one(*_OPERATORS)} {self._sum(depth - 1)}",
            lambda: f"({self._sum(depth - 1)}) {self._one(*_OPERATORS)} ({self._sum(depth - 1)})",
            lambda: f"!{self._sum(0)}",
            lambda: f"-({self._sum(depth - 1)})",
            lambda: f"{self._sum(depth - 1)} ? {self._sum(depth - 1)} : {self._sum(depth - 1)}",
            lambda: self._one(*_CHANGES),
        )
