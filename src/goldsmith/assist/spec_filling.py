"""Filling a specification: a person's values, then a model's, then defaults; where each came from is computed here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, TypeGuard

from goldsmith.assist.image_spec import ImageSpec
from goldsmith.assist.shapes import Json
from goldsmith.assist.spec_template import NUMBERS
from goldsmith.hcl.diagnostics import Diagnostic, UserError

Origin: TypeAlias = Literal["user", "description", "model", "parent", "default"]
SSH = "tcp/22"
"""Listens on every image that is drafted."""
_KEYS = ("name", "unit", "path", "control", "text", "kind")
"""What tells the items of a list apart."""
_RELEASES = {number: release for release, number in NUMBERS.items()}
_NOT_PACKAGES = frozenset(
    {
        "a",
        "an",
        "and",
        "base",
        "image",
        "with",
        "on",
        "our",
        "agent",
        "the",
        "for",
        "server",
        "web",
        "port",
        "of",
        "top",
        "in",
        "to",
    }
)


def merged(*layers: Mapping[str, Json]) -> dict[str, Json]:
    """The first layer's values before those of the next; of lists the items of all, told apart by their names."""
    result: dict[str, Json] = {}
    for layer in layers:
        for name, value in layer.items():
            result[name] = _joined(result[name], value) if name in result else value
    return result


def spec_of(values: Mapping[str, Json]) -> ImageSpec:
    """The specification of these values. Raises `UserError` with everything that is missing, unknown or wrong."""
    from pydantic import ValidationError

    try:
        return ImageSpec.model_validate(values)
    except ValidationError as error:
        raise UserError(*_faults(error.errors(include_url=False, include_input=False))) from error


def origins(spec: ImageSpec, layers: Sequence[tuple[Origin, Mapping[str, Json]]]) -> dict[str, Origin]:
    """Where each value came from, by JSON pointer (RFC 6901): the first layer that has it, else a default."""
    return dict(_origins(spec.model_dump(mode="json", by_alias=True, exclude_none=True), [*layers], ""))


def described(text: str, packages: frozenset[str] = frozenset(), images: Sequence[str] = ()) -> dict[str, Json]:
    """What the words of a description say by themselves: release, where it runs, hardening, ports, known packages and parents.

    `packages` are names that exist; a word of the description that is one of them, and no word of plain English that
    descriptions have, is taken for it.
    """
    lower = text.lower()
    found: dict[str, Json] = {}
    distribution, release = _release(lower)
    parent = next(
        (
            name
            for name in images
            if re.search(rf"\b(?:on top of|based on|on|from|parent)\s+(?:our\s+)?{re.escape(name)}\b", lower)
        ),
        None,
    )
    clouds = bool(re.search(r"\b(?:aws|ec2|amis?|amazon)\b", lower))
    machines = bool(re.search(r"\b(?:qemu|kvm|virtual machine|vm)\b", lower))
    if parent is not None:
        found |= {"start": {"kind": "parent", "image": parent}, "sources": [{"kind": "disk"}], "kind": "app"}
    elif distribution is not None:
        kind = "cloud-image" if clouds else "archive"
        found["start"] = {"kind": kind, "distribution": distribution, "release": release}
        region = re.search(r"\b[a-z]{2}(?:-[a-z]+)+-\d\b", lower)
        cloud: dict[str, Json] = {"kind": "amazon-ebs", **({"region": region[0]} if region else {})}
        found["sources"] = [*([{"kind": "qemu"}] if machines else []), cloud] if clouds else [{"kind": "disk"}]
    if re.search(r"\b(?:cis|harden\w*|baseline|stig)\b", lower):
        found |= {
            "hardening": {"profile": "strict" if "strict" in lower else "baseline"},
            "gates": ["secrets", "boot", "hardening"],
        }
    ports = [f"{kind or 'tcp'}/{number}" for kind, number in re.findall(r"\bports?\s+(?:(tcp|udp)[ /])?(\d{1,5})\b", lower)]
    if ports:
        found["ports"] = list(dict.fromkeys((SSH, *ports)))
    words = dict.fromkeys(re.findall(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+]", lower))
    named = [word for word in words if word in packages and word not in {*_NOT_PACKAGES, distribution, release, *images}]
    if named:
        found["packages"] = [{"name": word} for word in named]
    return found


def _release(lower: str) -> tuple[str | None, str | None]:
    match = re.search(r"\b(debian|ubuntu)\b[ /-]*(\d\d(?:\.\d\d)?|[a-z]+)?", lower)
    if match is not None:
        word = match[2] or ""
        release = _RELEASES.get(word) or (word if word in NUMBERS else None)
        return match[1], release or {"debian": "bookworm", "ubuntu": "noble"}[match[1]]
    named = next((name for name in NUMBERS if re.search(rf"\b{name}\b", lower)), None)
    return ("ubuntu" if "." in NUMBERS[named] else "debian", named) if named is not None else (None, None)


def _joined(first: Json, second: Json) -> Json:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        # A start or source of another kind has other fields: nothing of the later one fits.
        return first if first.get("kind") != second.get("kind") and "kind" in first else merged(first, second)
    if _is_list(first) and _is_list(second):
        items: list[Json] = list(first)
        for item in second:
            place = next((number for number, other in enumerate(items) if _same(item, other)), None)
            if place is None:
                items.append(item)
            else:
                items[place] = _joined(items[place], item)
        return items
    return first


def _is_list(value: Json) -> TypeGuard[Sequence[Json]]:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _same(first: Json, second: Json) -> bool:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        key = next((key for key in _KEYS if key in first and key in second), None)
        return key is not None and first[key] == second[key]
    return first == second


def _origins(value: Json, layers: Sequence[tuple[Origin, Json]], pointer: str) -> Iterator[tuple[str, Origin]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            below = [(origin, layer[name]) for origin, layer in layers if isinstance(layer, Mapping) and name in layer]
            yield from _origins(inner, below, f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, Sequence) and not isinstance(value, str) and value:
        for number, inner in enumerate(value):
            below = [
                (origin, other)
                for origin, layer in layers
                if isinstance(layer, Sequence) and not isinstance(layer, str)
                for other in layer
                if _same(inner, other)
            ]
            yield from _origins(inner, below, f"{pointer}/{number}")
    else:
        yield pointer, layers[0][0] if layers else "default"


def _faults(errors: Sequence[Mapping[str, object]]) -> Iterator[Diagnostic]:
    for error in errors:
        place = error["loc"]
        assert isinstance(place, tuple)
        what = ".".join(str(part) for part in place) or "the specification"
        hint = _HINTS.get(str(place[0]) if place else "", "see goldsmith draft -help")
        missing = error.get("type") in ("missing", "union_tag_not_found")
        yield Diagnostic(
            code="draft.missing" if missing else "draft.invalid",
            what=f'"{what}" is missing' if missing else f'"{what}" is wrong',
            why="" if missing else str(error["msg"]),
            next=f"Give it by a flag ({hint}), in the file of -spec, or by an answer.",
        )


_HINTS = {
    "name": "-name=web",
    "purpose": '-purpose="a web server", or the description',
    "start": "-release=debian/bookworm, or -parent=base",
    "sources": "-source=disk, -source=qemu, -source=amazon-ebs",
}
