"""Tests in YAML: what a machine must have, kind by kind, in the words that goss made common.

service:
  nginx.service: {running: true, enabled: true}
port:
  tcp/80: {listening: true}
command:
  nginx -t: {exit: 0}
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

import yaml

from goldsmith.gates.boot.check_commands import COMMANDS
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.source import SourceFile

Kind: TypeAlias = Literal["bool", "text", "int", "mode", "texts"]
Value: TypeAlias = bool | int | str | tuple[str, ...]

LARGEST_BYTES = 1 << 20

KINDS: Mapping[str, Mapping[str, Kind]] = {
    "package": {"installed": "bool", "version": "text"},
    "service": {"running": "bool", "enabled": "bool"},
    "port": {"listening": "bool", "address": "text"},
    "file": {
        "exists": "bool",
        "type": "text",
        "mode": "mode",
        "owner": "text",
        "group": "text",
        "target": "text",
        "sha256": "text",
        "contains": "texts",
    },
    "command": {"exit": "int", "stdout": "texts"},
    "user": {"exists": "bool", "uid": "int", "group": "text", "groups": "texts", "home": "text", "shell": "text"},
    "group": {"exists": "bool", "gid": "int"},
    "sysctl": {"value": "text"},
    "mount": {"mounted": "bool", "type": "text", "options": "texts"},
}
"""What each kind of check may say, and of which type. The first word is what a check says when it says nothing."""

_SHAPES: Mapping[Kind, str] = {
    "bool": "true or false",
    "int": "a number",
    "mode": "a mode such as 0644",
    "text": "a text",
    "texts": "a list of texts",
}

_EARLY: Mapping[str, Sequence[str]] = {
    "package": ("installed", "version"),
    "service": ("enabled",),
    "file": tuple(KINDS["file"]),
    "user": tuple(KINDS["user"]),
    "group": tuple(KINDS["group"]),
}
"""What does not wait for the image's own disk and kernel (gates.md section 8)."""

_STATIC = ("/etc/", "/usr/")
"""Where no mount brings files."""

_TRUE_BY_ITSELF = frozenset({"installed", "running", "listening", "exists", "mounted"})
_OUTPUT = "stdout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that a machine must have, and the command that tells."""

    kind: str
    subject: str
    wanted: Mapping[str, Value] = field(default_factory=dict)
    path: str
    """The file that says so, as seen from the project."""
    line: int

    @property
    def name(self) -> str:
        """Such as `service nginx.service`."""
        return f"{self.kind} {self.subject}"

    @property
    def command(self) -> str:
        """What the machine runs: it prints `word=value` lines, or what the user's command prints."""
        return COMMANDS[self.kind](self.subject)

    def early(self, *, seeded: bool) -> Check | None:
        """What of it a container can tell before any disk is booted; None: nothing.

        `seeded`: the image is finished by cloud-init at its first boot, which may make files, users and groups.
        """
        if seeded and self.kind in ("file", "user", "group"):
            return None
        if self.kind == "file" and not self.subject.startswith(_STATIC):
            return None
        wanted = {word: value for word, value in self.wanted.items() if word in _EARLY.get(self.kind, ())}
        return replace(self, wanted=wanted) if wanted else None

    def problem(self, code: int | None, output: str) -> str:
        """What is not as wanted by the answer, one line each; empty when all is."""
        if code is None:
            return "the machine did not answer in time"
        if self.kind == "command":
            return "\n".join(self._problems_of_command(code, output))
        # The first of a word counts: what follows may be the content of the file.
        told = dict(line.partition("=")[::2] for line in reversed(output.splitlines()) if "=" in line)
        return "\n".join(self._problems(told, output))

    def _problems(self, told: Mapping[str, str], output: str) -> Iterator[str]:
        for word, value in self.wanted.items():
            if isinstance(value, tuple):
                text = output if word == "contains" else f",{told.get(word, '')},"
                missing = [item for item in value if not _has(text, item if word == "contains" else f",{item},")]
                yield from (f"{word}: {item!r} is not there" for item in missing)
            else:
                found, wanted = told.get(word, ""), str(value).lower() if isinstance(value, bool) else str(value)
                if not _equal(word, found, wanted):
                    yield f"{word} is {found or 'not known'}, {wanted} is wanted"

    def _problems_of_command(self, code: int, output: str) -> Iterator[str]:
        wanted = self.wanted.get("exit", 0)
        if code != wanted:
            said = " / ".join(output.strip().splitlines()[-3:])
            yield f"it ended with {code}, {wanted} is wanted" + (f": {said[:300]}" if said else "")
        texts = self.wanted.get(_OUTPUT, ())
        assert isinstance(texts, tuple)
        yield from (f"stdout: {item!r} is not there" for item in texts if not _has(output, item))


def read_checks(paths: Sequence[Path], root: Path) -> tuple[Check, ...]:
    """The checks of YAML files. Raises `UserError` with every fault of all files and its line."""
    checks: list[Check] = []
    faults: list[Diagnostic] = []
    for path in paths:
        name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
        if path.stat().st_size > LARGEST_BYTES:
            faults.append(Diagnostic(code="boot.test-file", what=f'"{name}" is larger than {LARGEST_BYTES >> 20} MiB'))
            continue
        reader = _Reader(SourceFile(name, path.read_text(errors="replace")))
        checks += reader.checks()
        faults += reader.faults
    if faults:
        raise UserError(*faults)
    return tuple(checks)


