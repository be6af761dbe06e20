"""What a machine's facts, or the arguments alone, say instead of a command: `uname -m`, `hostname`, `dirname`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence

from goldsmith.assist.commands import Text, Variable, Word
from goldsmith.assist.expressions import atom, computed, expression_of, quoted
from goldsmith.assist.scope import Scope

_COMMANDS: Mapping[tuple[str, ...], str] = {
    ("uname", "-m"): "ansible_facts['architecture']",
    ("uname", "--machine"): "ansible_facts['architecture']",
    ("uname", "-p"): "ansible_facts['architecture']",
    ("uname", "-i"): "ansible_facts['architecture']",
    ("arch",): "ansible_facts['architecture']",
    ("uname", "-r"): "ansible_facts['kernel']",
    ("uname", "--kernel-release"): "ansible_facts['kernel']",
    ("uname", "-n"): "ansible_facts['nodename']",
    ("uname", "-s"): "ansible_facts['system']",
    ("uname",): "ansible_facts['system']",
    ("lsb_release", "-cs"): "ansible_facts['distribution_release']",
    ("lsb_release", "-sc"): "ansible_facts['distribution_release']",
    ("lsb_release", "-c", "-s"): "ansible_facts['distribution_release']",
    ("lsb_release", "-s", "-c"): "ansible_facts['distribution_release']",
    ("lsb_release", "--codename", "--short"): "ansible_facts['distribution_release']",
    ("lsb_release", "-is"): "ansible_facts['distribution']",
    ("lsb_release", "-si"): "ansible_facts['distribution']",
    ("lsb_release", "-rs"): "ansible_facts['distribution_version']",
    ("lsb_release", "-sr"): "ansible_facts['distribution_version']",
    ("hostname",): "ansible_facts['nodename']",
    ("hostname", "-s"): "ansible_facts['hostname']",
    ("hostname", "--short"): "ansible_facts['hostname']",
    ("hostname", "-f"): "ansible_facts['fqdn']",
    ("hostname", "--fqdn"): "ansible_facts['fqdn']",
    ("nproc",): "ansible_facts['processor_nproc']",
    ("nproc", "--all"): "ansible_facts['processor_vcpus']",
}
_CONSTANTS: Mapping[tuple[str, ...], str] = {
    ("whoami",): "root",
    ("id", "-u"): "0",
    ("id", "-g"): "0",
    ("id", "-un"): "root",
    ("id", "-gn"): "root",
    ("id", "-nu"): "root",
    ("id", "-u", "-n"): "root",
    ("logname",): "root",
}
"""What holds for a script that root runs."""

RELEASE_FILES = frozenset({"/etc/os-release", "/usr/lib/os-release", "/etc/lsb-release", "/etc/system-release"})
"""Files of assignments that scripts source to know the distribution."""


RELEASE_NAMES = (
    "ID",
    "ID_LIKE",
    "NAME",
    "VERSION",
    "VERSION_ID",
    "VERSION_CODENAME",
    "UBUNTU_CODENAME",
    "PRETTY_NAME",
    "PLATFORM_ID",
    "VARIANT_ID",
    "DISTRIB_ID",
    "DISTRIB_RELEASE",
    "DISTRIB_CODENAME",
    "DISTRIB_DESCRIPTION",
)
"""Variables of such files that scripts read."""


def in_release_file(register: str, name: str) -> Word:
    """The value of a variable of a file of assignments that was printed."""
    pattern = quoted(rf"(?m)^{name}=[\"']?([^\"'\n]*)")
    return computed(f"{register}.stdout | regex_search({pattern}, {quoted(chr(92) + '1')}) | default([''], true) | first")


def fact(name: str, args: Sequence[Word], scope: Scope) -> Word | None:
    """What a command prints (without its last line feed) where a fact says it, or where it follows from its arguments."""
    texts = tuple(word.text for word in args)
    if name in ("dirname", "basename") and args:
        return _part_of_path(name, [word for word in args if word.text != "--"])
    if name == "pwd":
        return scope.directory
    if any(text is None for text in texts):
        return None
    key = (name, *(text for text in texts if text is not None))
    if key in _CONSTANTS and scope.user is None:
        return Word.of(_CONSTANTS[key])
    if key not in _COMMANDS:
        return None
    return Word((Variable(_COMMANDS[key], "number" if name == "nproc" else "fact"),))


def _part_of_path(name: str, args: Sequence[Word]) -> Word | None:
    if not args or any((word.text or "").startswith("-") for word in args[:1]):
        return None
    word = args[0]
    if word.text is not None:
        path = word.text.rstrip("/") or word.text[:1]
        if name == "dirname":
            head = posixpath.dirname(path)
            return Word.of((head.rstrip("/") or head or ".") if path != "/" else "/")
        base = posixpath.basename(path) or path
        suffix = args[1].text if len(args) > 1 else ""
        return None if suffix is None else Word.of(base.removesuffix(suffix) if suffix and base != suffix else base)
    last = word.pieces[-1]
    if isinstance(last, Text) and re.search(r"/[^/]+\Z", last.value):
        head, _, base = last.value.rpartition("/")
        if name == "basename" and len(args) == 1:
            return Word.of(base)
        if name == "dirname":
            return Word((*word.pieces[:-1], *((Text(head),) if head else ())))
    expression = expression_of(word)
    return computed(f"{atom(expression)} | {name}") if expression is not None and len(args) == 1 else None
