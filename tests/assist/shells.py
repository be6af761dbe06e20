"""Bash scripts by chance: what they do is seen by marking commands, see `shell_oracle`.

Left out is what conversion does not claim to know: `$?`, and the status that a loop or an assignment leaves at the end of a
function, so functions end by saying theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from tests.assist.shell_oracle import Given
from tests.assist.shell_words import NAMES, NUMBERS, PATTERNS, TEXTS, Words

_ARGUMENTS = ("a", "b", "ab", "a.tar.gz", "/opt/x/y.conf", "3", "10", "0", "k=v", "A-b_C", "a:b:c", "aXbXc", "a/b/c", "é")
_OPTIONS = ("set -e", "set -eu", "set -euo pipefail", "set -u", ":", ":", ":")
_FORMATS = ("%s", "%s-%s", "%03d", "[%5s]", "%-4s.", "%s,")
_REGEXES = ("^a", "b$", "^[0-9]+$", "a.", "^(a)(b)?", "x\\ y")
_COMPARES = ("-eq", "-ne", "-lt", "-le", "-gt", "-ge")
_SEEN = '"${v0-}" "${v1-}" "${v2-}" "${v3-}" "${n0-}" "${n1-}" "${r[@]}" "$#"'
"""What the last mark shows of the state."""
_DEEPEST = 3

Lines = list[str]


class _Author(Words):
    """Writes one script."""

    def __init__(self, random: Random, *, has_flow: bool) -> None:
        super().__init__(random)
        self._has_flow = has_flow
        self._functions: list[str] = []
        self._names = self._loops = 0
        self._is_function = False

    def given(self) -> Given:
        """The script with its surroundings."""
        lines = ["#!/bin/bash", self._one(*_OPTIONS) if self._has_flow else ":"]
        for name in NAMES:
            later = f"$({self._mark('probe', 'getent', code=0)})"
            lines.append(f"{name}={self._text() if self._random.random() < 0.8 else later}")
        lines += [f"{name}={self._one('0', '1', '7', '-3', '10')}" for name in NUMBERS]
        lines += ["i=v0", "cd /tmp; cd /", "declare -A h=([a]=1)", f"r=({self._several(self._word, 0, 3)})"]
        lines += [line for _ in range(self._random.randint(2, 8)) for line in self._statement(_DEEPEST)]
        lines.append(f"{self._mark('mark')} {_SEEN}")
        arguments = tuple(self._one(*_ARGUMENTS) for _ in range(self._random.randrange(4)))
        environment = {name: self._one("a", "b", "x y", "3") for name in ("G1", "G2") if self._random.random() < 0.5}
        return Given("\n".join(lines) + "\n", self._answers, arguments, environment)

    def _new(self, letter: str) -> str:
        self._names += 1
        return f"{letter}{self._names}"

    def _statement(self, depth: int) -> Lines:
        simple: Sequence[Callable[[], Lines]] = (self._assignment, self._assignment, self._marked, self._marked, self._state)
        if not self._has_flow:
            return self._random.choice((*simple, self._assignment))()
        if self._loops or self._is_function:
            simple = (*simple, self._leave)
        compound: Sequence[Callable[[int], Lines]] = (
            *(self._if, self._if, self._case, self._for, self._while, self._chain, self._chain, self._group),
            *(self._call, self._definition, self._reader, self._test_alone, self._exit),
        )
        number = self._random.randrange(len(simple) * 2 + len(compound))
        if depth <= 0 or number < len(simple) * 2:
            return simple[number % len(simple)]()
        return compound[number - len(simple) * 2](depth)

    # Simple commands

    def _marked(self) -> Lines:
        place = self._mark("take").removeprefix("take ")
        match self._random.randrange(12):
            case 0 | 1:
                return [f"take {place} <<< {self._scalar()}"]
            case 2:
                return [f"take {place} <<E", f"a ${{{self._name()}}} \\$b", self._expansion(1), "E"]
            case 3:
                return [f"take {place} <<'E'", "a $v0 \\x", "E"]
            case 4:
                return [f'echo "{self._expansion(1)}" {self._text()} | take {place}']
            case 5:
                return [f"printf '%s\\n' {self._scalar()} {self._text()} | take {place}"]
        return [f"{self._mark('mark')} {self._several(lambda: self._word(2), 0, 3)}"]

    def _mark_plainly(self) -> str:
        return f"{self._mark('mark')} {self._word()}"

    def _assignment(self) -> Lines:
        name, other = self._name(), self._name()
        printf = f"printf -v {name} {self._one(*_FORMATS)} {self._one('1', '7', '12')} {self._one('3', '4', '')}"
        element = self._one("0", "1", "3", "n0 & 3")
        forgiven = self._one("", " || :") if self._has_flow else ""
        return [
            self._pick(
                lambda: f"{name}={self._word(2)}",
                lambda: f"{name}={self._word(2)}",
                lambda: f"{name}+={self._word(2)}",
                lambda: f"{name}={self._word()} {other}={self._word()}",
                lambda: f"{self._one(*NUMBERS)}=$(({self._sum(2)}))",
                lambda: printf,
                lambda: f"r=({self._several(self._word, 0, 3)})",
                lambda: f"r+=({self._word()})",
                lambda: f"r[{element}]={self._word()}",
                lambda: f"declare -A h=([a]={self._scalar()})",
                lambda: f"i={self._one('v0', 'v1', '1', 'r[0]')}",
                lambda: f"unset {self._one(name, 'r[1]', 'r')}",
                lambda: f"export E1={self._scalar()}",
                lambda: f"read -r {name} <<< {self._scalar()}",
                lambda: f"IFS=: read -r {name} {other} <<< {self._scalar()}",
                lambda: f"read -r {name} {other} <<< {self._scalar()}",
                lambda: f"read -ra r <<< {self._scalar()}",
                lambda: f"mapfile -t r <<< {self._scalar()}",
                lambda: f": ${{{name}:={self._operand()}}}",
                lambda: f"let {self._one('n0+=1', 'n1=n0*2', 'n0++')} || :",
                lambda: f"(({self._sum(2)})) || true",
                lambda: f"{name}=$({self._mark('probe', 'getent')}){forgiven}",
                lambda: f"{'local' if self._is_function else 'declare'} {name}={self._scalar()}",
            )
        ]

    def _state(self) -> Lines:
        options = ("set +u", "set -f; set +f") if self._has_flow else (":",)
        return [
            self._pick(
                lambda: f"set -- {self._several(self._word, 0, 3)}",
                lambda: "shift || :",
                lambda: f"cd {self._one('/', '/tmp', '/usr', '/usr/lib', '..', '.')}",
                lambda: "cd - > /dev/null",
                lambda: self._one(*options),
                lambda: "unset E1",
                lambda: "export E1 v0",
                lambda: f"E1={self._scalar()} {self._mark('mark')} $v0",
                lambda: f"eval '{self._name()}=\"$v1\"'",
            )
        ]

    def _leave(self) -> Lines:
        loops = ("break", "continue", "break 2", "continue 2") if self._loops else ()
        returns = ("true; return", "return 0", "return 1") if self._is_function else ()
        way = self._one(*loops, *returns)
        return [way if self._random.random() < 0.3 else f"if {self._condition(0)}; then {way}; fi"]

    # Conditions

    def _test(self) -> str:
        value = f'"${{{self._one(*NAMES, "G1", "n0")}-}}"'
        number = self._random.randrange(4)
        return self._pick(
            lambda: f"[ {value} = {self._text()} ]",
            lambda: f"[ {value} != {self._scalar()} ]",
            lambda: f"[[ {value} == {self._one(*PATTERNS)} ]]",
            lambda: f"[[ {value} != {self._one(*PATTERNS)} ]]",
            lambda: f"[[ {value} = a || -n {value} ]]",
            lambda: f"[[ {value} = a && ! -z ${{v1-}} ]]",
            lambda: f"[ {self._one('-n', '-z')} {self._one(value, '${v0-}')} ]",
            lambda: f'[ {number} {self._one(*_COMPARES)} "$n0" ]',
            lambda: f"(( {self._sum(2)} ))",
            lambda: f"[[ {value} =~ {self._one(*_REGEXES)} ]]",
            lambda: f"[ $# {self._one('-gt', '-eq', '-lt')} {number} ]",
            lambda: f"[[ -v {self._name()} ]]",
            lambda: f"{self._mark('mark', 'probe', 'getent')} {self._word()}",
            lambda: self._one("true", "false", ":", *self._functions),
            lambda: f"[ {value} = a -o {value} = b ]",
            lambda: "[ ${v0-} ]",
        )

    def _condition(self, depth: int) -> str:
        if depth <= 0:
            return self._test()
        return self._pick(
            self._test,
            self._test,
            lambda: f"! {self._test()}",
            lambda: f"{self._condition(depth - 1)} && {self._condition(depth - 1)}",
            lambda: f"{self._condition(depth - 1)} || {self._condition(depth - 1)}",
            lambda: f"{{ {self._condition(depth - 1)}; }}",
            lambda: f"( {self._condition(depth - 1)} )",
        )

    def _test_alone(self, depth: int) -> Lines:
        return [self._one("set +e", "set -e", *[self._condition(1)] * 5) if depth == _DEEPEST else self._condition(1)]

    # Compound commands

    def _block(self, depth: int, *, is_loop: bool = False) -> Lines:
        self._loops += is_loop
        lines = [line for _ in range(self._random.randint(1, 3)) for line in self._statement(depth - 1)]
        self._loops -= is_loop
        return lines

    def _if(self, depth: int) -> Lines:
        lines = [f"if {self._condition(1)}; then", *self._block(depth)]
        if self._random.random() < 0.3:
            lines += [f"elif {self._condition(1)}; then", *self._block(depth)]
        if self._random.random() < 0.6:
            lines += ["else", *self._block(depth)]
        return [*lines, "fi"]

    def _case(self, depth: int) -> Lines:
        lines = [f"case {self._one(self._scalar(), '$' + self._name())} in"]
        for _ in range(self._random.randint(1, 3)):
            patterns = "|".join(self._one(*PATTERNS) for _ in range(self._random.randint(1, 2)))
            lines += [f"{patterns})", *self._block(depth), self._one(";;", ";;", ";;", ";;", ";;", ";&", ";;&")]
        return [*lines, "esac"]

    def _for(self, depth: int) -> Lines:
        name, most = self._name(), self._random.randrange(4)
        head = self._one(
            f"for {name} in {self._several(self._word, 0, 3)}; do",
            f'for {name} in "$@"; do',
            f"for {name}; do",
            f'for {name} in "${{r[@]}}"; do',
            f"for {name} in ${name}; do",
            f"for {name} in {{1..{most + 1}}}; do",
            f"for ((i = 0; i < {most}; i++)); do",
        )
        return [head, *self._block(depth, is_loop=True), "done"]

    def _while(self, depth: int) -> Lines:
        count, most = self._new("w"), self._random.randrange(4)
        test = self._one(
            f"(( {count}++ < {most} ))",
            f"[ $(({count} += 1)) -le {most} ]",
            f"(( {count}++ < {most} )) && {self._test()}",
        )
        head = self._one(f"while {test}; do", f"while {test}; do", f"until ! {{ {test}; }}; do")
        return [f"{count}=0", head, *self._block(depth, is_loop=True), "done"]

    def _reader(self, depth: int) -> Lines:
        name, other = self._name(), self._name()
        kept, self._loops = self._loops, 0
        body = self._block(depth, is_loop=True)
        self._loops = kept
        return self._random.choice(
            (
                [f"while read -r {name}; do", *body, f"done <<< {self._scalar()}"],
                [f"printf '%s\\n' {self._text()} {self._text()} | while read -r {name}; do", *body, "done"],
                [f"while IFS== read -r {name} {other}; do", *body, "done <<E", "a=b", "c d=e=f", "g", "E"],
            )
        )

    def _chain(self, _: int) -> Lines:
        leaving = self._leave()[0] if self._loops or self._is_function else "true"
        right = self._one(
            *(self._mark_plainly(), self._mark_plainly(), self._assignment()[0], self._state()[0], leaving, "true", "exit 3"),
            *(f"{{ {self._mark_plainly()}; {self._mark_plainly()}; }}", "echo said"),
        )
        line = f"{self._condition(1)} {self._one('&&', '||')} {right}"
        return [line + (f" {self._one('&&', '||')} {self._mark_plainly()}" if self._random.random() < 0.3 else "")]

    def _group(self, depth: int) -> Lines:
        opened, closed = self._random.choice((("(", ")"), ("{", "}")))
        kept, self._loops = self._loops, 0 if opened == "(" else self._loops
        lines = self._block(depth)
        self._loops = kept
        return [opened, *lines, closed + self._one("", "", " || true", " > /dev/null", f" && {self._mark_plainly()}")]

    def _definition(self, depth: int) -> Lines:
        if depth < _DEEPEST or self._is_function:
            return self._marked()
        name, self._is_function = self._new("f"), True
        local = [f"local {self._name()}={self._scalar()}"] if self._random.random() < 0.5 else []
        end = self._one("true", "true", "false", "return 0", "return 3")
        body = [*local, *self._block(depth), end]
        self._is_function = False
        self._functions.append(name)
        opened, closed = self._random.choice((("(", ")"), ("{", "}"), ("{", "}")))
        return [f"{name}() {opened}", *body, closed, *self._call(depth)]

    def _call(self, _: int) -> Lines:
        if not self._functions or self._is_function:
            return self._marked()
        name, words = self._one(*self._functions), self._several(self._word, 0, 2)
        return [
            self._one(
                f"{name} {words}",
                f"{name} {words} || true",
                f"if {name} {words}; then {self._mark_plainly()}; fi",
                f"{self._name()}=$({name} {words})",
                f'{name} "$@"',
                f"{self._name()}={self._quoted(self._one(*TEXTS))} {name} {words}",
                f"{name} {words} && {self._mark_plainly()}",
            )
        ]

    def _exit(self, _: int) -> Lines:
        return [f"if {self._condition(1)}; then {self._mark_plainly()}; exit {self._one('0', '1')}; fi"]


def scripts(random: Random, *, has_flow: bool = True) -> Given:
    """A script by chance; without flow, its commands run one after the other."""
    return _Author(random, has_flow=has_flow).given()
