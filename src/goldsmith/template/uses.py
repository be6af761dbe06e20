"""A planned build and its components: which class each is, and its configuration with the values of the moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from goldsmith.components import Component, Context, DirectSource, Setting
from goldsmith.hcl.body import Block
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.types import ObjectType
from goldsmith.hcl.values import Value, object_of, string, unknown
from goldsmith.packer_templates import UNKNOWN_TEXT, render
from goldsmith.template.decode import decode
from goldsmith.template.settings import settings_of
from goldsmith.template.sources import SourceReference

ComponentClass: TypeAlias = type[Component[Any]]

NO_BUILD = unknown(ObjectType({}))
"""`build` where nothing is built yet: it has no attributes, so that naming one is an error and not a surprise later."""

GENERATED_NAMES = (
    "ConnType",
    "Host",
    "ID",
    "PackerHTTPAddr",
    "PackerHTTPIP",
    "PackerHTTPPort",
    "PackerRunUUID",
    "Password",
    "Port",
    "SSHPrivateKey",
    "SSHPublicKey",
    "User",
    "WinRMPassword",
)
"""The `build.*` names that every source has; they are known once a machine is there."""


def generated_names(source: ComponentClass) -> tuple[str, ...]:
    """All `build.*` names that a source gives its builds."""
    made = source()
    return (*GENERATED_NAMES, *made.generated_names()) if isinstance(made, DirectSource) else GENERATED_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the expressions of all components of one build see."""

    scope: Scope
    """Variables, locals, data, paths, functions."""
    build_name: str
    """The name of the build block."""
    reference: SourceReference
    generated_names: tuple[str, ...] = GENERATED_NAMES

    def scope_for(self, context: Context, iterators: Mapping[str, Value], *, sees_build: bool) -> Scope:
        """The scope of a component's body, with the `build.*` values that the context knows."""
        source = object_of({"name": string(self.reference.local_name), "type": string(self.reference.type)})
        build = self._build(context) if sees_build else NO_BUILD
        return self.scope.child({"source": source, "build": build, **iterators})

    def _build(self, context: Context) -> Value:
        known = dict.fromkeys(self.generated_names, UNKNOWN_TEXT) | dict(context.generated) | {"name": self.build_name}
        return object_of({name: string(value) for name, value in known.items()})


class Configuration(Protocol):
    """What a template says to one component; HCL and legacy JSON say it each in their own way."""

    def decoded(self, config: type[Any], context: Context) -> object:
        """An instance of the component's `config`, with the values of the moment. Raises `UserError` with all faults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockConfiguration:
    """A block of HCL: expressions are evaluated, then `{{ }}` rendered."""

    block: Block
    surroundings: Surroundings
    iterators: Mapping[str, Value] = field(default_factory=dict)
    sees_build: bool = True
    """Whether the body sees `build.*`; a source comes before anything that these tell."""
    override: Mapping[str, Setting] = field(default_factory=dict)
    """Settings that replace those of the block."""

    def decoded(self, config: type[Any], context: Context) -> object:
        """The configuration, with the values that `build.*` has in `context`."""
        scope = self.surroundings.scope_for(context, self.iterators, sees_build=self.sees_build)
        settings = settings_of(self.block, config, scope)
        settings = replace(settings, attributes={**settings.attributes, **self.override})
        return decode(config, settings, lambda text: render(text, context, {}), context.cwd)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentUse:
    """A component as one build uses it."""

    type: str
    name: str
    """The name that the template gives it, or empty."""
    where: Range
    component_class: ComponentClass
    configuration: Configuration

    def component(self) -> Component[Any]:
        """A new instance."""
        return self.component_class()

    def config(self, context: Context) -> object:
        """The configuration, with the values that `build.*` has in `context`. Raises `UserError` with all faults."""
        return self.configuration.decoded(self.component_class.Config, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUse(ComponentUse):
    """The source of a build."""

    generated_names: tuple[str, ...] = GENERATED_NAMES
    """The `build.*` names that it gives once it runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionerUse(ComponentUse):
    """A provisioner of a build, with its meta-attributes."""

    max_retries: int = 0
    pause_before: float = 0.0
    """Seconds."""
    timeout: float = 0.0
    """Seconds; 0 for none."""
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PostProcessorUse(ComponentUse):
    """A post-processor of a build."""

    keep_input_artifact: bool | None = None
    """None: the template does not say."""


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build: a source, what changes its machine, and what becomes of its artifact."""

    full_name: str
    """`[buildname.]type.localname`."""
    type: str
    source_name: str
    """The name of the `source` block (Packer: PACKER_BUILD_NAME)."""
    source: SourceUse
    provisioners: tuple[ProvisionerUse, ...]
    cleanup: ProvisionerUse | None
    """Runs when a provisioner failed."""
    chains: tuple[tuple[PostProcessorUse, ...], ...]

    def uses(self) -> Iterator[ComponentUse]:
        """All components of the build, in the order in which they act."""
        yield self.source
        yield from self.provisioners
        if self.cleanup is not None:
            yield self.cleanup
        for chain in self.chains:
            yield from chain
