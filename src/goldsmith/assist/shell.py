"""Shell scripts parsed: shfmt's syntax trees as typed nodes, and a diagnostic with its place for what shfmt refuses."""

from __future__ import annotations

import json
import re
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from goldsmith.assist.nodes import statements_of
from goldsmith.assist.syntax import Tree, as_utf8, restored
from goldsmith.hcl import Diagnostic, MachineError
from goldsmith.hcl.source import Range, SourceFile

_SHEBANG = re.compile(rb"#![ \t]*(\S+)[ \t]*(.*)")
_REFUSAL = re.compile(r"(?:<standard input>:)?(\d+):(\d+): (.*)", re.DOTALL)
BASH = frozenset({"bash", "rbash"})
POSIX = frozenset({"sh", "dash", "ash", "ksh", "busybox"})
_WORKERS = 2
_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Script:
    """A script of the set."""

    path: str
    """As messages name it; `source` finds it by this path."""
    text: bytes
    is_entry: bool = True
    """Run by itself; False for a helper that is there to be sourced."""
    arguments: tuple[str, ...] | None = None
    """What it is called with; None where nobody says."""
    flags: str = ""
    """Options of the shell beyond the first line's, such as "e"."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that its caller sets."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A script without a syntax tree."""

    path: str
    diagnostic: Diagnostic
    is_accepted_by_bash: bool
    """`bash -n` finds no fault: shfmt alone does not know how to read it."""


def parse(scripts: Sequence[Script]) -> tuple[tuple[Tree, ...], tuple[Refused, ...]]:
    """Parse scripts, each in the dialect that its first line names, and sort out those that are refused.

    Raises MachineError where shfmt cannot be run.
    """
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = list(pool.map(_parse, scripts))
    return tuple(item for item in found if isinstance(item, Tree)), tuple(item for item in found if isinstance(item, Refused))


def parse_text(path: str, text: str, is_bash: bool) -> Tree | None:
    """The tree of a text such as that of `bash -c`, or None where it does not parse."""
    data = text.encode("utf-8", "surrogateescape")
    output = _run(data, "bash" if is_bash else "posix")
    try:
        return _tree(path, data, is_bash, output) if isinstance(output, bytes) else None
    except RecursionError:
        return None


def too_deep(path: str) -> Refused:
    """What is said of a script that bash reads and conversion cannot follow to its end."""
    what = f'conversion does not follow "{path}" to its end'
    why = "its statements stand in each other too deeply, or a chain of `&&` and `||` is too long"
    advice = "Write this script flatter; until then it stays shell as a whole."
    return Refused(path, Diagnostic(code="script.too-deep", what=what, why=why, next=advice), is_accepted_by_bash=True)


def interpreter(text: bytes) -> tuple[str, str]:
    """The name of the program in the first line, and the letters of its options; `sh` where there is no such line."""
    match = _SHEBANG.match(text)
    if match is None:
        return "sh", ""
    words = [Path(match[1].decode(errors="replace")).name, *match[2].decode(errors="replace").split()]
    if words[0] == "env":
        words = [word for word in words[1:] if word != "-S" and "=" not in word] or ["sh"]
    name = Path(words[0]).name
    return name, "".join(word[1:] for word in words[1:] if word.startswith("-") and not word.startswith("--"))


def _parse(script: Script) -> Tree | Refused:
    if b"\0" in script.text:
        return _refuse(script, "script.not-text", "it has NUL bytes, so it is no shell script", "Give the path of a script.")
    name, _ = interpreter(script.text)
    if name not in BASH | POSIX:
        return _refuse(script, "script.not-shell", f'its first line names "{name}"', "Only scripts of bash and sh convert.")
    is_bash = name in BASH
    output = _run(script.text, "bash" if is_bash else "posix")
    if isinstance(output, str) and not is_bash:
        # Many scripts say sh and mean bash, which is what sh is on Red Hat's systems.
        second = _run(script.text, "bash")
        output = second if isinstance(second, bytes) else output
    if isinstance(output, bytes):
        try:
            return _tree(script.path, script.text, is_bash, output)
        except RecursionError:
            return too_deep(script.path)
    return _refusal(script, output)


def _run(text: bytes, dialect: str) -> bytes | str:
    """The JSON that shfmt prints, or its complaint."""
    command = [str(Path(sysconfig.get_path("scripts")) / "shfmt"), "-ln", dialect, "--to-json"]
    try:
        result = subprocess.run(command, input=as_utf8(text), capture_output=True, check=False, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        what = "shfmt, which parses scripts, cannot be run"
        raise MachineError(
            Diagnostic(code="script.no-parser", what=what, why=str(error), next="Install shfmt-py beside Goldsmith.")
        ) from error
    return result.stdout if result.returncode == 0 else result.stderr.decode(errors="replace").strip()


def _tree(path: str, text: bytes, is_bash: bool, output: bytes) -> Tree:
    readable = as_utf8(text)
    statements = statements_of(
        json.loads(output.decode() if readable is text else restored(output.decode())).get("Stmts"), readable
    )
    return Tree(path, readable, is_bash, statements, is_utf8=readable is text)


def _refusal(script: Script, complaint: str) -> Refused:
    match = _REFUSAL.match(complaint)
    line, column, why = (int(match[1]), int(match[2]), match[3]) if match else (1, 1, complaint)
    bash = subprocess.run(["bash", "-n"], input=script.text, capture_output=True, check=False, timeout=_SECONDS)
    is_accepted = bash.returncode == 0
    source = SourceFile(script.path, script.text.decode(errors="replace"))
    start = sum(len(text) + 1 for text in source.text.split("\n")[: line - 1]) + column - 1
    start = min(start, len(source.text))
    diagnostic = Diagnostic(
        code="script.unusual-syntax" if is_accepted else "script.syntax",
        what="bash reads this script, the parser of conversion does not" if is_accepted else "this is no valid shell script",
        where=Range(source, start, min(start + 1, len(source.text))),
        why=why,
        next="Write this place in plainer shell; until then the file stays shell as a whole." if is_accepted else "Correct it.",
    )
    return Refused(script.path, diagnostic, is_accepted)


def _refuse(script: Script, code: str, why: str, advice: str) -> Refused:
    what = f'"{script.path}" cannot be converted'
    return Refused(script.path, Diagnostic(code=code, what=what, why=why, next=advice), False)
