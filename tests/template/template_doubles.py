"""Components that only keep what a template tells them; Packer's own tests use doubles with the same attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from goldsmith.components import (
    REQUIRED,
    Artifact,
    Context,
    DataSource,
    DirectSource,
    Duration,
    PostProcessor,
    Processed,
    Provisioner,
    attribute,
)
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.hcl.types import NUMBER, STRING, ListType, ObjectType
from goldsmith.hcl.values import Value, object_of, string
from goldsmith.machines.machine import Machine

Whole: TypeAlias = int
Truth: TypeAlias = bool
"""The types under names that no attribute has."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A block inside a block."""

    key: str = attribute(REQUIRED, "A key.")
    value: str = attribute("", "A value.")


@dataclass(frozen=True, kw_only=True)
class NestedConfig:
    """One attribute of each type."""

    string: str = attribute("", "A string.")
    int: Whole = attribute(0, "A whole number.")
    int64: Whole = attribute(0, "A whole number.")
    bool: Truth = attribute(False, "A bool.")
    trilean: Truth | None = attribute(None, "A bool or nothing.")
    duration: Duration = attribute(Duration(0), "A duration.")
    map_string_string: Mapping[str, str] = attribute(None, "A map.")
    slice_string: tuple[str, ...] = attribute((), "A list.")
    slice_slice_string: tuple[tuple[str, ...], ...] = attribute((), "A list of lists.")
    named_map_string_string: Mapping[str, str] = attribute(None, "A map.")
    named_string: str = attribute("", "A string.")
    data_source: str = attribute("", "A string.")
    tag: tuple[Tag, ...] = attribute((), "Tags.")


@dataclass(frozen=True, kw_only=True)
class MockConfig(NestedConfig):
    """The attributes of every double."""

    not_squashed: str = attribute("", "A string.")
    late: str = attribute("", "Rendered later.", rendered=False)
    script: str = attribute("", "A file.", names_file=True, one_of="scripts")
    scripts: tuple[str, ...] = attribute((), "Files.", names_file=True, one_of="scripts")
    nested: NestedConfig | None = attribute(None, "One block.")
    nested_slice: tuple[NestedConfig, ...] = attribute((), "Blocks.")


def refuse(config: MockConfig) -> None:
    """As a component that does not like its configuration."""
    if config.string == "refuse":
        raise UserError(Diagnostic(code="mock.refused", what="string must not be refuse"))


class MockSource(DirectSource[MockConfig]):
    """A source that makes nothing."""

    Config = MockConfig

    def check(self, config: MockConfig, context: Context) -> None:
        refuse(config)

    def run(self, config: MockConfig, context: Context, provision: Callable[[Machine, Mapping[str, str]], None]) -> Artifact:
        return Artifact(builder_id="mock", id="mock", text="nothing")

    def generated_names(self) -> tuple[str, ...]:
        return ("MockID",)


class MockProvisioner(Provisioner[MockConfig]):
    """A provisioner that does nothing."""

    Config = MockConfig

    def check(self, config: MockConfig, context: Context) -> None:
        refuse(config)

    def run(self, config: MockConfig, machine: Machine, context: Context) -> None:
        pass


class MockPostProcessor(PostProcessor[MockConfig]):
    """A post-processor that passes on what comes in."""

    Config = MockConfig

    def process(self, config: MockConfig, artifact: Artifact, context: Context) -> Processed:
        return Processed(artifact=artifact, keep_input=True)


@dataclass(frozen=True, kw_only=True)
class FooConfig:
    """The argument of the data source."""

    foo: str = attribute("", "Returned as it is.")


class MockData(DataSource[FooConfig]):
    """A data source that returns its argument."""

    Config = FooConfig
    outputs = ObjectType({"foo": STRING, "port": NUMBER, "names": ListType(STRING)})

    def read(self, config: FooConfig, context: Context) -> Value:
        return object_of({"foo": string(config.foo)})


class MockAmi(DataSource[MockConfig]):
    """A data source with the attributes of the other doubles."""

    Config = MockConfig

    def read(self, config: MockConfig, context: Context) -> Value:
        return object_of({"string": string(config.string)})
