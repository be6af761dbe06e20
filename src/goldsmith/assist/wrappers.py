"""Programs that only run another one: `sudo`, `env`, `nice`, `timeout`; each is taken off by its own option grammar."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from goldsmith.assist.commands import Text, Word


@dataclass(frozen=True, slots=True)
class _Wrapper:
    values: str = ""
    """Letters of the options that take a value."""
    long_values: frozenset[str] = frozenset()
    """Long options whose value is the next word, where it is not behind `=`."""
    operands: int = 0
    """Words before the command: the time of `timeout`."""
    takes_assignments: bool = False


_WRAPPERS: Mapping[str, _Wrapper] = {
    "sudo": _Wrapper(
        "CDghpRrTtuU",
        frozenset({"--user", "--group", "--chdir", "--prompt", "--host", "--close-from", "--role", "--type"}),
        0,
        True,
    ),
    "doas": _Wrapper("Cu"),
    "env": _Wrapper("uCS", frozenset({"--unset", "--chdir", "--split-string"}), 0, True),
    "nice": _Wrapper("n", frozenset({"--adjustment"})),
    "ionice": _Wrapper("cnp", frozenset({"--class", "--classdata"})),
    "chrt": _Wrapper("", operands=1),
    "nohup": _Wrapper(),
    "setsid": _Wrapper(),
    "eatmydata": _Wrapper(),
    "stdbuf": _Wrapper("ioe", frozenset({"--input", "--output", "--error"})),
    "timeout": _Wrapper("ks", frozenset({"--kill-after", "--signal"}), 1),
    "time": _Wrapper("fo"),
    "exec": _Wrapper("a"),
    "command": _Wrapper(),
    "builtin": _Wrapper(),
    "unbuffer": _Wrapper(),
    "faketime": _Wrapper("", operands=1),
    "strace": _Wrapper("oeEpPsSuX"),
    "linux64": _Wrapper(),
    "linux32": _Wrapper(),
    "setarch": _Wrapper("", operands=1),
    "runuser": _Wrapper("ugGsc"),
    "systemd-inhibit": _Wrapper("", frozenset({"--what", "--who", "--why", "--mode"})),
    "flock": _Wrapper("wEc", frozenset({"--timeout", "--wait", "--conflict-exit-code"}), 1),
    "chronic": _Wrapper(),
    "noglob": _Wrapper(),
}
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Peeled:
    """What is left without wrappers, and what they said."""

    words: tuple[Word, ...]
    wrappers: tuple[str, ...] = ()
    user: Word | None = None
    is_root: bool = False
    """`sudo` without a user: root again."""
    environment: Mapping[str, Word] = field(default_factory=dict)
    directory: Word | None = None
    is_login: bool = False
    """`sudo -i`, `su -`: the home of the user is the directory."""


def peel(words: Sequence[Word]) -> Peeled:
    """Take wrappers off; what does not run another command stays as it is (`command -v`, `env` alone, `sudo -l`)."""
    peeled = Peeled(tuple(words))
    while peeled.words and (name := name_of(peeled.words[0])) in _WRAPPERS:
        further = _peel_one(name, peeled)
        if further is None:
            break
        peeled = further
    return peeled


def name_of(word: Word) -> str:
    """The name of a program without its directory, or empty where it is not known."""
    last = word.pieces[-1] if word.pieces else Text("")
    if not isinstance(last, Text) or (len(word.pieces) > 1 and "/" not in last.value):
        return ""
    return posixpath.basename(last.value)


def assignment(word: Word) -> tuple[str, Word] | None:
    """`NAME=value` as an argument, such as `env` takes it."""
    first = word.pieces[0] if word.pieces else None
    match = _ASSIGNMENT.fullmatch(first.value) if isinstance(first, Text) else None
    if match is None:
        return None
    pieces = (*((Text(match[2]),) if match[2] else ()), *word.pieces[1:])
    return match[1], Word(pieces, word.source)


def _peel_one(name: str, peeled: Peeled) -> Peeled | None:
    wrapper = _WRAPPERS[name]
    rest = list(peeled.words[1:])
    options: list[tuple[str, Word | None]] = []
    while rest:
        text = rest[0].text
        if text is None or not text.startswith("-") or text == "-":
            break
        rest.pop(0)
        if text == "--":
            break
        options += _option(wrapper, text, rest)
    if _is_no_wrapper(name, options):
        return None
    environment = dict(peeled.environment)
    while wrapper.takes_assignments and rest and (found := assignment(rest[0])) is not None:
        environment[found[0]] = found[1]
        rest.pop(0)
    if len(rest) <= wrapper.operands:
        return None
    rest = rest[wrapper.operands :]
    if name == "runuser":
        return _runuser(peeled, options, rest)
    given = dict(options)
    user = next((given[key] for key in ("-u", "--user") if key in given and name in ("sudo", "doas")), None)
    directory = next((given[key] for key in ("-C", "-D", "--chdir") if key in given and (name, key) != ("sudo", "-C")), None)
    is_root = name in ("sudo", "doas") and (user is None or user.text == "root")
    return Peeled(
        tuple(rest),
        (*peeled.wrappers, name),
        None if is_root else user if user is not None else peeled.user,
        is_root or (peeled.is_root and user is None),
        environment,
        directory or peeled.directory,
        peeled.is_login or (name == "sudo" and bool(given.keys() & {"-i", "-H", "--login"})),
    )


def _option(wrapper: _Wrapper, text: str, rest: list[Word]) -> list[tuple[str, Word | None]]:
    if text.startswith("--"):
        name, equals, attached = text.partition("=")
        if equals:
            return [(name, Word.of(attached))]
        return [(name, rest.pop(0) if name in wrapper.long_values and rest else None)]
    found: list[tuple[str, Word | None]] = []
    for position, letter in enumerate(text[1:], 2):
        if letter in wrapper.values:
            attached = text[position:]
            value: Word | None = Word.of(attached) if attached else rest.pop(0) if rest else None
            return [*found, (f"-{letter}", value)]
        found.append((f"-{letter}", None))
    return found


def _is_no_wrapper(name: str, options: Sequence[tuple[str, Word | None]]) -> bool:
    letters = {option for option, _ in options}
    if name == "command":
        return bool(letters & {"-v", "-V"})
    if name == "env":
        return bool(letters & {"-S", "--split-string"})
    if name in ("sudo", "ionice", "flock", "runuser"):
        refused = {"sudo": {"-l", "-v", "-k", "-K", "-e"}, "ionice": {"-p"}, "flock": {"-c", "-u"}, "runuser": {"-c"}}
        return bool(letters & refused[name])
    return False


def _runuser(peeled: Peeled, options: Sequence[tuple[str, Word | None]], rest: list[Word]) -> Peeled | None:
    given = dict(options)
    user = given.get("-u")
    if user is None:
        return None
    return Peeled(tuple(rest), (*peeled.wrappers, "runuser"), user, False, peeled.environment, peeled.directory, False)
