"""Compares the language with other implementations on generated input: python -m tests.fuzz.differential hcl|console [COUNT].

`hcl`: whether a configuration file is accepted, against Go's HCL (pygohcl). `console`: the value of an expression, against
Debian's packer, many expressions for each process. What differs for a listed reason counts as such; all else is printed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pygohcl
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from goldsmith.hcl import Scope, SourceFile, UserError, evaluate, functions, parse, parse_expression
from goldsmith.hcl.display import display
from tests.fuzz.grammar import configurations, expressions
from tests.fuzz.older import DIFFERENCES

_BATCHES = {"hcl": 2000, "console": 500}
"""Inputs for each set of examples, which for the console is one process."""
_LIMITS = ("hcl.too-deep", "hcl.limit")


def generated(strategy: st.SearchStrategy[str], count: int, chance: int) -> list[str]:
    """So many examples of a strategy; the same `chance` gives the same ones."""
    found: list[str] = []

    @seed(chance)
    @settings(
        max_examples=count, database=None, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @given(strategy)
    def collect(text: str) -> None:
        found.append(text)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return found


# ── accepted or refused ───────────────────────────────────────────────────────────────────────────────────────────────


def gohcl_accepts(text: str) -> bool | None:
    """None when the binding, which also evaluates, gives up for another reason than syntax."""
    try:
        pygohcl.loads(text)
    except pygohcl.HCLParseError:
        return False
    except pygohcl.HCLInternalError:
        return None
    return True


def verdict(text: str) -> str:
    """How the parser and Go's HCL judge a text: "same", "differs", or the reason why they cannot be compared."""
    wanted = gohcl_accepts(text)
    if wanted is None:
        return "pygohcl evaluates, and gives up where that fails"
    faults = parse(SourceFile("generated.pkr.hcl", text))[1]
    if faults and faults[0].code in _LIMITS:
        return "a limit of ours"
    return "same" if wanted is not bool(faults) else "differs"


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────

_ERROR = '"fault"'
_UNKNOWN = "<unknown>"
"""What Packer's console shows for a value with anything unknown in it."""
_ELEMENT = re.compile(r"^  (?:\[\n(?:    .*\n)*  \]|\[\]|\"fault\"),\n", re.MULTILINE)


def caught(text: str) -> str:
    """An expression that has a value whatever `text` does: that in a list, or a word for its fault."""
    return f"try([{text}], {_ERROR})"


def our_values(texts: list[str]) -> list[str]:
    """What our console prints for each expression, in a list."""
    scope = Scope(functions=functions(Path(), 0))
    values = [evaluate(parse_expression(SourceFile("c", f"[{caught(text)}]")), scope) for text in texts]
    return [_inside(display(value))[0] if value.is_wholly_known else _UNKNOWN for value in values]


def packers_values(texts: list[str]) -> list[str]:
    """What Packer's console prints for each expression, in a list. Starting it takes longer than hundreds of expressions."""
    packer = shutil.which("packer")
    if packer is None:
        raise FileNotFoundError("Debian's packer, the witness for values, is not installed")
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "CHECKPOINT_DISABLE": "1", "PACKER_NO_COLOR": "1", "PATH": os.environ["PATH"]}
        command = [packer, "console", "-config-type=hcl2"]
        line = f"[{', '.join(map(caught, texts))}]\n"
        run = subprocess.run(command, input=line, text=True, capture_output=True, env=environment, check=False)
    found = _inside(run.stdout)
    if len(found) == len(texts):
        return found
    if len(texts) == 1:
        return [f"{run.stdout}{run.stderr}".strip()]
    half = len(texts) // 2
    return packers_values(texts[:half]) + packers_values(texts[half:])


def _is_readable(text: str) -> bool:
    try:
        parse_expression(SourceFile("c", text))
    except UserError:
        return False
    return True


def _inside(shown: str) -> list[str]:
    return [found.group() for found in _ELEMENT.finditer(shown)]


def reason(text: str, theirs: str) -> str:
    """Why 1.6.6 gives another value for an expression than we do: one of the listed reasons, or "differs"."""
    if "panic" in theirs or "crash" in theirs.lower():
        return "1.6.6 crashes"
    for listed, as_then in DIFFERENCES.items():
        with as_then():
            if our_values([text]) == [theirs]:
                return listed
    with ExitStack() as all_of_them:
        for as_then in DIFFERENCES.values():
            all_of_them.enter_context(as_then())
        return "several of these" if our_values([text]) == [theirs] else "differs"


def compared(texts: list[str]) -> Iterator[tuple[str, str, str, str]]:
    """For each expression: "same", a listed reason, or "differs"; the expression, our value and Packer's."""
    for text, ours, theirs in zip(texts, our_values(texts), packers_values(texts), strict=True):
        yield "same" if ours == theirs else reason(text, theirs), text, ours, theirs


# ── the command ───────────────────────────────────────────────────────────────────────────────────────────────────────


def findings(kind: str, count: int, chance: int) -> Iterator[tuple[str, str]]:
    """For each of `count` generated inputs: what was found, and the input with what differs."""
    if kind == "hcl":
        for text in generated(configurations, count, chance):
            yield verdict(text), repr(text)
        return
    # One that cannot be read would spoil its whole batch; what can be read is compared as "hcl".
    for said, text, ours, theirs in compared([text for text in generated(expressions, count, chance) if _is_readable(text)]):
        yield said, f"{text}\n  ours   {ours!r}\n  packer {theirs!r}"


def main() -> None:
    """Compare, and tell what was found."""
    if len(sys.argv) < 2 or sys.argv[1] not in _BATCHES:
        sys.exit("usage: python -m tests.fuzz.differential hcl|console [COUNT]")
    kind, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    told: Counter[str] = Counter()
    chance = int(os.environ.get("SEED", "0"))
    while told.total() < count:
        chance += 1
        for said, what in findings(kind, min(_BATCHES[kind], count - told.total()), chance):
            told[said] += 1
            if said == "differs":
                sys.stdout.write(f"differs: {what}\n")
    sys.stdout.write("".join(f"{number:8} {reason}\n" for reason, number in told.most_common()))
    sys.exit(1 if told["differs"] else 0)


if __name__ == "__main__":
    main()
