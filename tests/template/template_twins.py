"""Templates in both syntaxes: an abstract template, written as native text and as its twin in JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from hypothesis import strategies as st

Expression: TypeAlias = "Text | Code | Mixed | int | bool | list[Expression] | dict[str, Expression] | None"


@dataclass(frozen=True)
class Text:
    """A string without anything to evaluate."""

    text: str


@dataclass(frozen=True)
class Code:
    """An expression in native syntax."""

    code: str


@dataclass(frozen=True)
class Mixed:
    """Text around an expression."""

    before: str
    code: str
    after: str


@dataclass(frozen=True)
class Keyword:
    """An expression that stands for itself: a type, the name of an iterator."""

    code: str


@dataclass(frozen=True)
class Node:
    """A block."""

    type: str
    labels: tuple[str, ...] = ()
    attributes: Attributes = ()
    blocks: tuple[Node, ...] = field(default=())


Attributes: TypeAlias = "tuple[tuple[str, Expression | Keyword], ...]"
Shape: TypeAlias = Literal["array", "repeated", "merged"]
"""How the blocks of a JSON body are written: an array of one-property objects, repeated properties, or an array a type."""


# ── native ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def native(nodes: tuple[Node, ...], indent: str = "") -> str:
    """Native text of blocks."""
    return "".join(_native_block(node, indent) for node in nodes)


def _native_block(node: Node, indent: str) -> str:
    inner = f"{indent}  "
    head = " ".join([node.type, *(_quoted(label) for label in node.labels)])
    attributes = "".join(f"{inner}{name} = {_native(value)}\n" for name, value in node.attributes)
    return f"{indent}{head} {{\n{attributes}{native(node.blocks, inner)}{indent}}}\n"


def _native(value: Expression | Keyword) -> str:
    match value:
        case Text(text):
            return _quoted(text)
        case Code(code) | Keyword(code):
            return code
        case Mixed(before, code, after):
            return f"{_quoted(before)[:-1]}${{{code}}}{_quoted(after)[1:]}"
        case list():
            return f"[{', '.join(_native(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{_quoted(name)} = {_native(item)}' for name, item in value.items())}}}"
    return json.dumps(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return f'"{_escaped(escaped)}"'


def _escaped(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def twin(nodes: tuple[Node, ...], shape: Shape) -> str:
    """The same blocks as JSON text."""
    return _json_body((), nodes, shape)


def _json_body(attributes: Attributes, blocks: tuple[Node, ...], shape: Shape) -> str:
    members = [f"{json.dumps(name)}: {_json(value)}" for name, value in attributes]
    parts = [f"{json.dumps(node.type)}: {_json_block(node, shape)}" for node in blocks]
    if shape == "merged":
        # One property a type: the order of blocks of different types is lost, that within a type stays.
        types = dict.fromkeys(node.type for node in blocks)
        told = {type: ", ".join(_json_block(node, shape) for node in blocks if node.type == type) for type in types}
        return f"{{{', '.join([*members, *(f'{json.dumps(type)}: [{told[type]}]' for type in types)])}}}"
    if shape == "array" and blocks:
        return f"[{', '.join(f'{{{part}}}' for part in (*members, *parts))}]"
    return f"{{{', '.join([*members, *parts])}}}"


def _json_block(node: Node, shape: Shape) -> str:
    body = _json_body(node.attributes, node.blocks, shape)
    # An array in the place of a body is a list of bodies; one of these may itself be an array.
    told = f"[{body}]" if shape == "array" else body
    for label in reversed(node.labels):
        told = f"{{{json.dumps(label)}: {told}}}"
    return told


def _json(value: Expression | Keyword) -> str:
    match value:
        case Text(text):
            return json.dumps(_escaped(text), ensure_ascii=False)
        case Code(code):
            return json.dumps(f"${{{code}}}")
        case Keyword(code):
            return json.dumps(code)
        case Mixed(before, code, after):
            return json.dumps(f"{_escaped(before)}${{{code}}}{_escaped(after)}")
        case list():
            return f"[{', '.join(_json(item) for item in value)}]"
        case dict():
            return f"{{{', '.join(f'{json.dumps(_escaped(name))}: {_json(item)}' for name, item in value.items())}}}"
    return json.dumps(value)


# ── strategies ────────────────────────────────────────────────────────────────────────────────────────────────────────

TEXTS = st.text(st.sampled_from('ab${}%"\\\n é😀~'), max_size=6).filter(lambda text: not text.endswith(("$", "%")))
NAMES = st.sampled_from(["a", "b", "c"])
CODES = st.sampled_from(
    [
        "var.a",
        "var.b",
        "local.a",
        "local.missing",
        "upper(var.a)",
        '"${var.a}-x"',
        "1 + 1",
        "[var.a, 1]",
        "length([1, 2])",
        "nosuch(1)",
    ]
)


def _expressions(codes: st.SearchStrategy[str]) -> st.SearchStrategy[Expression]:
    plain = st.none() | st.booleans() | st.integers(-5, 10**20) | TEXTS.map(Text)
    single = plain | codes.map(Code) | st.builds(Mixed, TEXTS, codes, TEXTS)
    return st.recursive(
        single,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("kz"), inner, max_size=2),
        max_leaves=4,
    )


EXPRESSIONS = _expressions(CODES)
CONSTANTS = _expressions(st.sampled_from(["1 + 1", 'env("A")']))
TYPES = st.sampled_from(["string", "number", "list(string)", "any", "object({k=string})", "strng", "list(list)", "map(any)"])


def _attributes(
    **given: st.SearchStrategy[Expression | Keyword],
) -> st.SearchStrategy[Attributes]:
    return st.fixed_dictionaries({}, optional=given).map(lambda found: tuple(found.items()))


RULE = Node("validation", (), (("condition", Code("var.a != 7")), ("error_message", Text("Not seven."))))
VARIABLES = st.builds(
    Node,
    st.just("variable"),
    NAMES.map(lambda name: (name,)),
    _attributes(type=TYPES.map(Keyword), default=CONSTANTS, description=st.just(Text("what")), sensitive=st.booleans()),
    st.just((Node("validation", (), (("condition", Code("var.a != 7")), ("error_message", Text("Not seven.")))),))
    | st.just(()),
)
LOCALS = st.builds(Node, st.just("locals"), st.just(()), _attributes(a=EXPRESSIONS, b=EXPRESSIONS, c=EXPRESSIONS))
LOCAL = st.builds(
    Node, st.just("local"), NAMES.map(lambda name: (name,)), _attributes(expression=EXPRESSIONS, sensitive=st.booleans())
)
TAGS = st.lists(st.builds(Node, st.just("tag"), st.just(()), _attributes(key=EXPRESSIONS, value=EXPRESSIONS)), max_size=2).map(
    tuple
)
SETTINGS = _attributes(
    string=EXPRESSIONS, int=EXPRESSIONS, map_string_string=EXPRESSIONS, slice_string=EXPRESSIONS, strin=st.just(Text("x"))
)
SOURCES = st.builds(Node, st.just("source"), NAMES.map(lambda name: ("mock", name)), SETTINGS, TAGS)
STEP_SETTINGS = _attributes(
    string=EXPRESSIONS,
    slice_string=EXPRESSIONS,
    only=st.just([Text("mock.a")]),
    pause_before=st.sampled_from([Text("1s"), Text("x")]),
    name=st.just(Mixed("n", "build.name", "")),
    override=st.just({"a": {"string": Text("over")}}),
)
DYNAMIC = st.builds(
    lambda type, each, attributes, inner: Node(
        "dynamic",
        (type,),
        (("for_each", each), ("iterator", Keyword("it")), *attributes),
        (Node("content", (), (("string", Code("it.value")),), inner),),
    ),
    st.sampled_from(["provisioner", "post-processor", "nested"]),
    st.sampled_from([[Text("x"), Text("y")], {"k": 1}, Code("var.a"), []]),
    st.sampled_from([(("labels", [Text("mock")]),), (("labels", [Code("it.value")]),), ()]),
    TAGS,
)
STEPS = st.builds(Node, st.sampled_from(["provisioner", "post-processor"]), st.just(("mock",)), STEP_SETTINGS, TAGS)
CHAINS = st.builds(
    lambda steps: Node("post-processors", (), (), steps),
    st.lists(st.builds(Node, st.just("post-processor"), st.just(("mock",)), SETTINGS), max_size=2).map(tuple),
)
USES = st.builds(
    Node,
    st.just("source"),
    NAMES.map(lambda name: (f"mock.{name}",)),
    _attributes(name=st.just(Text("used")), late=EXPRESSIONS),
)
BUILDS = st.builds(
    Node,
    st.just("build"),
    st.just(()),
    _attributes(
        name=EXPRESSIONS, sources=st.sampled_from([[Text("source.mock.a")], [Text("mock.b"), Text("mock.a")], Text("x")])
    ),
    st.lists(STEPS | CHAINS | USES | DYNAMIC, max_size=4).map(tuple),
)
PACKER = st.just(Node("packer", (), (("required_version", Text(">= 1.0.0")),)))
TEMPLATES = st.lists(VARIABLES | LOCALS | LOCAL | SOURCES | BUILDS | PACKER, max_size=8).map(
    lambda nodes: (*nodes, Node("source", ("mock", "z")), Node("build", (), (("sources", [Text("mock.z")]),)))
)
SHAPES = st.sampled_from(["array", "repeated", "merged"])
