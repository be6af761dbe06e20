"""What a legacy JSON template says to a component: `{{ }}` rendered first, then made to fit the types of the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from goldsmith.components import AttributeDeclaration, Context, Duration, Setting, Settings, declarations
from goldsmith.hcl.body import Schema
from goldsmith.hcl.diagnostics import UserError, did_you_mean
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value, unknown
from goldsmith.packer_templates import check, render_setting
from goldsmith.template.config_types import field_types, hcl_type, nested_configs, schema_of, setting_name, without_none
from goldsmith.template.decode import decode
from goldsmith.template.faults import Faults
from goldsmith.template.fixes.deprecated import is_deprecated
from goldsmith.template.legacy.fields import type_name
from goldsmith.template.legacy.weak import fitted


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonConfiguration:
    """The settings of one component, as the template writes them."""

    component: str
    """The type of the component."""
    settings: Mapping[str, JsonNode]
    where: Range
    sees_build: bool = True
    """Whether `{{build}}` can be used; a source comes before anything that it tells."""
    override: Mapping[str, JsonNode] = field(default_factory=dict)
    """Settings that replace these; what is an object in both is joined."""

    def decoded(self, config: type[Any], context: Context) -> object:
        """An instance of `config`, with the user variables and `build` values of `context`. Raises `UserError`."""
        reader = _Reader(self.component, context, self.sees_build)
        settings = reader.settings(config, {**self.settings, **self._overrides()}, self.where)
        decoded = reader.faults.attempt(decode, config, settings, None, context.cwd)
        if reader.faults.errors:
            raise UserError(*reader.faults.found)
        return decoded

    def _overrides(self) -> Mapping[str, JsonNode]:
        return {name: _joined(self.settings.get(name), node) for name, node in self.override.items()}


def _joined(first: JsonNode | None, second: JsonNode) -> JsonNode:
    if not isinstance(first, JsonObject) or not isinstance(second, JsonObject):
        return second
    replaced = {item.name for item in second.properties}
    kept = tuple(item for item in first.properties if item.name not in replaced)
    return JsonObject((*kept, *second.properties), second.range)


class _Reader:
    """Reads the settings of one component and collects what is wrong with them."""

    def __init__(self, component: str, context: Context, sees_build: bool) -> None:
        self.component = component
        self.context = context
        self.sees_build = sees_build
        self.faults = Faults()
        legacy = context.legacy
        self.secrets = tuple(filter(None, map(legacy.variables.get, legacy.sensitive))) if legacy else ()

    def settings(self, config: type[Any], members: Mapping[str, JsonNode], where: Range) -> Settings:
        known = {setting_name(name): declared for name, declared in declarations(config)}
        types, nested = field_types(config), nested_configs(config)
        attributes: dict[str, Setting] = {}
        blocks: list[tuple[str, Settings]] = []
        for told, node in members.items():
            name = _known_name(told, known)
            if name is None:
                self._refuse(told, node, schema_of(config))
            elif isinstance(node, JsonScalar) and node.value is None:
                continue
            elif name in nested:
                blocks += [(name, settings) for settings in self._blocks(name, nested[name], node)]
            else:
                attributes[name] = self._setting(name, known[name], types[name], node)
        return Settings(attributes, tuple(blocks), where)

    def _refuse(self, name: str, node: JsonNode, schema: Schema) -> None:
        """Note a name that the component does not have, unless Packer means nothing by it."""
        if name in schema.attributes or name.startswith("packer_") or name == "type":
            return
        if is_deprecated(self.component, name):
            what = f"Deprecated configuration key: '{name}'"
            why = f'"{self.component}" has no such setting any more.'
            next = 'Run "goldsmith fix TEMPLATE": it writes the template as present versions of Packer want it.'
            self.faults.error("legacy.deprecated-key", what, node.start, why, next)
            return
        why = f'"{self.component}" has no setting named "{name}".'
        next = did_you_mean(name, (*schema.attributes, *schema.blocks))
        self.faults.error("legacy.unknown-setting", f"unknown configuration key: '\"{name}\"'", node.start, why, next)

    def _blocks(self, name: str, config: type[Any], node: JsonNode) -> list[Settings]:
        found: list[Settings] = []
        for item in node.items if isinstance(node, JsonArray) else (node,):
            if isinstance(item, JsonObject):
                found.append(self.settings(config, {entry.name: entry.value for entry in item.properties}, item.start))
            else:
                self._wrong(name, item, f"an object is required, not {type_name(item)}")
        return found

    def _setting(self, name: str, declared: AttributeDeclaration, annotation: object, node: JsonNode) -> Setting:
        before = len(self.faults.errors)
        rendered = self._rendered(name, node, self._render if declared.rendered else _checked)
        wanted = hcl_type(annotation)
        if len(self.faults.errors) > before:
            # The setting is there, so it must not be told to be missing as well.
            return Setting(unknown(wanted), node.start)
        try:
            value = fitted(rendered, wanted, is_duration=without_none(annotation) is Duration)
        except ValueError as error:
            self._wrong(name, node, str(error))
            return Setting(unknown(wanted), node.start)
        return Setting(self._marked(value, rendered), node.start)

    def _marked(self, value: Value, node: JsonNode) -> Value:
        texts = [scalar.value for scalar in scalars_of(node) if isinstance(scalar.value, str)]
        return value.marked(any(secret in text for text in texts for secret in self.secrets))

    def _render(self, text: str) -> str:
        return render_setting(text, self.context, sees_build=self.sees_build)

    def _rendered(self, name: str, node: JsonNode, render: Callable[[str], str]) -> JsonNode:
        """The value with every string in it rendered, names of properties too."""
        match node:
            case JsonScalar(value=str(text)):
                return JsonScalar(self._attempt(name, node, text, render), node.range)
            case JsonArray(items=items):
                return JsonArray(tuple(self._rendered(name, item, render) for item in items), node.range)
            case JsonObject(properties=properties):
                return JsonObject(tuple(self._property(name, item, render) for item in properties), node.range)
        return node

    def _property(self, name: str, item: JsonProperty, render: Callable[[str], str]) -> JsonProperty:
        key = self._attempt(name, JsonScalar(item.name, item.name_range), item.name, render)
        return replace(item, name=key, value=self._rendered(name, item.value, render))

    def _attempt(self, name: str, node: JsonNode, text: str, render: Callable[[str], str]) -> str:
        try:
            return render(text)
        except ValueError as error:
            self._wrong(name, node, f"its {{{{ }}}} template fails: {error}")
            return text

    def _wrong(self, name: str, node: JsonNode, reason: str) -> None:
        for secret in self.secrets:
            reason = reason.replace(secret, "<sensitive>")
        why = f'Inappropriate value for "{name}": {reason.rstrip(".")}.'
        self.faults.error("template.wrong-value", "Incorrect attribute value", node.start, why)


def scalars_of(node: JsonNode) -> Iterator[JsonScalar]:
    """Every scalar in a value, names of properties too."""
    match node:
        case JsonScalar():
            yield node
        case JsonArray(items=items):
            for item in items:
                yield from scalars_of(item)
        case JsonObject(properties=properties):
            for entry in properties:
                yield JsonScalar(entry.name, entry.name_range)
                yield from scalars_of(entry.value)


def _checked(text: str) -> str:
    check(text)
    return text


def _known_name(told: str, known: Mapping[str, object]) -> str | None:
    """The name of the setting that is meant; Packer compares without regard to case when it must."""
    if told in known:
        return told
    return next((name for name in known if name.casefold() == told.casefold()), None)