class _Reader:
    """Reads one file and keeps what is wrong with it."""

    def __init__(self, source: SourceFile) -> None:
        self.source = source
        self.faults: list[Diagnostic] = []

    def checks(self) -> Iterator[Check]:
        try:
            root = yaml.compose(self.source.text, Loader=yaml.CSafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            start = min(mark.index, len(self.source.text)) if mark is not None else 0
            self._fault(f"this is no YAML: {getattr(error, 'problem', None) or error}", start, start + 1)
            return
        if root is None:
            self._fault(
                "the file says nothing", 0, 0, "Write what the machine must have, such as `service: {ssh.service: {}}`."
            )
            return
        for kind, block in self._entries(root, "the file"):
            if kind.value not in KINDS:
                self._unknown(kind, "there is no kind of check", tuple(KINDS))
                continue
            for subject, settings in self._entries(block, f'"{kind.value}"'):
                wanted = self._wanted(kind.value, settings)
                line = subject.start_mark.line + 1
                if not self._is_subject(kind.value, subject):
                    continue
                yield Check(kind=kind.value, subject=subject.value, wanted=wanted, path=self.source.name, line=line)

    def _is_subject(self, kind: str, subject: yaml.ScalarNode) -> bool:
        right = {"port": r"(tcp|udp)/\d{1,5}", "file": r"/[^\0\n]*", "mount": r"/[^\0\n]*", "sysctl": r"[\w./-]+"}
        examples = {"port": "tcp/80", "file": "/etc/motd", "mount": "/tmp", "sysctl": "kernel.dmesg_restrict"}
        if not re.fullmatch(right.get(kind, r"[^\0\n]+"), subject.value):
            self._at(subject, f'"{subject.value}" names no {kind}', f"Write it as {examples.get(kind, 'a name')}.")
            return False
        return True

    def _wanted(self, kind: str, node: yaml.Node) -> Mapping[str, Value]:
        words = KINDS[kind]
        first = next(iter(words))
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return {first: True} if first in _TRUE_BY_ITSELF else {}
        if kind == "sysctl" and isinstance(node, yaml.ScalarNode):
            return {"value": node.value}
        wanted: dict[str, Value] = {}
        for word, value in self._entries(node, f"what this {kind} must have"):
            if word.value not in words:
                self._unknown(word, f"a {kind} has no", tuple(words))
                continue
            found = self._value(words[word.value], word.value, value)
            if found is not None:
                wanted[word.value] = found
        # What is told of a thing that must not be there cannot hold.
        if first in _TRUE_BY_ITSELF:
            wanted.setdefault(first, True)
        return wanted

    def _value(self, kind: Kind, word: str, node: yaml.Node) -> Value | None:
        if kind == "texts":
            items = node.value if isinstance(node, yaml.SequenceNode) else [node]
            if all(isinstance(item, yaml.ScalarNode) for item in items):
                return tuple(str(item.value) for item in items)
        elif isinstance(node, yaml.ScalarNode):
            text = str(node.value)
            if kind == "bool" and node.tag == "tag:yaml.org,2002:bool":
                return text.lower() in ("true", "yes", "on")
            if kind == "int" and re.fullmatch(r"\d{1,10}", text):
                return int(text)
            if kind == "mode" and re.fullmatch(r"0?[0-7]{3,4}", text):
                return text.lstrip("0").rjust(3, "0")
            if kind == "text" and node.tag != "tag:yaml.org,2002:null":
                return text
        self._at(node, f"{word} must be {_SHAPES[kind]}")
        return None

    def _entries(self, node: yaml.Node, what: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self._at(node, f"{what} must be a block of names")
            return
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._at(key, f"{what} must have plain names")
            elif key.value in seen:
                self._at(key, f'"{key.value}" is there twice')
            else:
                seen.add(key.value)
                yield key, value

    def _unknown(self, node: yaml.ScalarNode, what: str, known: Sequence[str]) -> None:
        near = get_close_matches(node.value, known, 1)
        self._at(node, f'{what} "{node.value}"', f'Did you mean "{near[0]}"?' if near else f"There are {', '.join(known)}.")

    def _at(self, node: yaml.Node, what: str, next: str = "") -> None:
        self._fault(what, node.start_mark.index, max(node.start_mark.index + 1, node.end_mark.index), next)

    def _fault(self, what: str, start: int, end: int, next: str = "") -> None:
        where = self.source.range(start, min(end, len(self.source.text)))
        # A gate tells its faults in one sentence each: the hint is part of it.
        hint = f" ({next})" if next else ""
        self.faults.append(Diagnostic(code="boot.test-file", what=f"{what}{hint}", where=where))


def _equal(word: str, found: str, wanted: str) -> bool:
    if word == "version":
        from fnmatch import fnmatchcase

        return fnmatchcase(found, wanted)
    return wanted in found.split(",") if word == "address" else found == wanted


def _has(text: str, wanted: str) -> bool:
    """Whether a text holds another; `/…/` is an expression, of re2, in which ^ and $ mean a line."""
    if len(wanted) > 2 and wanted.startswith("/") and wanted.endswith("/"):
        import re2

        return re2.search(f"(?m){wanted[1:-1]}", text) is not None
    return wanted in text
