"""YAML as Ansible reads it: text that is no template stays text, and what is written is read back and compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from goldsmith.hcl.diagnostics import Bug, Diagnostic

LONGEST_LINE = 160
"""Columns that ansible-lint allows."""
_WIDTH = 140
"""Columns after which lines are broken, with room for a word to end."""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Text that looks like a template and is none: `!unsafe` in YAML."""

    text: str


Node: TypeAlias = "bool | int | str | Unsafe | Sequence[Node] | Mapping[str, Node] | None"
"""What a document is made of. A `str` is what stands in the file: with braces, it is a template."""

_ESCAPES = re.compile(r"(\\u[0-9a-f]{4}|\\.|.)", re.DOTALL)
"""A letter of a text between double quotes, which must not be broken."""
_BREAKS = re.compile(r"(?<=[^ ]) (?=[^ ])")
"""A single blank, where a folded line may be broken."""
_TEMPLATE = re.compile(r"\{[{%#]")
_UNREADABLE = re.compile(r"[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML holds only with escapes; surrogates stand for bytes that are no UTF-8, which no YAML holds at all."""


def plain(text: str) -> str | Unsafe:
    """Text that Ansible hands on as it is."""
    return Unsafe(text) if _TEMPLATE.search(text) else text


def fits_block(text: str, indent: int = 12) -> bool:
    """Whether a text of several lines can stand in a literal block at this indentation, within the longest line."""
    longest = max((len(line) for line in text.split("\n")), default=0)
    return not (_UNREADABLE.search(text) or _has_trailing_blanks(text)) and longest + indent <= LONGEST_LINE


def _has_trailing_blanks(text: str) -> bool:
    return re.search(r"[ \t](?:\n|\Z)", text) is not None


def document(node: Node, comment: str = "") -> str:
    """A whole file, with a comment of full lines above it."""
    return f"---\n{_commented(comment)}{dump(node)}"


def task_list(tasks: Sequence[tuple[str, Mapping[str, Node]]], comment: str = "") -> str:
    """A file of tasks, each with the comment above it. Raises `Bug` when what is read back differs."""
    if not tasks:
        return f"---\n{_commented(comment)}[]\n"
    told = "\n".join(f"{_commented(above)}{_excused(dump([task]), task)}" for above, task in tasks)
    return _as_meant(f"---\n{_commented(comment)}{told}", [task for _, task in tasks])


def _excused(text: str, task: Mapping[str, Node]) -> str:
    """A clone of the newest commit is what the script wants, and ansible-lint is told so."""
    git = task.get("ansible.builtin.git")
    if not isinstance(git, Mapping) or git.get("version", "HEAD") != "HEAD":
        return text
    name, end, rest = text.partition("\n")
    return f"{name}  # noqa: latest[git]{end}{rest}"


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())


def dump(node: Node) -> str:
    """A node as block YAML. Raises `Bug` when what is read back differs from it."""
    listed = _listed(node)
    text = yaml.dump(listed, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH, default_flow_style=False)
    return _as_meant(text, listed)


def _as_meant(text: str, node: Node) -> str:
    if load(text) != _listed(node):
        raise Bug(Diagnostic(code="convert.yaml", what="YAML that is read back differs from what was meant", why=text[:500]))
    return text


def load(text: str) -> Node:
    """The node of a YAML text, with `!unsafe` as `Unsafe`. Raises `yaml.YAMLError`."""
    node: Node = yaml.load(text, Loader=_Loader)  # a SafeLoader that knows one more tag
    return node


def _listed(node: Node) -> Node:
    match node:
        case str() | Unsafe() | bool() | int() | None:
            return node
        case Mapping():
            return {key: _listed(value) for key, value in node.items()}
        case _:
            return [_listed(item) for item in node]


class _Loader(yaml.SafeLoader):
    """Reads `!unsafe`."""


class _Dumper(yaml.SafeDumper):
    """Indents lists, writes text of several lines as a literal block and long lines folded."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand deeper than their key, as ansible-lint wants it."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: object) -> bool:
        """Equal values are written twice: an alias is hard to read."""
        return True

    def choose_scalar_style(self) -> str:
        """Quotes are double ones, as in most playbooks."""
        style = super().choose_scalar_style()
        return '"' if style == "'" else style

    def write_double_quoted(self, text: str, split: bool = True) -> None:
        """Breaks the line anywhere where it is long: PyYAML breaks it at blanks only, and a word may be long too."""
        self.write_indicator('"', True)
        escaped = _UNREADABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False)[1:-1])
        for letter in _ESCAPES.split(escaped):
            if split and letter and self.column + len(letter) > _WIDTH:
                self.write_indicator("\\", False)
                self.write_indent()
                letter = f"\\{letter}" if letter == " " else letter
            self.write_indicator(letter, False)
        self.write_indicator('"', False)

    def write_folded(self, text: str) -> None:
        """Breaks lines before the word that would be too long for them, and not after it, as PyYAML does."""
        self.write_indicator(f">{self.determine_block_hints(text)}", True)
        self.write_line_break()
        indent = self.indent or 0
        for line, ends in re.findall(r"([^\n]+)(\n*)", text.rstrip("\n")):
            for chunk in _BREAKS.split(line):
                if self.column > indent and self.column + len(chunk) >= _WIDTH:
                    self.write_line_break()
                if self.column <= indent:
                    self.write_indent()
                self.write_indicator(chunk, self.column > indent)
            for _ in f"{ends}\n":
                self.write_line_break()

    def analyze_scalar(self, scalar: str) -> yaml.emitter.ScalarAnalysis:
        """Tabs may stand in a block, which PyYAML does not know."""
        analysis = super().analyze_scalar(scalar.replace("\t", "x"))
        if "\t" in scalar:
            analysis.scalar = scalar
            analysis.allow_flow_plain = analysis.allow_block_plain = analysis.allow_single_quoted = False
            analysis.allow_block = analysis.allow_block and not _has_trailing_blanks(scalar)
        return analysis


def _represent_text(dumper: yaml.SafeDumper, text: str, tag: str = "tag:yaml.org,2002:str") -> yaml.ScalarNode:
    return dumper.represent_scalar(tag, text, style=_style(text))


def _style(text: str) -> str | None:
    """A literal block where the lines fit, else folded lines where these can be broken at blanks, else quotes."""
    has_lines = "\n" in text and bool(text.strip("\n"))
    # A block that keeps several last newlines would keep the blank line before the next task too.
    if _UNREADABLE.search(text) or text.endswith("\n\n"):
        return '"'
    if has_lines and fits_block(text):
        return "|"
    is_long = len(text) > _WIDTH - 40
    can_fold = not (_has_trailing_blanks(text) or re.search(r"\A\n|(?m:^[ \t])", text)) and _longest_chunk(text) < _WIDTH - 20
    if (has_lines or is_long) and can_fold:
        return ">"
    return '"' if has_lines or is_long else None


def _longest_chunk(text: str) -> int:
    return max(len(chunk) for line in text.split("\n") for chunk in _BREAKS.split(line))


def _represent_unsafe(dumper: yaml.SafeDumper, value: Unsafe) -> yaml.ScalarNode:
    return _represent_text(dumper, value.text, "!unsafe")


def _construct_unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Unsafe:
    return Unsafe(str(loader.construct_scalar(node)))


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Unsafe, _represent_unsafe)
_Loader.add_constructor("!unsafe", _construct_unsafe)
