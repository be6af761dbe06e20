"""Commands of the shell that change nothing but its own state: `cd`, `export`, `set`, `shift`, `read`, `umask`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence

from goldsmith.assist.assignments import ABSENT, declare, restore
from goldsmith.assist.commands import Text, Word
from goldsmith.assist.expressions import atom, computed, expression_of, unknown
from goldsmith.assist.output import printf
from goldsmith.assist.scope import Array, elements_of, is_counted
from goldsmith.assist.syntax import Assignment, Declaration
from goldsmith.assist.values import Values

_IDLE = (
    *(
        "alias",
        "bg",
        "bind",
        "builtin",
        "caller",
        "compgen",
        "complete",
        "compopt",
        "dirs",
        "disown",
        "enable",
        "fc",
        "fg",
        "hash",
    ),
    *("help", "history", "jobs", "logout", "sleep", "times", "ulimit", "unalias", "wait"),
)
_LONG_OPTIONS = {"errexit": "e", "nounset": "u", "xtrace": "x", "noglob": "f", "allexport": "a", "verbose": "v"}


def run(values: Values, name: str, args: Sequence[Word], stdin: Word | None, environment: Mapping[str, Word]) -> bool:
    """Do what such a command does to the scope; False where the name is none of theirs.

    `environment` holds for the command alone, as in `IFS=: read -r a b`.
    """
    action = _ACTIONS.get(name)
    if action is None:
        return False
    variables = values.scope.variables
    outside = {name: variables.get(name, ABSENT) for name in environment}
    variables.update(environment)
    action(values, list(args), stdin)
    restore(variables, outside)
    return True


def change_directory(values: Values, target: Word) -> None:
    """`cd target`."""
    scope = values.scope
    scope.variables["OLDPWD"] = scope.directory
    scope.directory = resolved(target, scope.directory)


def resolved(target: Word, directory: Word) -> Word:
    """A path from a directory, without `.` and `..` where it is known."""
    first = target.pieces[0] if target.pieces else Text("")
    if target.text in ("", "."):
        return directory
    if isinstance(first, Text) and not first.value.startswith("/"):
        target = directory + Word.of("/") + target
    text = target.text
    return target if text is None else Word.of(re.sub(r"^//+", "/", posixpath.normpath(text)))


def _cd(values: Values, args: list[Word], _: Word | None) -> None:
    words = [word for word in args if word.text not in ("-P", "-L", "-e", "--")]
    if not words:
        change_directory(values, values.read("HOME"))
    elif words[0].text == "-":
        change_directory(values, values.read("OLDPWD"))
    else:
        change_directory(values, words[0])


def _pushd(values: Values, args: list[Word], _: Word | None) -> None:
    scope = values.scope
    words = [word for word in args if not (word.text or "").startswith("-")]
    if words:
        scope.stack = (*scope.stack, scope.directory)
        change_directory(values, words[0])
    elif scope.stack:
        scope.stack, scope.directory = (*scope.stack[:-1], scope.directory), scope.stack[-1]


def _popd(values: Values, _: list[Word], __: Word | None) -> None:
    scope = values.scope
    if scope.stack:
        scope.directory, scope.stack = scope.stack[-1], scope.stack[:-1]
    else:
        scope.directory = unknown("a directory of popd that no pushd left")


def _export(variant: str) -> Callable[[Values, list[Word], Word | None], None]:
    def action(values: Values, args: list[Word], _: Word | None) -> None:
        for word in args:
            first = word.pieces[0] if word.pieces else Text("")
            name, equals, rest = (first.value if isinstance(first, Text) else "").partition("=")
            if not re.fullmatch(r"[A-Za-z_]\w*", name):
                continue
            bare = Assignment(name, None, None, None, False, True)
            declare(values, Declaration(variant, (bare,)))
            if equals:
                values.scope.variables[name] = Word((*((Text(rest),) if rest else ()), *word.pieces[1:]), word.source)

    return action


def _unset(values: Values, args: list[Word], _: Word | None) -> None:
    for word in args:
        name = word.text or ""
        if match := re.fullmatch(r"(\w+)\[(\w+)\]", name):
            array = values.scope.variables.get(match[1])
            if isinstance(array, Array) and not is_counted(array.items.values()):
                values.scope.variables[match[1]] = unknown("an array of which nobody knows how many elements it has")
            elif isinstance(array, Array):
                kept = {key: value for key, value in array.items.items() if key != match[2]}
                values.scope.variables[match[1]] = Array(kept, array.is_named)
        elif re.fullmatch(r"\w+", name):
            values.scope.variables[name] = None
            values.scope.exported.discard(name)
            if "-f" in [item.text for item in args]:
                values.scope.functions.pop(name, None)


def _set(values: Values, args: list[Word], _: Word | None) -> None:
    options, rest = set(values.scope.options), list(args)
    while rest and (text := rest[0].text) and re.fullmatch(r"[-+][A-Za-z]*|--", text) and text != "-":
        rest.pop(0)
        if text == "--":
            values.scope.positionals = tuple(rest)
            break
        change = options.add if text[0] == "-" else options.discard
        for letter in text[1:]:
            name = (rest.pop(0).text or "") if letter == "o" and rest else letter
            change(_LONG_OPTIONS.get(name, name))
    else:
        if rest:
            values.scope.positionals = tuple(rest)
    values.scope.options = frozenset(options)


def _shift(values: Values, args: list[Word], _: Word | None) -> None:
    positionals = values.scope.positionals
    count = args[0].text if args else "1"
    if positionals is None:
        return
    if count is None or not count.isdigit() or not is_counted(positionals):
        values.scope.positionals = (elements_of(unknown("the arguments after a shift")),)
    elif int(count) <= len(positionals):
        values.scope.positionals = positionals[int(count) :]


def _umask(values: Values, args: list[Word], _: Word | None) -> None:
    text = args[0].text if args else None
    if text is not None and re.fullmatch(r"[0-7]{1,4}", text):
        values.scope.umask = int(text, 8)


def _shopt(values: Values, args: list[Word], _: Word | None) -> None:
    texts = [word.text for word in args]
    if "-s" in texts:
        values.scope.options |= {text for text in texts if text and not text.startswith("-")}
    elif "-u" in texts:
        values.scope.options -= {text for text in texts if text}


def _read(values: Values, args: list[Word], stdin: Word | None) -> None:
    names, is_raw, is_array = _names_of_read(args)
    text = stdin.text if stdin is not None else None
    separator = values.read("IFS").text
    if text is None or (separator not in (" \t\n", "") and len(names) > 1 and len(separator or "") > 1):
        reason = "it is read when the script runs"
        if stdin is not None and len(names) == 1 and not is_array:
            values.write(names[0], _first_line(stdin, separator))
            return
        for name in names:
            values.write(name, unknown(reason))
        return
    line = text.split("\n", 1)[0]
    if "\\" in line and not is_raw:
        for name in names:
            values.write(name, unknown("read joins what backslashes quote"))
        return
    fields = split_fields(line, separator or "", 0 if is_array else len(names))
    if is_array:
        values.scope.variables[names[0]] = Array({str(number): Word.of(field) for number, field in enumerate(fields)})
        return
    for number, name in enumerate(names):
        values.write(name, Word.of(fields[number] if number < len(fields) else ""))


def _first_line(text: Word, separator: str | None) -> Word:
    """The first line of what is known when the play runs."""
    expression = expression_of(text)
    if expression is None or separator not in (" \t\n", ""):
        return text if expression is None else unknown("it is read when the script runs")
    line = f"{atom(expression)}.split('\\n')[0]"
    return computed(f"{line}.strip(' \\t')" if separator else line)


def split_fields(line: str, separators: str, most: int) -> list[str]:
    """The fields of a line as `read` splits it; at most so many, the last one with the rest of the line, or all for 0."""
    spaces = "".join(char for char in separators if char in " \t\n")
    others = "".join(char for char in separators if char not in spaces)
    rest = line.strip(spaces) if spaces else line
    if not separators or not rest:
        return [rest] if rest else []
    some = f"[{re.escape(spaces)}]" if spaces else "(?!)"
    delimiter = re.compile(f"(?:{some})*[{re.escape(others)}](?:{some})*|{some}+" if others else f"{some}+")
    fields: list[str] = []
    while rest and (match := delimiter.search(rest)) is not None:
        if len(fields) == most - 1:
            return [*fields, rest[: match.start()] if match.end() == len(rest) else rest]
        fields.append(rest[: match.start()])
        rest = rest[match.end() :]
    return [*fields, rest] if rest else fields


def _names_of_read(args: list[Word]) -> tuple[list[str], bool, bool]:
    names: list[str] = []
    is_raw = is_array = False
    rest = [word.text or "" for word in args]
    while rest:
        text = rest.pop(0)
        if text.startswith("-") and len(text) > 1:
            is_raw |= "r" in text
            is_array |= text.endswith("a")
            if text[-1] in "pdtnNui" and rest:
                rest.pop(0)
        elif re.fullmatch(r"[A-Za-z_]\w*", text):
            names.append(text)
    return names or ["REPLY"], is_raw, is_array


def _mapfile(values: Values, args: list[Word], stdin: Word | None) -> None:
    texts = [word.text or "" for word in args]
    names = [text for text in texts if re.fullmatch(r"[A-Za-z_]\w*", text)] or ["MAPFILE"]
    if stdin is None or stdin.text is None:
        values.write(names[-1], unknown("it is read when the script runs"))
        return
    keeps = not any(text.startswith("-") and "t" in text for text in texts)
    lines = stdin.text.splitlines(keepends=keeps)
    values.scope.variables[names[-1]] = Array({str(number): Word.of(line) for number, line in enumerate(lines)})


def _getopts(values: Values, args: list[Word], _: Word | None) -> None:
    if len(args) > 1 and args[1].text:
        values.write(args[1].text, unknown("it is an option of the script's call"))


def _nothing(_: Values, __: list[Word], ___: Word | None) -> None:
    """A command that changes nothing that conversion looks at."""


_ACTIONS: Mapping[str, Callable[[Values, list[Word], Word | None], None]] = {
    "cd": _cd,
    "chdir": _cd,
    "pushd": _pushd,
    "popd": _popd,
    "export": _export("export"),
    "local": _export("local"),
    "readonly": _export("readonly"),
    "declare": _export("declare"),
    "typeset": _export("typeset"),
    "unset": _unset,
    "set": _set,
    "shift": _shift,
    "umask": _umask,
    "shopt": _shopt,
    "read": _read,
    "mapfile": _mapfile,
    "readarray": _mapfile,
    "getopts": _getopts,
    **dict.fromkeys(_IDLE, _nothing),
}


def printf_to_variable(values: Values, args: Sequence[Word]) -> bool:
    """Set the variable of `printf -v NAME FORMAT…`; False where it prints instead."""
    if not args or args[0].text != "-v":
        return False
    if len(args) > 1 and args[1].text:
        values.write(args[1].text, printf(args[2:]))
    return True
