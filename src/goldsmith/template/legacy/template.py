"""Legacy JSON templates: reads the text of one into typed parts, each with its place in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.json_nodes import JsonArray, JsonNode, JsonObject, JsonProperty, JsonScalar
from goldsmith.hcl.json_reader import read_json
from goldsmith.hcl.source import Range, SourceFile
from goldsmith.template.faults import Faults
from goldsmith.template.legacy.fields import Fields, is_too_large
from goldsmith.template.legacy.parts import (
    LegacyBuilder,
    LegacyPostProcessor,
    LegacyProvisioner,
    read_builders,
    read_post_processors,
    read_provisioner,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyVariable:
    """A member of `variables`."""

    name: str
    default: str | None
    """None for null: a value must come from a variable file or the command line."""
    sensitive: bool
    where: Range

    @property
    def required(self) -> bool:
        """Whether a value must be given."""
        return self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyTemplate:
    """A legacy JSON template as it is written: nothing is rendered, no component is looked up."""

    source: SourceFile
    min_packer_version: str
    """Empty when the template asks for none."""
    min_packer_version_where: Range | None
    description: str
    variables: Mapping[str, LegacyVariable]
    sensitive_variables: tuple[str, ...]
    """As listed; names of no variable are among them."""
    builders: Mapping[str, LegacyBuilder]
    """By name, in the order of the file."""
    provisioners: tuple[LegacyProvisioner, ...]
    error_cleanup_provisioner: LegacyProvisioner | None
    post_processors: tuple[tuple[LegacyPostProcessor, ...], ...]
    """Chains; an entry that stands alone is a chain of one."""


ROOT_KEYS = (
    "min_packer_version",
    "description",
    "variables",
    "sensitive-variables",
    "builders",
    "provisioners",
    "error-cleanup-provisioner",
    "post-processors",
    "comments",
    "push",
)


def read_legacy(source: SourceFile) -> LegacyTemplate:
    """The parts of a legacy template. Raises `UserError` with every fault that can be told at once.

    What Packer finds only when it validates (no builder, `only` of a builder that is not there) is for `check_legacy`.
    """
    faults = Faults()
    document, found = read_json(source)
    if found and _looks_like_hcl(source):
        raise UserError(_hcl_by_mistake(source))
    faults.add(found)
    faults.raise_if_any()
    assert document is not None
    _check_values(document, faults)
    template = _template(source, document, faults)
    faults.raise_if_any()
    return template


def _looks_like_hcl(source: SourceFile) -> bool:
    first = source.text.lstrip()[:1]
    return first.isalpha() or first in ("#", "/")


def _hcl_by_mistake(source: SourceFile) -> Diagnostic:
    return Diagnostic(
        code="template.hcl",
        what=f'"{source.name}" is not a template in JSON',
        where=source.range(0, min(1, len(source.text))),
        why='It looks like HCL. That is read from files whose name ends in ".pkr.hcl"; all others are legacy JSON templates.',
        next='Give a template in HCL a name such as "image.pkr.hcl".',
    )


def check_legacy(template: LegacyTemplate) -> tuple[Diagnostic, ...]:
    """What is wrong with a template that could be read: no builder, or names of builders that it does not have."""
    faults = Faults()
    if not template.builders:
        where = template.source.range(0, min(1, len(template.source.text)))
        faults.error("legacy.no-builder", "at least one builder must be defined", where, next='Add one to "builders".')
    for number, provisioner in enumerate(template.provisioners, 1):
        _check_selection(f"provisioner {number}", provisioner, template, faults)
        for name in provisioner.override:
            if name not in template.builders:
                what = f"provisioner {number}: override '{name}' doesn't exist"
                faults.error("legacy.unknown-builder", what, provisioner.where, next=_known(name, template))
    for number, chain in enumerate(template.post_processors, 1):
        for place, post_processor in enumerate(chain, 1):
            _check_selection(f"post-processor {number}.{place}", post_processor, template, faults)
    return tuple(faults.found)


def _check_selection(
    told: str, part: LegacyProvisioner | LegacyPostProcessor, template: LegacyTemplate, faults: Faults
) -> None:
    if part.only and part.except_:
        what = f"{told}: only one of 'only' or 'except' may be specified"
        faults.error("legacy.selection", what, part.where, next="Remove one of them.")
        return
    for key, names in (("only", part.only), ("except", part.except_)):
        for name in names:
            if name not in template.builders:
                what = f"{told}: '{key}' specified builder '{name}' not found"
                faults.error("legacy.unknown-builder", what, part.where, next=_known(name, template))


def _known(name: str, template: LegacyTemplate) -> str:
    return did_you_mean(name, template.builders) or f"The builders are: {', '.join(template.builders) or 'none'}."


def _template(source: SourceFile, document: JsonNode, faults: Faults) -> LegacyTemplate:
    root = Fields(document, "the template", faults)
    _check_root_keys(root, faults)
    sensitive = root.strings("sensitive-variables")
    version = root.get("min_packer_version")
    cleanup = root.get("error-cleanup-provisioner")
    root.items("comments")
    root.properties("push")
    return LegacyTemplate(
        source=source,
        min_packer_version=root.string("min_packer_version"),
        min_packer_version_where=version.range if version else None,
        description=root.string("description"),
        variables=_variables(root.properties("variables"), sensitive, faults),
        sensitive_variables=sensitive,
        builders=read_builders(root.items("builders"), faults),
        provisioners=tuple(
            provisioner
            for number, item in enumerate(root.items("provisioners"), 1)
            if (provisioner := read_provisioner(item, f"provisioner {number}", faults))
        ),
        error_cleanup_provisioner=read_provisioner(cleanup, "error-cleanup-provisioner", faults) if cleanup else None,
        post_processors=read_post_processors(root.items("post-processors"), faults),
    )


def _check_values(node: JsonNode, faults: Faults) -> None:
    if isinstance(node, JsonObject):
        for again, first in node.repeated():
            what = f"template has duplicate field: {again.name}"
            why = f"It is there already, on line {first.name_range.start.line}."
            faults.error("legacy.duplicate", what, again.name_range, why, "Keep one of the two.")
        for item in node.properties:
            _check_values(item.value, faults)
    elif isinstance(node, JsonArray):
        for value in node.items:
            _check_values(value, faults)
    elif isinstance(node, JsonScalar) and is_too_large(node):
        why = "Numbers of legacy templates are floats of 64 bits."
        faults.error("legacy.number", "Error parsing JSON: the number is too large", node.range, why, "Write a smaller one.")


def _check_root_keys(root: Fields, faults: Faults) -> None:
    for item in root.unread(ROOT_KEYS):
        if not item.name.startswith("_"):
            what = f"Unknown root level key in template: '{item.name}'"
            next = did_you_mean(item.name, ROOT_KEYS) or 'Names that begin with "_" are comments.'
            faults.error("legacy.unknown-key", what, item.name_range, next=next)
        elif not (isinstance(item.value, JsonScalar) and isinstance(item.value.value, str)):
            what = f'Failed to cast root level comment value in comment "{item.name}" to string.'
            faults.error("legacy.comment", what, item.name_range, next="Write the comment in double quotes.")


def _variables(members: tuple[JsonProperty, ...], sensitive: tuple[str, ...], faults: Faults) -> dict[str, LegacyVariable]:
    variables = {}
    for item in members:
        default = item.value.value if isinstance(item.value, JsonScalar) else False
        if default is not None and not isinstance(default, str):
            next = "Write the value in double quotes, or null when it must be given."
            faults.error("legacy.variable", f"variable {item.name}: expected type 'string'", item.value.start, next=next)
            continue
        variables[item.name] = LegacyVariable(
            name=item.name, default=default, sensitive=item.name in sensitive, where=item.name_range
        )
    return variables
