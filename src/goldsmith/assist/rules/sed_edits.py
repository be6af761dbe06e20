r"""Commands of sed as replacements in a whole file, which Ansible's module `replace` does: once, whenever it runs.

Python's expressions are read with `^` and `$` at every line. `^` also matches behind the last end of a line, where sed
sees no line: `(?!\Z)` excludes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from goldsmith.assist.rules.appending import escaped
from goldsmith.assist.rules.regexes import Edge, One, Regex, is_exact
from goldsmith.assist.rules.sed_scripts import Address, Deletion, Following, Insertion, Line, SedCommand, Substitution
from goldsmith.assist.tasks import Inexact

_NO_LINE = r"(?!\Z)"
_LAST_LINE = r"(?=.*\n?\Z)"


@dataclass(frozen=True, slots=True)
class Replacement:
    """What matches `regexp` anywhere in the file becomes `by`, a template of Python's `re.sub`."""

    regexp: str
    by: str
    guard: str = ""
    """Lines that match this are left alone: they have what the edit gives already."""


@dataclass(frozen=True, slots=True)
class Removal:
    """Lines that match are removed."""

    regexp: str


@dataclass(frozen=True, slots=True)
class Addition:
    """Text after the last line."""

    text: str


def edit_of(command: SedCommand) -> Replacement | Removal | Addition:
    """The edit that does what a command of sed does; raises `Inexact` where there is none that can be repeated."""
    match command.action:
        case Substitution():
            return _substitution(command, command.action)
        case Deletion():
            return _deletion(command)
        case Insertion():
            return _insertion(command, command.action)


def apply(edit: Replacement, text: str) -> str:
    """The text as the module leaves it."""
    return re.sub(edit.regexp, edit.by, text, flags=re.MULTILINE)


# ── s ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _substitution(command: SedCommand, action: Substitution) -> Replacement:
    if not is_exact(action.regex, uses_groups=any(isinstance(part, int) and part for part in action.replacement)):
        raise Inexact("POSIX takes the longest match where Python takes the first")
    if command.last is not None or (command.is_negated and not isinstance(command.first, Regex)):
        raise Inexact("a replacement in a range of lines has no equal")
    plain = _replaced(command, action, "")
    lines = list(_examples(command, action, plain))
    if all(apply(plain, after) == after for _, after in lines):
        return plain
    guarded = _guarded(command, action)
    for before, after in lines:
        once = apply(guarded, before)
        if once != after or apply(guarded, once) != once:
            raise Inexact("it changes more each time that it runs")
    return guarded


def _examples(command: SedCommand, action: Substitution, plain: Replacement) -> Iterator[tuple[str, str]]:
    """Lines that the command changes, with what they become."""
    addresses = list(command.first.samples()) if isinstance(command.first, Regex) else [""]
    for sample in dict.fromkeys(action.regex.samples()):
        for address in dict.fromkeys(addresses):
            for line in (
                sample,
                f"q {sample}",
                f"{sample} q",
                address,
                f"{address} {sample}",
                f"{sample} {address}",
                address + sample,
            ):
                text = line + "\n"
                if isinstance(command.first, Line) and command.first.number:
                    text = "q\n" * (command.first.number - 1) + text
                after = apply(plain, text)
                if after != text:
                    yield text, after


def _guarded(command: SedCommand, action: Substitution) -> Replacement:
    if _is_everywhere(action):
        return _guarded_everywhere(command, action)
    regex = action.regex
    result = "".join(_as_regex(part, regex) for part in action.replacement)
    if not result:
        raise Inexact("it changes more each time that it runs")
    if all(option and option[-1] == Edge("$") for option in regex.body.options) and not result.endswith("$"):
        result += "$"
    start = "" if regex.starts_line else ".*"
    return _replaced(command, action, f"(?!{start}{result.removeprefix('^') if not start else result})")


def _as_regex(part: str | int, regex: Regex) -> str:
    if isinstance(part, str):
        return escaped(part)
    return _cased(regex, regex.group(part)) if part else _whole(regex)


def _is_everywhere(action: Substitution) -> bool:
    """Whether several matches of one line are replaced."""
    return action.is_global and not action.regex.starts_line and not action.regex.ends_line


def _guarded_everywhere(command: SedCommand, action: Substitution) -> Replacement:
    """Every match but those that stand where the replacement put them."""
    wanted = _literal(action.regex)
    result = "".join(part if isinstance(part, str) else wanted or "" for part in action.replacement)
    if wanted is None or wanted not in result or command.first is not None:
        raise Inexact("it changes more each time that it runs")
    before, _, after = result.partition(wanted)
    look = f"(?<!{escaped(before)}){escaped(wanted)}" if before else f"{escaped(wanted)}(?!{escaped(after)})"
    return Replacement(look, result.replace("\\", "\\\\"), guard=escaped(result))


def _literal(regex: Regex) -> str | None:
    """The one text that an expression matches, or None."""
    nodes = regex.body.options[0]
    if regex.ignores_case or len(regex.body.options) > 1:
        return None
    chars = [next(iter(node.members)) for node in nodes if isinstance(node, One) and len(node.members) == 1]
    return "".join(chars) if len(chars) == len(nodes) else None


