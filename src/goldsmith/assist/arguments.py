"""Arguments of tasks as they stand in YAML: words become templates, and the role's variables get its prefix."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from goldsmith.assist.ansible_yaml import Node, plain
from goldsmith.assist.commands import Argument, Text, Variable, Word

_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?<![\w.])[A-Za-z_]\w*(?!\s*=[^=])""")
"""A text of an expression, or a name in it that is neither an attribute nor the keyword of a call."""
_STRING = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_ESCAPED = re.compile(r"\{[{%#]|[}%#]\}|\r")


@dataclass(frozen=True, slots=True)
class Names:
    """What the variables of a script are called in the role: each has the role's name before it, as ansible-lint wants it."""

    role: str
    own: frozenset[str]
    """Names that the conversion gave: inputs, registered results and variables of loops. Others are Ansible's."""

    @staticmethod
    def of(role: str, own: Collection[str]) -> Names:
        """The names of a role."""
        return Names(role, frozenset(own) - {"item"})

    def name(self, name: str) -> str:
        """The name of a variable in the role."""
        lowered = re.sub(r"\W", "_", name.lower())
        return lowered if lowered.startswith(f"{self.role}_") or name not in self.own else f"{self.role}_{lowered}"

    def expression(self, text: str) -> str:
        """A Jinja expression with the role's names."""
        return _TOKEN.sub(
            lambda found: found[0] if found[0][0] in "'\"" or found[0] not in self.own else self.name(found[0]), text
        )

    def node(self, argument: Argument) -> Node:
        """An argument as YAML. Raises `ValueError` when nobody knows the value of a word in it, or when no YAML can hold it."""
        match argument:
            case bool() | int():
                return argument
            case str():
                return plain(_encodable(argument))
            case Word():
                text = argument.text
                return plain(_encodable(text)) if text is not None else self.template(argument, in_playbook=True)
            case Mapping():
                return {key: self.node(value) for key, value in argument.items()}
            case _:
                return [self.node(item) for item in argument]

    def template(self, word: Word, *, in_playbook: bool = False) -> str:
        """A word as a template, of a file unless it is to stand in a playbook. Raises `ValueError` for an unknown piece."""
        return "".join(self._piece(piece, in_playbook) for piece in word.pieces)

    def _piece(self, piece: object, in_playbook: bool) -> str:
        match piece:
            case Text(value=value):
                return _ESCAPED.sub(lambda found: f"{{{{ {_quoted(found[0])} }}}}", _encodable(value))
            case Variable(expression=expression):
                text = self.expression(expression)
                return f"{{{{ {as_in_playbook(text) if in_playbook else text} }}}}"
        raise ValueError(getattr(piece, "reason", "unknown"))


def as_in_playbook(expression: str) -> str:
    """An expression for the templates of a playbook, where Ansible takes every backslash of a text for itself.

    In conditions and in files of templates it does not, and Jinja's escapes hold.
    """
    return _STRING.sub(lambda found: found[0] if "\\" not in found[0] else _unescaped(found[0]), expression)


def _unescaped(literal: str) -> str:
    text = re.sub(r"(?s)\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), literal[1:-1])
    parts = [_part(part) for part in re.split(r"(\r|\\+(?=['\r]|\Z)|')", text) if part]
    return parts[0] if len(parts) == 1 else f"({' ~ '.join(parts)})"


def _part(text: str) -> str:
    if text == "\r":
        return "'%c' | format(13)"
    if text.strip("\\") == "":
        return " ~ ".join(["'%c' | format(92)"] * len(text))
    return '"\'"' if text == "'" else f"'{text}'"


def _quoted(text: str) -> str:
    return "'%c' | format(13)" if text == "\r" else f"'{text}'"


def _encodable(text: str) -> str:
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("bytes that are no UTF-8")
    return text


def unknown_in(argument: Argument) -> str | None:
    """Why an argument has no value for a task, or None where it has one."""
    match argument:
        case Word():
            return argument.unknown
        case str() | bool() | int():
            return None
        case Mapping():
            return next((found for value in argument.values() if (found := unknown_in(value))), None)
        case _:
            return next((found for item in argument if (found := unknown_in(item))), None)


def variables_in(argument: Argument) -> tuple[Variable, ...]:
    """The variables that an argument is made of, in order."""
    match argument:
        case Word():
            return tuple(piece for piece in argument.pieces if isinstance(piece, Variable))
        case str() | bool() | int():
            return ()
        case Mapping():
            return tuple(found for value in argument.values() for found in variables_in(value))
        case _:
            return tuple(found for item in argument for found in variables_in(item))
