"""The parts of a legacy template: builders, provisioners and post-processors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.source import Range
from goldsmith.template.faults import Faults
from goldsmith.template.legacy.fields import Fields, type_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyBuilder:
    """A member of `builders`."""

    name: str
    """Unique; the type when the template gives no name. May hold `{{ }}`."""
    type: str
    settings: Mapping[str, JsonNode]
    """Everything but `name` and `type`, in the order of the file."""
    where: Range
    type_where: Range
    """The value of `type`, which is what to show of a part that is wrong as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyProvisioner:
    """A member of `provisioners`, or the `error-cleanup-provisioner`."""

    type: str
    settings: Mapping[str, JsonNode]
    """Everything but what the fields below hold."""
    only: tuple[str, ...]
    except_: tuple[str, ...]
    override: Mapping[str, JsonNode]
    """By builder name, settings that take the place of these."""
    pause_before: timedelta
    timeout: timedelta
    max_retries: str
    """A number, or a template that gives one; empty for none."""
    where: Range
    type_where: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPostProcessor:
    """A link of a chain of post-processors."""

    name: str
    """The type when the template gives no name."""
    type: str
    settings: Mapping[str, JsonNode]
    only: tuple[str, ...]
    except_: tuple[str, ...]
    keep_input_artifact: bool | None
    """None when the template does not say."""
    where: Range
    type_where: Range


def read_builders(items: tuple[JsonNode, ...], faults: Faults) -> dict[str, LegacyBuilder]:
    """Builders by name; faults number them from 1."""
    builders: dict[str, LegacyBuilder] = {}
    for number, item in enumerate(items, 1):
        told = f"builder {number}"
        fields = Fields(item, told, faults)
        type, name = fields.string("type", weak=True), fields.string("name", weak=True)
        if not isinstance(item, JsonObject) or not _has_type(type, f"{told}: missing 'type'", item.start, faults):
            continue
        name = name or type
        if name in builders:
            what = f"{told}: builder with name '{name}' already exists"
            faults.error("legacy.duplicate-builder", what, item.start, next='Give one of the two another "name".')
            continue
        builders[name] = LegacyBuilder(
            name=name,
            type=type,
            settings=fields.without(("name", "type")),
            where=item.range,
            type_where=_type_where(fields, item),
        )
    return builders


def read_provisioner(item: JsonNode, told: str, faults: Faults) -> LegacyProvisioner | None:
    """A provisioner, or None after a fault; `told` names it there."""
    before = len(faults.found)
    fields = Fields(item, told, faults)
    provisioner = LegacyProvisioner(
        type=fields.string("type", weak=True),
        only=fields.strings("only", weak=True),
        except_=fields.strings("except", weak=True),
        override={item.name: item.value for item in fields.properties("override")},
        pause_before=fields.duration("pause_before"),
        timeout=fields.duration("timeout"),
        max_retries=fields.string("max_retries", weak=True),
        settings=fields.without(("type", "only", "except", "override", "pause_before", "timeout", "max_retries")),
        where=item.range,
        type_where=_type_where(fields, item),
    )
    if len(faults.found) > before or not _has_type(provisioner.type, f"{told}: Provisioner missing 'type'", item.start, faults):
        return None
    return provisioner


def read_post_processors(items: tuple[JsonNode, ...], faults: Faults) -> tuple[tuple[LegacyPostProcessor, ...], ...]:
    """Chains of post-processors: an entry is a name, an object, or a list of these."""
    return tuple(tuple(_chain(item, number, faults)) for number, item in enumerate(items, 1))


def _chain(item: JsonNode, number: int, faults: Faults) -> Iterator[LegacyPostProcessor]:
    links = item.items if isinstance(item, JsonArray) else (item,)
    for place, link in enumerate(links, 1):
        told = f"post-processor {number}.{place}"
        if isinstance(link, JsonScalar) and isinstance(link.value, str):
            yield _post_processor(JsonObject((JsonProperty("type", link.range, link),), link.range), told, faults)
        elif isinstance(link, JsonObject):
            yield _post_processor(link, told, faults)
        elif isinstance(link, JsonArray):
            faults.error("legacy.nested-chain", f"{told}: sequence not allowed to be nested in a sequence", link.start)
        else:
            why = f"It is {type_name(link)}, not a name, an object or a list of these."
            faults.error("legacy.type", f"{told}: unknown format", link.start, why)


def _post_processor(item: JsonNode, told: str, faults: Faults) -> LegacyPostProcessor:
    fields = Fields(item, told, faults)
    type = fields.string("type")
    _has_type(type, f"{told}: type is required", item.start, faults)
    return LegacyPostProcessor(
        name=fields.string("name") or type,
        type=type,
        only=fields.strings("only"),
        except_=fields.strings("except"),
        keep_input_artifact=fields.boolean("keep_input_artifact"),
        settings=fields.without(("name", "type", "only", "except", "keep_input_artifact")),
        where=item.range,
        type_where=_type_where(fields, item),
    )


def _type_where(fields: Fields, item: JsonNode) -> Range:
    node = fields.get("type")
    return node.range if node is not None else item.start


def _has_type(type: str, what: str, where: Range, faults: Faults) -> bool:
    if not type:
        faults.error("legacy.no-type", what, where, next='Add "type", the name of a component.')
    return bool(type)
