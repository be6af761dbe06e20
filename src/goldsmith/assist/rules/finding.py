"""Commands for what other commands name: find with an action, and xargs.

What is found is looked up first and registered; then the rule of the command that acts is asked for one found name, and
its tasks loop over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldsmith.assist import counted, guards
from goldsmith.assist.commands import Command, Variable, Word
from goldsmith.assist.rules.options import Grammar, text
from goldsmith.assist.rules.paths import inside
from goldsmith.assist.rules.sealed import is_emptied, is_sealed_away
from goldsmith.assist.tasks import Converted, Dropped, Inexact, Outcome, Residue, Rule, Task

_ITEM = Variable("item", "loop")
# Commands that do with several names what they do with each of them.
_SEVERAL = frozenset({
    "rm", "rmdir", "unlink", "chmod", "chown", "chgrp", "touch", "truncate", "apt-get", "apt", "yum", "dnf", "dpkg", "rpm",
    "sed", "systemctl", "pip", "pip3", "localedef", "chattr", "chcon", "setfacl", "zypper", "gem", "npm",
})  # fmt: skip


def _find(command: Command) -> Outcome:
    if command.feeds or command.stdin is not None or any(">" in item.operator for item in command.redirects):
        raise Inexact("find is a part of a pipeline")
    words = list(command.args)
    actions = [index for index, word in enumerate(words) if word.text in _ACTIONS]
    if len(actions) != 1:
        raise Inexact("find acts in several ways, or in none")
    start = actions[0]
    tests = words[:start]
    if any(word.text in ("-o", "-or", ",", "(") for word in tests) and not _grouped(tests):
        raise Inexact("the action belongs to one side of an alternative")
    if words[start].text == "-delete":
        acting: Sequence[Word] = _deleting(tests, words[start + 1 :])
        several = False
    else:
        acting, several = _executed(words[start + 1 :])
    if acting[0].text == "rm" and not any(_is_recursive(word) for word in acting) and not _finds_files(tests):
        # rm leaves directories alone, a task that says `absent` does not.
        tests = [*tests, Word.of("!"), Word.of("-type"), Word.of("d")]
    if (reason := _sealed(command, tests, acting)) is not None:
        return Dropped("finding.sealed", reason)
    return _for_each(command, _looking(command, tests), acting, several, "stdout_lines")


_ACTIONS = frozenset({
    "-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprint0", "-fprintf", "-fls", "-print0", "-printf",
})  # fmt: skip


def _sealed(command: Command, tests: Sequence[Word], acting: Sequence[Word]) -> str | None:
    """Why nothing has to be emptied or removed below the starting points, where sealing does that to all that lies there."""
    words = [word.text for word in acting]
    is_emptying = words[0] == "truncate" or words[:2] == ["cp", "/dev/null"]
    if not is_emptying and words[0] != "rm":
        return None
    ends = [index for index, word in enumerate(tests) if word.startswith("-") or word.text in ("(", "!")]
    starts = [command.path(word) for word in tests[: ends[0] if ends else len(tests)]]
    below = [replace(inside(start, Word.of("*")), glob=True) for start in starts]
    reasons = [is_emptied(path) if is_emptying else is_sealed_away(path) for path in below]
    return reasons[0] if reasons and all(reasons) else None


def _deleting(tests: Sequence[Word], after: Sequence[Word]) -> Sequence[Word]:
    """What `rm` does the same as -delete, which leaves a directory alone that is not empty."""
    if after:
        raise Inexact("find goes on after its action")
    if _finds_files(tests):
        return [Word.of("rm"), Word.of("-f"), Word.of("{}")]
    if _finds_all(tests):
        return [Word.of("rm"), Word.of("-rf"), Word.of("{}")]
    raise Inexact("-delete leaves a directory that is not empty")


def _is_recursive(word: Word) -> bool:
    known = word.text or ""
    return known == "--recursive" or (known.startswith("-") and not known.startswith("--") and ("r" in known or "R" in known))


def _grouped(tests: Sequence[Word]) -> bool:
    """Whether each alternative stands in parentheses, so that the action follows all of them."""
    depth = 0
    for word in tests:
        depth += {"(": 1, ")": -1}.get(word.text or "", 0)
        if depth == 0 and word.text in ("-o", "-or", ","):
            return False
    return depth == 0


_DEPTHS = frozenset({"-depth", "-mindepth", "-xdev", "-mount"})


def _finds_all(tests: Sequence[Word]) -> bool:
    """Whether nothing but starting points and depths is said: then directories go with all that is in them."""
    words = [word.text or "" for word in tests]
    return all(word in _DEPTHS for word in words if word.startswith(("-", "!", "(")))


def _finds_files(tests: Sequence[Word]) -> bool:
    words = [word.text for word in tests]
    return "-type" in words and words[words.index("-type") + 1 :][:1] != ["d"]


def _executed(words: Sequence[Word]) -> tuple[Sequence[Word], bool]:
    ends = [index for index, word in enumerate(words) if word.text in (";", "+")]
    if not ends or ends[0] != len(words) - 1:
        raise Inexact("find goes on after its action")
    return words[:-1], words[-1].text == "+"


def _looking(command: Command, tests: Sequence[Word]) -> Command:
    return replace(command, args=tuple(tests), redirects=())


def _for_each(command: Command, looking: Command, acting: Sequence[Word], several: bool, lines: str) -> Outcome:
    from goldsmith.assist.rules import rule_for

    name = text(acting[0]).rpartition("/")[2]
    if several and name not in _SEVERAL:
        raise Inexact(f"what {name} does with several names is not what it does with each")
    if name in ("sh", "bash", "dash", "env", "sudo"):
        acting, name = _unwrapped(acting)
    if not any("{}" in (word.text or "") for word in acting[1:]):
        raise Inexact("what acts does not name what was found")
    found = guards.registered(command, "found")
    inner = replace(
        command, name=name, program=Word(()), args=tuple(_filled(word) for word in acting[1:]), feeds=(), redirects=()
    )
    rule = rule_for(name)
    if rule is None:
        raise Inexact(f"no rule knows what {name} does with what was found")
    outcome = rule(inner)
    if isinstance(outcome, Residue):
        raise Inexact(outcome.reason)
    if not isinstance(outcome, Converted):
        return outcome
    if any(task.loop is not None or task.register or task.when for task in outcome.tasks):
        raise Inexact(f"{name} needs to look at each name before it acts")
    look = guards.run(looking, f"Find what {name} acts on", "finding.found", changed_when=False, register=found)
    loop = Word((Variable(f"{found}.{lines}", "registered"),))
    return Converted((look, *(replace(task, loop=loop, name=_renamed(task, name)) for task in outcome.tasks)))


def _renamed(task: Task, name: str) -> str:
    return task.name.replace("item", "what was found") if "item" in task.name else f"{task.name} with {name}"


def _unwrapped(acting: Sequence[Word]) -> tuple[Sequence[Word], str]:
    rest = list(acting)
    while rest and rest[0].text in ("sudo", "env"):
        rest.pop(0)
    if not rest or (rest[0].text or "").startswith("-") or rest[0].text in ("sh", "bash", "dash"):
        raise Inexact("what acts is a script")
    return rest, text(rest[0]).rpartition("/")[2]


def _filled(word: Word) -> Word:
    if word.text is None or "{}" not in word.text:
        return word
    before, _, after = word.text.partition("{}")
    return Word.of(before) + Word((_ITEM,), word.source) + Word.of(after)


_XARGS = Grammar.of(
    """
    -0 --null, -r --no-run-if-empty, -I=, -i?, -n= --max-args=, -L=, -l?, -P= --max-procs=, -t --verbose, -p, -d= --delimiter=,
    -a= --arg-file=, -x --exit, -s=, -E=, -e?
    """,
    permutes=False,
)


def _xargs(command: Command) -> Outcome:
    parsed = _XARGS.parse(command)
    parsed.only("-0", "-r", "-I", "-i", "-n", "-L", "-l", "-P", "-t", "-d", "-a", "-x")
    acting = list(parsed.operands)
    while acting and acting[0].text == "sudo":
        acting.pop(0)
    if not acting:
        raise Inexact("xargs without a command only prints")
    mark = parsed.value("-I")
    if mark is not None or parsed.has("-i"):
        spelled = text(mark) if mark is not None else "{}"
        acting = [Word.of(word.text.replace(spelled, "{}")) if word.text is not None else word for word in acting]
        several = False
    else:
        acting = [*acting, Word.of("{}")]
        several = parsed.value("-n") is None or text(parsed.value("-n") or Word(())) != "1"
    looking = _source(command, parsed.value("-a"))
    return _for_each(command, looking, acting, several, _items(parsed.has("-0"), parsed.value("-d"), mark is not None))


def _items(by_nulls: bool, delimiter: Word | None, by_lines: bool) -> str:
    """How the output is split; whitespace is trimmed where xargs does so."""
    if by_nulls:
        return "stdout.split('\\x00') | reject('equalto', '')"
    if delimiter is not None and text(delimiter) not in ("\\n", "\n"):
        raise Inexact("what xargs reads is split at other characters than lines")
    return "stdout_lines" if delimiter is not None or by_lines else "stdout.split()"


def _source(command: Command, path: Word | None) -> Command:
    """The pipeline before xargs, as a command of its own."""
    if path is not None:
        return replace(command, name="cat", program=Word(()), args=(path,), feeds=(), stdin=None)
    if not command.feeds:
        raise Inexact("what xargs reads is not known")
    for part in command.feeds:
        if counted.effect(part.name, [word.text for word in part.args]) == "state":
            raise Inexact(f"{part.name}, which xargs reads, changes something itself")
    last = command.feeds[-1]
    return replace(last, feeds=command.feeds[:-1], id=command.id)


RULES: Mapping[str, Rule] = {"find": _find, "xargs": _xargs}
