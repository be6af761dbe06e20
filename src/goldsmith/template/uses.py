"""The components of a planned build: which class each is, and its configuration with the values of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from goldsmith.components import Component, Context, Setting
from goldsmith.hcl.ast import Block
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.source import Range
from goldsmith.hcl.values import Value, object_of, string, unknown
from goldsmith.packer_templates import UNKNOWN_TEXT, render
from goldsmith.template.decode import decode
from goldsmith.template.settings import settings_of
from goldsmith.template.sources import SourceReference

ComponentClass: TypeAlias = type[Component[Any]]

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
        build = self._build(context) if sees_build else unknown()
        return self.scope.child({"source": source, "build": build, **iterators})

    def _build(self, context: Context) -> Value:
        known = dict.fromkeys(self.generated_names, UNKNOWN_TEXT) | dict(context.generated) | {"name": self.build_name}
        return object_of({name: string(value) for name, value in known.items()})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentUse:
    """A component as one build uses it."""

    type: str
    name: str
    """The name that the template gives it, or empty."""
    where: Range
    block: Block
    component_class: ComponentClass
    surroundings: Surroundings
    iterators: Mapping[str, Value] = field(default_factory=dict)

    def component(self) -> Component[Any]:
        """A new instance."""
        return self.component_class()

    def config(self, context: Context) -> object:
        """The configuration, with the values that `build.*` has in `context`. Raises `UserError` with all faults."""
        scope = self.surroundings.scope_for(context, self.iterators, sees_build=self.sees_build)
        settings = settings_of(self.block, scope)
        settings = replace(settings, attributes={**settings.attributes, **self.override})
        return decode(self.component_class.Config, settings, lambda text: render(text, context, {}), context.cwd)

    @property
    def sees_build(self) -> bool:
        """Whether the body sees `build.*`."""
        return True

    @property
    def override(self) -> Mapping[str, Setting]:
        """Settings that replace those of the block."""
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceUse(ComponentUse):
    """The source of a build; its block is the `source` block joined with what the build adds."""

    @property
    def sees_build(self) -> bool:
        """A source comes before anything that `build.*` tells."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvisionerUse(ComponentUse):
    """A provisioner of a build, with its meta-attributes."""

    max_retries: int = 0
    pause_before: float = 0.0
    """Seconds."""
    timeout: float = 0.0
    """Seconds; 0 for none."""
    continue_on_error: bool = False
    overridden: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def override(self) -> Mapping[str, Setting]:
        """What the block's `override` says for the build's source."""
        return self.overridden


@dataclass(frozen=True, slots=True, kw_only=True)
class PostProcessorUse(ComponentUse):
    """A post-processor of a build."""

    keep_input_artifact: bool | None = None
    """None: the template does not say."""
