"""The places of a template where values stand, in whichever syntax: attributes, nested blocks and objects, flattened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.hcl.ast import (
    Binary,
    Call,
    Conditional,
    Expression,
    Literal,
    ObjectConstructor,
    Parentheses,
    Template,
    TemplateWrap,
    TupleConstructor,
)
from goldsmith.hcl.body import Block, Body, Schema
from goldsmith.hcl.native_body import NativeBody
from goldsmith.hcl.source import Range

_TOP = Schema(
    blocks={
        "variable": ("name",),
        "local": ("name",),
        "locals": (),
        "data": ("type", "name"),
        "source": ("type", "name"),
        "build": (),
        "packer": (),
        "image": ("name",),
        "gate": ("name",),
    },
)
_BUILD = Schema(
    blocks={
        "source": ("name",),
        "provisioner": ("type",),
        "error-cleanup-provisioner": ("type",),
        "post-processor": ("type",),
        "post-processors": (),
    }
)
_CHAIN = Schema(blocks={"post-processor": ("type",)})
_ANYTHING = Schema(any_attribute=True)


@dataclass(frozen=True, slots=True)
class Place:
    """A name that is given a value."""

    name: str
    expression: Expression
    range: Range


@dataclass(frozen=True, slots=True)
class Part:
    """A block of a template, or a component of a legacy one, with its places."""

    kind: str
    """variable, locals, data, source, provisioner, post-processor."""
    labels: tuple[str, ...]
    range: Range
    places: tuple[Place, ...]

    def value(self, name: str) -> Expression | None:
        """The value of an attribute."""
        return next((place.expression for place in self.places if place.name == name), None)


def parts_of(body: Body) -> Iterator[Part]:
    """The blocks of a template."""
    for block in body.content(_TOP).blocks:
        if block.type == "build":
            for inner in block.body.content(_BUILD).blocks:
                if inner.type == "post-processors":
                    yield from (_part("post-processor", item) for item in inner.body.content(_CHAIN).blocks)
                else:
                    kind = "provisioner" if inner.type == "error-cleanup-provisioner" else inner.type
                    yield _part(kind, inner)
        else:
            yield _part("locals" if block.type == "local" else block.type, block)


def parts_of_legacy(body: Body) -> Iterator[Part]:
    """The components of a legacy JSON template; each variable is a part of its own."""
    attributes = body.content(_ANYTHING).attributes
    for name, kind in (("builders", "source"), ("provisioners", "provisioner"), ("post-processors", "post-processor")):
        if name in attributes:
            for item in _objects(attributes[name].expression):
                places = tuple(_inside(item))
                type = next((text_of(place.expression) for place in places if place.name == "type"), "")
                yield Part(kind, (type,), item.range, places)
    if "variables" in attributes:
        for place in _inside(attributes["variables"].expression):
            default = Place("default", place.expression, place.range)
            yield Part("variable", (place.name,), place.range, (default,))


def attributes_of(body: Body) -> Iterator[Place]:
    """The attributes of a variable file."""
    for attribute in body.content(_ANYTHING).attributes.values():
        yield from _of(attribute.name, attribute.expression, attribute.range)


def texts(expression: Expression) -> Iterator[tuple[str, Range]]:
    """The texts in a value, with `${…}` for what is put in; names of calls and keys of objects are none."""
    match expression:
        case Template():
            yield text_of(expression), expression.range
        case Literal(value=value) if isinstance(value.raw, str):
            yield value.raw, expression.range
        case TupleConstructor(items=items):
            for item in items:
                yield from texts(item)
        case ObjectConstructor(items=pairs):
            for pair in pairs:
                yield from texts(pair.value)
        case Call(arguments=arguments):
            for argument in arguments:
                yield from texts(argument)
        case Parentheses(expression=inner) | TemplateWrap(expression=inner):
            yield from texts(inner)
        case Conditional(if_true=first, if_false=second) | Binary(left=first, right=second):
            yield from texts(first)
            yield from texts(second)


def text_of(expression: Expression) -> str:
    """The text of a template, with `${…}` for what is put in; empty for other values."""
    match expression:
        case Template(parts=parts):
            return "".join(text_of(part) if isinstance(part, Literal) else f"${{{part.range.text}}}" for part in parts)
        case Literal(value=value) if isinstance(value.raw, str):
            return value.raw
    return ""


def _part(kind: str, block: Block) -> Part:
    return Part(kind, block.labels, block.range, tuple(_body_places(block.body)))


def _body_places(body: Body) -> Iterator[Place]:
    if not isinstance(body, NativeBody):
        yield from attributes_of(body)
        return
    for attribute in body.attributes.values():
        yield from _of(attribute.name, attribute.expression, attribute.range)
    for block in body.blocks:
        yield from _body_places(block.body)


def _of(name: str, expression: Expression, where: Range) -> Iterator[Place]:
    yield Place(name, expression, where)
    for item in _objects(expression):
        yield from _inside(item)


def _inside(expression: Expression) -> Iterator[Place]:
    if isinstance(expression, ObjectConstructor):
        for pair in expression.items:
            key = text_of(pair.key)
            if key:
                yield from _of(key, pair.value, pair.key.range)


def _objects(expression: Expression) -> Iterator[Expression]:
    if isinstance(expression, ObjectConstructor):
        yield expression
    elif isinstance(expression, TupleConstructor):
        yield from (item for item in expression.items if isinstance(item, ObjectConstructor))