def _replaced(command: SedCommand, action: Substitution, guard: str) -> Replacement:
    regex = action.regex
    body = _cased(regex, regex.python())
    if _is_everywhere(action):
        if command.first is not None or regex.may_be_empty:
            raise Inexact("several replacements in some of the lines have no equal")
        return Replacement(body, _template(action, "", 0))
    no_line = _NO_LINE if regex.may_be_empty else ""
    if isinstance(command.first, Line) and command.first.number is not None:
        skipped = f"(?:.*\\n){{{command.first.number - 1}}}" if command.first.number > 1 else ""
        rest = "" if regex.starts_line else ".*?"
        return _wrapped(action, rf"\A({skipped}{no_line}{guard}{rest})", body.removeprefix("^"), guard)
    where = _condition(command.first, command.is_negated)
    if regex.starts_line:
        return Replacement(f"^{no_line}{where}{guard}{body.removeprefix('^')}", _template(action, "", 0), guard)
    if regex.ends_line and not (where or guard or regex.may_be_empty):
        return Replacement(body, _template(action, "", 0))
    return _wrapped(action, f"^{no_line}{where}{guard}(.*?)", body, guard)


def _wrapped(action: Substitution, prefix: str, body: str, guard: str) -> Replacement:
    """The first match of a line, which the shortest text stands before; what stands before is kept."""
    is_whole_used = 0 in action.replacement
    before = 2 if is_whole_used else 1
    regexp = f"{prefix}({body})" if is_whole_used else f"{prefix}{body}"
    by = _template(action, r"\g<1>", before, whole=2)
    if action.regex.may_be_empty:
        # After an empty match Python looks at the same place for one that is not; so the rest of the line is taken, too.
        return Replacement(f"{regexp}(.*)", rf"{by}\g<{before + action.regex.groups + 1}>", guard)
    return Replacement(regexp, by, guard)


def _template(action: Substitution, kept: str, offset: int, whole: int = 0) -> str:
    parts = [
        part.replace("\\", "\\\\") if isinstance(part, str) else rf"\g<{part + offset if part else whole}>"
        for part in action.replacement
    ]
    return kept + "".join(parts)


def _cased(regex: Regex, python: str) -> str:
    return f"(?i:{python})" if regex.ignores_case else python


def _whole(regex: Regex) -> str:
    return _cased(regex, regex.python(captures=False))


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _condition(address: Address | None, is_negated: bool = False) -> str:
    """What must hold at the beginning of a line for an address to mean it."""
    if address is None:
        return ""
    if isinstance(address, Line):
        if address.number is not None:
            raise Inexact("lines are counted, and others have the numbers after the first time")
        return _LAST_LINE
    return f"({'?!' if is_negated else '?='}{_somewhere(address)})"


def _somewhere(regex: Regex) -> str:
    """The expression, anywhere in the line that begins here."""
    whole = _whole(regex)
    return whole[1:] if regex.starts_line and whole.startswith("^") else f".*{whole}"


def _deletion(command: SedCommand) -> Replacement | Removal:
    if command.last is not None:
        return _range(command)
    if not isinstance(command.first, Regex):
        raise Inexact("lines are counted, and others have the numbers after the first time")
    if command.is_negated:
        return Removal(f"^(?!{_somewhere(command.first)})")
    return Removal(_whole(command.first))


def _range(command: SedCommand) -> Replacement:
    if not isinstance(command.first, Regex) or command.is_negated:
        raise Inexact("lines are counted, and others have the numbers after the first time")
    first = f"^{_NO_LINE}(?={_somewhere(command.first)}).*"
    match command.last:
        case Following(count=count):
            return Replacement(rf"{first}(?:\n.*){{0,{count}}}\n?", "")
        case Regex():
            last = _somewhere(command.last)
            return Replacement(rf"{first}(?:\n(?!{last}).*)*(?:\n(?={last}).*)?\n?", "")
        case Line(number=None):
            return Replacement(rf"{first}(?:\n.*)*", "")
    raise Inexact("lines are counted, and others have the numbers after the first time")


# ── a, i, c ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _insertion(command: SedCommand, action: Insertion) -> Replacement | Addition:
    if command.last is not None or command.is_negated or command.first is None:
        raise Inexact("text is put beside many lines, its own among them")
    text = action.text
    if action.where == "after" and isinstance(command.first, Line) and command.first.number is None:
        return Addition(text + "\n") if text else Replacement(r"(?<=[^\n])\Z", r"\n")
    if not text:
        raise Inexact("it names no text")
    if isinstance(command.first, Line) and command.first.number is not None:
        return _beside_number(action, command.first.number)
    where = _NO_LINE + _condition(command.first)
    own = _own_lines(command.first, text.split("\n"))
    found, by = escaped(text), text.replace("\\", "\\\\")
    if action.where == "after":
        return Replacement(rf"^{where}{own}.*$(?!\n{found}$)", rf"\g<0>\n{by}", found)
    if action.where == "before":
        return Replacement(rf"^(?<!^{found}\n){where}{own}", rf"{by}\n", found)
    if "\n" in text and own:
        raise Inexact("a line that it writes would be replaced again")
    return Replacement(rf"^{where}(?!{found}$).*$", by, found)


def _own_lines(address: Address, lines: Sequence[str]) -> str:
    """Excludes the lines of the inserted text that the address means, too."""
    if not isinstance(address, Regex):
        return ""
    meant = [line for line in lines if re.search(_whole(address), line)]
    return f"(?!(?:{'|'.join(escaped(line) for line in meant)})$)" if meant else ""


def _beside_number(action: Insertion, number: int) -> Replacement:
    skipped = rf"(?:.*\n){{{number - 1}}}" if number > 1 else ""
    found, by = escaped(action.text), action.text.replace("\\", "\\\\")
    if action.where == "before":
        return Replacement(rf"\A({skipped}){_NO_LINE}(?!{found}$)", rf"\g<1>{by}\n", found)
    if action.where == "after":
        return Replacement(rf"\A({skipped}{_NO_LINE}.*)$(?!\n{found}$)", rf"\g<1>\n{by}", found)
    return Replacement(rf"\A({skipped}){_NO_LINE}(?!{found}$).*$", rf"\g<1>{by}", found)
