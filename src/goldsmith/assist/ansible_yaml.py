"""YAML as Ansible reads it: text that is no template stays text, and what is written is read back and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from goldsmith.hcl.diagnostics import Bug, Diagnostic

LONGEST_LINE = 160
"""Columns that ansible-lint allows."""


@dataclass(frozen=True, slots=True)
class Unsafe:
    """Text that looks like a template and is none: `!unsafe` in YAML."""

    text: str


Node: TypeAlias = "bool | int | str | Unsafe | Sequence[Node] | Mapping[str, Node] | None"
"""What a document is made of. A `str` is what stands in the file: with braces, it is a template."""

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
    """A file of tasks, each with the comment above it."""
    if not tasks:
        return f"---\n{_commented(comment)}[]\n"
    told = "\n".join(f"{_commented(above)}{dump([task])}" for above, task in tasks)
    return f"---\n{_commented(comment)}{told}"


def _commented(text: str) -> str:
    return "".join(f"# {line}\n" if line else "#\n" for line in text.splitlines())


def dump(node: Node) -> str:
    """A node as block YAML. Raises `Bug` when what is read back differs from it."""
    listed = _listed(node)
    text = yaml.dump(listed, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=150, default_flow_style=False)
    if load(text) != listed:
        raise Bug(
            Diagnostic(code="convert.yaml", what="a task read back from YAML differs from what was written", why=text[:500])
        )
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

    def analyze_scalar(self, scalar: str) -> yaml.emitter.ScalarAnalysis:
        """Tabs may stand in a block, which PyYAML does not know."""
        analysis = super().analyze_scalar(scalar.replace("\t", "x"))
        if "\t" in scalar:
            analysis.scalar = scalar
            analysis.allow_flow_plain = analysis.allow_block_plain = analysis.allow_single_quoted = False
            analysis.allow_block = analysis.allow_block and not _has_trailing_blanks(scalar)
        return analysis


def _represent_text(dumper: yaml.SafeDumper, text: str, tag: str = "tag:yaml.org,2002:str") -> yaml.ScalarNode:
    if _UNREADABLE.search(text):
        return dumper.represent_scalar(tag, text, style='"')
    if "\n" in text and text.strip("\n"):
        return dumper.represent_scalar(tag, text, style="|" if fits_block(text) else '"')
    return dumper.represent_scalar(tag, text, style=">" if len(text) > LONGEST_LINE - 50 else None)


def _represent_unsafe(dumper: yaml.SafeDumper, value: Unsafe) -> yaml.ScalarNode:
    return _represent_text(dumper, value.text, "!unsafe")


def _construct_unsafe(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Unsafe:
    return Unsafe(str(loader.construct_scalar(node)))


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Unsafe, _represent_unsafe)
_Loader.add_constructor("!unsafe", _construct_unsafe)
