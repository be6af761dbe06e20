"""The functions against Packer's own: generated calls give the same in the console of Debian's packer 1.6.6."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.hcl import Scope, evaluate, functions, parse_expression
from goldsmith.hcl.diagnostics import UserError
from goldsmith.hcl.display import display
from goldsmith.hcl.source import SourceFile

pytestmark = pytest.mark.skipif(not shutil.which("packer"), reason="Debian's packer is not installed: it is the oracle here")

BATCH = 150
BATCHES = 8
"""150 calls in one expression take Packer's console a quarter of a second."""

STRINGS = (
    *(
        '"a"',
        '"b"',
        '""',
        '"Hello, World"',
        '"1"',
        '"1.50"',
        '"true"',
        '"a,b,,c"',
        '" x\\n"',
        '"he\\u0301llo"',
        '"ß<&>ẞǆ"',
        '"\\t\\\\"',
    ),
    *(
        '"2020-02-03T14:05:06Z"',
        '"2020-02-03T04:05:06+02:30"',
        '"10.1.0.0/16"',
        '"fd00::/48"',
        '"fd00::1/120"',
        '"a/b/../c.txt"',
    ),
    *('"l1\\nl2"', '"{\\"a\\":[1,null]}"', '"x,y\\n1,2"', '"aGk="', '"- 1\\n- b: yes"', '"🤷‍♂️é"'),
)
NUMBERS = ("0", "1", "2", "3", "-1", "8", "1.5", "-2.25", "16", "255", "1e3", "123456789", "0.1", '"3"')
BOOLS = ("true", "false", '"true"')
LISTS = (
    *(
        "[]",
        '["a", "b", "a"]',
        "[1, 2, 3]",
        "[3, 20, 1]",
        '[1, "a", true]',
        '["a", null, ""]',
        '[["a"], ["b", "c"]]',
        "[[1, [2]], 3]",
    ),
    *('split(",", "x,y")', 'convert(["b", "a"], set(string))', "range(3)", '[{ a = 1 }, { a = "x" }]'),
)
MAPS = (
    "{}",
    '{ a = 1, b = "x" }',
    '{ a = "1" }',
    'convert({ b = "y", a = "x" }, map(string))',
    "{ a = null, c = [1] }",
    "{ b = { c = 1 } }",
)
PATTERNS = ('"[a-z]+"', '"(l+)(o)?"', '"x*"', '"(?P<n>[0-9]+)"', '"("', '"\\\\s"', '"^|$"', '"é|ß"')
REPLACEMENTS = ('""', '"-"', '"<$1>"', '"$${n}$2$$"', '"$0x"')
FORMATS = (
    '"%s"',
    '"%d"',
    '"%v|%v"',
    '"%5.2f"',
    '"%-6s|"',
    '"%05d"',
    '"%x"',
    '"%q"',
    '"%g"',
    '"%#v"',
    '"%t"',
    '"%[2]s%[1]s"',
    '"%e%%"',
    '"%+d"',
)
DATES = ('"YYYY-MM-DD"', '"hh:mm:ss ZZZ"', '"EEE, D MMM YY"', "\"'at' H aa\"", '"Z"', '"X"')
DURATIONS = ('"1h"', '"-90m"', '"1.5s"', '"x"', '"24h1m2s"')
ANY = STRINGS + NUMBERS + BOOLS + LISTS + MAPS + ("null",)

