"""From `Settings` to a component's frozen `Config`, as its `attribute()` declarations and annotations say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from goldsmith.components import (
    AttributeDeclaration,
    Duration,
    Period,
    Render,
    Setting,
    Settings,
    Unevaluated,
    declarations,
)
from goldsmith.hcl.body import Stranger
from goldsmith.hcl.convert import convert
from goldsmith.hcl.diagnostics import UserError, did_you_mean
from goldsmith.hcl.gotime import parse_duration
from goldsmith.hcl.values import Value
from goldsmith.packer_templates import UNKNOWN_TEXT, check
from goldsmith.template.config_types import (
    field_types,
    hcl_type,
    is_repeated,
    label_of,
    nested_configs,
    schema_of,
    setting_name,
    without_none,
)
from goldsmith.template.faults import Faults
from goldsmith.template.schema import note_strangers

T = TypeVar("T")


def decode(config: type[T], settings: Settings, render: Render | None, root: Path) -> T:
    """Make a `Config` of the settings of its block.

    `render` renders `{{ }}`; None leaves braces as they are. Relative names of attributes with `names_file` are looked up
    from `root`. Null counts as not set; unknown becomes a placeholder: "<unknown>", 0, false or empty.
    Raises `UserError` with every fault: unknown names, wrong types, what is missing, what excludes each other, absent files.
    """
    decoder = _Decoder(render, root)
    values = decoder.block(config, settings)
    decoder.faults.raise_if_any()
    try:
        return config(**values)
    except ValueError as error:
        decoder.faults.error("template.invalid-block", "Invalid configuration", settings.where, str(error))
        raise UserError(*decoder.faults.found) from error


class _Decoder:
    """Walks one block and what is nested in it, and collects the faults."""

    def __init__(self, render: Render | None, root: Path) -> None:
        self.render = render
        self.root = root
        self.faults = Faults()

    def block(self, config: type[Any], settings: Settings) -> dict[str, object]:
        known = {setting_name(name): declared for name, declared in declarations(config)}
        types, nested = field_types(config), nested_configs(config)
        plain = tuple(name for name in known if name not in nested)
        self._refuse_strangers(settings, config)
        values: dict[str, object] = dict.fromkeys(filter(None, (label_of(config),)), settings.label)
        for name in plain:
            setting = settings.attributes.get(name)
            if setting is not None and not setting.value.is_null:
                self._attribute(name, known[name], types[name], setting, values)
        for name, block_type in nested.items():
            self._blocks(name, block_type, is_repeated(types[name]), settings, values)
        self._check_presence(known, settings, values)
        return {name: values[setting_name(name)] for name, _ in declarations(config) if setting_name(name) in values}

    def _refuse_strangers(self, settings: Settings, config: type[Any]) -> None:
        schema = schema_of(config)
        # Names that come from elsewhere than a body, such as an override, did not meet a schema yet.
        attributes = (item for item in settings.attributes.items() if item[0] not in schema.attributes)
        blocks = (item for item in settings.blocks if item[0] not in schema.blocks)
        strangers = (
            *settings.strangers,
            *(Stranger("argument", name, setting.where) for name, setting in attributes),
            *(Stranger("block", name, block.where) for name, block in blocks),
        )
        note_strangers(strangers, schema, self.faults)

    def _attribute(
        self, name: str, declared: AttributeDeclaration, annotation: object, setting: Setting, values: dict[str, object]
    ) -> None:
        if without_none(annotation) is Unevaluated and setting.unevaluated is not None:
            values[name] = Unevaluated(setting.unevaluated)
            return
        try:
            value = convert(setting.value, hcl_type(annotation))
            values[name] = self._python(without_none(annotation), value, declared.rendered)
        except ValueError as error:
            # A reason may quote the value.
            reason = "it is sensitive, so the reason is not shown" if setting.value.is_sensitive_anywhere else error
            why = f'Inappropriate value for attribute "{name}": {reason}.'
            self.faults.error("template.wrong-value", "Incorrect attribute value", setting.where, why)
            # The name is given, so it must not be told to be missing as well.
            values.setdefault(name, None)
            return
        if declared.names_file:
            self._check_files(name, values[name], setting)

    def _python(self, annotation: Any, value: Value, rendered: bool) -> object:
        if annotation is Value:
            return value
        if value.is_null or not value.is_known:
            return _placeholder(annotation, value)
        raw = value.raw
        if isinstance(raw, tuple):
            element = get_args(annotation)[0]
            return tuple(self._python(element, item, rendered) for item in raw)
        if isinstance(raw, Mapping):
            element = get_args(annotation)[1]
            return {key: self._python(element, item, rendered) for key, item in raw.items()}
        if isinstance(raw, str):
            return _from_text(annotation, self._rendered(raw, rendered))
        return _from_number(annotation, raw) if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else raw

    def _rendered(self, text: str, rendered: bool) -> str:
        if self.render is None:
            return text
        try:
            if rendered:
                return self.render(text)
            check(text)
        except ValueError as error:
            raise ValueError(f"its {{{{ }}}} template fails: {error}") from error
        return text

    def _blocks(self, name: str, config: type[Any], repeated: bool, settings: Settings, values: dict[str, object]) -> None:
        found = [block for type, block in settings.blocks if type == name]
        for extra in found[1:] if not repeated else ():
            why = f'Only one "{name}" block is allowed here.'
            self.faults.error("template.duplicate-block", f"Duplicate {name} block", extra.where, why)
        made: list[object] = []
        for block in found:
            before = len(self.faults.found)
            inner = self.block(config, block)
            made.append(self._made(config, inner, block) if len(self.faults.found) == before else None)
        if made:
            values[name] = tuple(made) if repeated else made[0]

    def _made(self, config: type[Any], values: Mapping[str, object], settings: Settings) -> object:
        try:
            return config(**values)
        except ValueError as error:
            self.faults.error("template.invalid-block", "Invalid configuration", settings.where, str(error))
            return None

    def _check_presence(
        self, known: Mapping[str, AttributeDeclaration], settings: Settings, values: Mapping[str, object]
    ) -> None:
        groups: dict[str, list[str]] = {}
        for name, declared in known.items():
            if declared.required and name not in values:
                why = f'The argument "{name}" is required, but no definition was found.'
                next = f'Add "{name}": {declared.doc}'
                self.faults.error("template.missing-argument", "Missing required argument", settings.where, why, next)
            if declared.one_of and values.get(name):
                groups.setdefault(declared.one_of, []).append(name)
        for names in groups.values():
            if len(names) > 1:
                told = " and ".join(f'"{name}"' for name in names)
                where = settings.attributes[names[1]].where if names[1] in settings.attributes else settings.where
                self.faults.error(
                    "template.exclusive", f"Only one of {told} can be specified", where, next="Remove the others."
                )

    def _check_files(self, name: str, value: object, setting: Setting) -> None:
        sensitive = setting.value.is_sensitive_anywhere
        for text in _texts(value):
            path = self.root / text
            if not text or UNKNOWN_TEXT in text or path.exists():
                continue
            nearby = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() and not sensitive else []
            self.faults.error(
                "template.file-missing",
                f'"{name}" names "{"<sensitive>" if sensitive else text}", which does not exist',
                setting.where,
                f'It is looked up from "{self.root}".',
                did_you_mean(path.name, nearby) or 'Files beside the template are named "${path.root}/NAME".',
            )


# ── Python values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _placeholder(annotation: Any, value: Value) -> object:
    """What stands for unknown, and for null inside a collection."""
    origin = get_origin(annotation)
    if origin is tuple:
        return ()
    if origin is not None and origin is not Literal:
        return {}
    if annotation in (bool, int, float, Duration, Period):
        return annotation(0)
    text = "" if value.is_null else UNKNOWN_TEXT
    return Path(text) if annotation is Path else text


def _from_text(annotation: Any, text: str) -> object:
    if annotation is Period and (days := re.fullmatch(r"(\d+)d", text)):
        return Period(int(days[1]) * 86_400)
    if annotation in (Duration, Period):
        return annotation(parse_duration(text).total_seconds() if text else 0)
    if get_origin(annotation) is Literal and text not in get_args(annotation):
        raise ValueError(f'"{text}" is none of {", ".join(get_args(annotation))}')
    return Path(text) if annotation is Path else text


def _from_number(annotation: Any, amount: int | Decimal) -> object:
    if annotation is not int:
        return float(amount)
    if amount != int(amount):
        raise ValueError("a whole number is required")
    return int(amount)


def _texts(value: object) -> list[str]:
    if isinstance(value, str | Path):
        return [str(value)]
    if isinstance(value, tuple):
        return [text for item in value for text in _texts(item)]
    return []
