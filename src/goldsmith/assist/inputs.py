"""What a script takes from outside: variables of its environment and its arguments, with the script's own defaults."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from goldsmith.assist.commands import Place, Variable, Word
from goldsmith.assist.expressions import atom, computed, expression_of, unknown
from goldsmith.assist.names import assigned_by, nodes
from goldsmith.assist.scope import Input, Scope
from goldsmith.assist.syntax import Parameter, ShellWord, Tree

MACHINE: Mapping[str, str] = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "UID": "0",
    "EUID": "0",
    "SHELL": "/bin/bash",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "IFS": " \t\n",
    "OSTYPE": "linux-gnu",
    "TMPDIR": "",
    "SUDO_USER": "",
    "DISPLAY": "",
    "OLDPWD": "",
    "OPTARG": "",
    "OPTIND": "1",
    "PS1": "",
    "PS4": "+ ",
    "TERM": "dumb",
    "LANG": "",
    "LC_ALL": "",
    "LANGUAGE": "",
    "DEBIAN_FRONTEND": "",
    "LD_LIBRARY_PATH": "",
    "PYTHONPATH": "",
    "MANPATH": "",
    "PKG_CONFIG_PATH": "",
    "XDG_CONFIG_HOME": "",
    "XDG_RUNTIME_DIR": "",
    "BASH_ENV": "",
    "CDPATH": "",
    "HISTFILE": "",
}
"""What a script that root runs while an image is built finds, or does not find, in its environment."""
FACTS: Mapping[str, str] = {
    "HOSTNAME": "ansible_facts['hostname']",
    "HOSTTYPE": "ansible_facts['architecture']",
    "MACHTYPE": "ansible_facts['architecture'] ~ '-pc-linux-gnu'",
}
_DEFAULTS = frozenset({":-", "-", ":=", "="})
_NOWHERE = Place("", 1, 1, 0, 0)


class Inputs:
    """Collects what is taken from outside while the scripts are read."""

    def __init__(self, trees: Iterable[Tree], environment: Mapping[str, str], prefix: str) -> None:
        self._environment, self._prefix = environment, prefix
        self._found: dict[str, Input] = {}
        self._assigned: set[str] = set()
        self._defaults: dict[str, set[str]] = {}
        self._bare: set[str] = set()
        self._places: dict[str, Place] = {}
        for tree in trees:
            self._scan(tree)

    @property
    def found(self) -> tuple[Input, ...]:
        """The inputs in the order of their names."""
        return tuple(self._found[name] for name in sorted(self._found))

    def known(self, name: str, scope: Scope) -> Word | None:
        """The value of a variable that a machine gives, or that the caller sets while the script knows of no default."""
        if name in FACTS and scope.is_bash and name not in self._environment:
            return Word((Variable(FACTS[name], "fact"),))
        if name in self._environment:
            return self._variable(name, Word.of(self._environment[name]))
        if name in MACHINE:
            return Word.of(MACHINE[name]) if MACHINE[name] or name not in self._defaults else None
        return None

    def bare(self, name: str) -> Word | None:
        """A variable without a value of the script: an input, or nothing where the script sets it elsewhere."""
        if name in self._assigned or name in MACHINE or not re.fullmatch(r"[A-Za-z_]\w*|\d+", name):
            return None
        return self._variable(name, Word(()))

    def defaulted(self, name: str, default: Word) -> Word:
        """`${name:-default}` of a variable without a value of the script."""
        if not re.fullmatch(r"[A-Za-z_]\w*|\d+", name) or (name in self._assigned and not self._is_from_outside(name)):
            return default
        is_only = len(self._defaults.get(name, ())) <= 1 and (name not in self._bare or name in self._assigned)
        if default.unknown is not None:
            return default
        if is_only and not any(isinstance(piece, Variable) and piece.kind != "input" for piece in default.pieces):
            word = self._variable(name, default)
            first = self._found[name].default
            return word if first in (None, default) else _instead(word, first, default)
        word = self._variable(name, Word(()))
        given, other = expression_of(word), expression_of(default)
        return (
            word
            if given is None or other is None or not default.pieces
            else computed(f"{atom(given)} | default({other}, true)")
        )

    def option(self, name: str, default: Word) -> Word:
        """A variable that an option of the script's call sets; without it, it has the value that it had before."""
        if default.unknown is not None or any(isinstance(item, Variable) and item.kind != "input" for item in default.pieces):
            return default
        return self._variable(name, default)

    def required(self, name: str) -> Word:
        """`${name:?}`: the script stops without it."""
        return self._variable(name, None)

    def _is_from_outside(self, name: str) -> bool:
        """Whether a name that the script sets too, as in `X=${X:-d}`, is one as environments have."""
        return name.upper() == name

    def _variable(self, name: str, default: Word | None) -> Word:
        variable = self._name(name)
        known = self._found.get(name)
        if known is None or (known.default is not None and not known.default.pieces and default is not None and default.pieces):
            self._found[name] = Input(name, variable, default, self._places.get(name, _NOWHERE))
        elif default is None and known.default is not None and not known.default.pieces:
            self._found[name] = replace(known, default=None)
        return Word((Variable(variable, "input"),))

    def _name(self, name: str) -> str:
        if name in self._found:
            return self._found[name].variable
        wanted = self._prefix + (f"argument_{name}" if name.isdigit() else name.lower())
        taken = {item.variable for item in self._found.values()}
        while wanted in taken:
            wanted += "_"
        return wanted

    def _scan(self, tree: Tree) -> None:
        for node in nodes(tree.statements):
            self._assigned.update(assigned_by(node))
            if isinstance(node, Parameter) and node.name:
                if node.operation in _DEFAULTS:
                    operand = tree.excerpt(node.operand.span) if node.operand else ""
                    self._defaults.setdefault(node.name, set()).add(operand)
                else:
                    self._bare.add(node.name)
            elif isinstance(node, ShellWord):
                span = node.span
                for part in nodes(node.parts):
                    if isinstance(part, Parameter) and part.name:
                        self._places.setdefault(part.name, Place(tree.path, span.line, span.end_line, span.start, span.end))


def _instead(word: Word, first: Word | None, default: Word) -> Word:
    """A variable whose default is another one each time that it is read, as in a loop."""
    given, other, written = expression_of(word), expression_of(default), expression_of(first or Word(()))
    if given is None or other is None or written is None:
        return unknown("its default differs each time that it is read")
    return computed(f"{atom(other)} if {given} == {atom(written)} else {given}")