S, N, L, M, A = STRINGS, NUMBERS, LISTS, MAPS, ANY
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys(("abs", "ceil", "floor", "signum"), (N,)),
    **dict.fromkeys(("log", "pow"), (("1", "2", "16", "1.5"), ("2", "10", "3", "0.5"))),
    **dict.fromkeys(("max", "min"), (N, N, N)),
    **dict.fromkeys(("chomp", "lower", "upper", "strrev", "trimspace", "title"), (S,)),
    **dict.fromkeys(("trim", "trimprefix", "trimsuffix", "split"), (S, S)),
    **dict.fromkeys(("base64encode", "urlencode", "md5", "sha1", "sha256", "sha512", "basename", "dirname"), (S,)),
    **dict.fromkeys(("base64decode", "jsondecode", "csvdecode", "yamldecode"), (S,)),
    **dict.fromkeys(("compact", "distinct", "flatten", "reverse", "sort"), (L,)),
    **dict.fromkeys(("concat", "coalescelist", "setproduct"), (L, L)),
    **dict.fromkeys(("setunion", "setintersection"), (L, L)),
    **dict.fromkeys(("keys", "values"), (M,)),
    "parseint": (S, ("10", "16", "2", "62")),
    "range": (("0", "1", "3", "-2"), ("5", "2", "-4"), ("1", "2", "-1", "0.5")),
    "can": (A,),
    "try": (A,),
    "convert": (
        A,
        ("string", "number", "bool", "list(string)", "set(any)", "map(string)", "list(any)", "any", "object({ a = string })"),
    ),
    "length": (A,),
    "coalesce": (A, A),
    "contains": (L, A),
    "chunklist": (L, ("0", "1", "2", "-1")),
    "element": (L, ("0", "1", "5")),
    "lookup": (M, S[:2], A),
    "merge": (M, M),
    "slice": (L, ("0", "1", "2"), ("0", "1", "2", "3")),
    "zipmap": (L, L),
    "indent": (N, S),
    "substr": (S, N, N),
    "join": (S, L),
    "replace": (S, S, S),
    "regex_replace": (S, PATTERNS, REPLACEMENTS),
    "format": (FORMATS, A, A),
    "formatlist": (FORMATS, A),
    "formatdate": (DATES, S),
    "timeadd": (S, DURATIONS),
    "jsonencode": (tuple(item for item in A if item != "null"),),
    "yamlencode": (A,),
    "uuidv5": (('"dns"', '"url"', '"oid"', '"x500"', '"z"'), S),
    "cidrhost": (S, N),
    "cidrnetmask": (S,),
    "cidrsubnet": (S, N, N),
    "cidrsubnets": (S, N, N),
}
DIFFERENT = re.compile(
    r"""
    yamldecode\(""\)                     # newer releases of its YAML library read an empty document as null
  | contains\(.*null                    # unknown there, since its cty mistakes a null inside for something unknown
  | set\w+\(.*\[{\ a\ =\ 1               # fails there to unify objects inside of a tuple that becomes a set
  | log\(.*,\ [13]\)                   # Go's logarithm differs from that of the C library in the last digit, and is infinite
  | pow\(.*"1\.50"                     # so does its power
  | cidrsubnet\(.*-1                   # wraps around there
  | indent\(123456789                   # gives no output at all there
  | jsonencode\(null\)                 # newer releases of cty accept it
""",
    re.VERBOSE,
)
"""Calls that are known to differ, with the reason."""


def generated(seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    while True:
        name = chance.choice(sorted(CALLS))
        arguments = [chance.choice(pool) for pool in CALLS[name]]
        if chance.random() < 0.1:
            arguments[chance.randrange(len(arguments))] = chance.choice(ANY)
        call = f"{name}({', '.join(arguments)})"
        if not DIFFERENT.match(call):
            yield call


def answered_by_packer(expression: str, home: Path) -> str:
    environment = {**os.environ, "HOME": str(home), "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1"}
    command = ["packer", "console", "-config-type=hcl2"]
    done = subprocess.run(
        command, input=expression + "\n", capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    return done.stdout.removesuffix("\n") if done.returncode == 0 else "fault"


def answered_here(expression: str) -> str:
    try:
        return display(evaluate(parse_expression(SourceFile("test", expression)), Scope({}, functions(Path("/"), 0))))
    except UserError:
        return "fault"


@pytest.mark.parametrize("seed", range(BATCHES))
def test_generated_calls_give_what_packer_gives(seed: int, tmp_path: Path) -> None:
    calls = generated(seed)
    batch = [f'try({next(calls)}, "fault")' for _ in range(BATCH)]
    whole = "[" + ", ".join(batch) + "]"
    if answered_by_packer(whole, tmp_path) != answered_here(whole):
        differing = [(call, answered_by_packer(call, tmp_path), answered_here(call)) for call in batch]
        assert [row for row in differing if row[1] != row[2]] == []
