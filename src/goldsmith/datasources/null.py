"""Data source `null`: gives back what it is given; for trying templates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from goldsmith.components import REQUIRED, Context, DataSource, attribute
from goldsmith.hcl.convert import convert
from goldsmith.hcl.types import STRING, ObjectType, Type
from goldsmith.hcl.values import Value, object_of


@dataclass(frozen=True, slots=True, kw_only=True)
class NullConfig:
    """Attributes of a `data "null"` block; names are Packer's."""

    input: Value = attribute(REQUIRED, "The string that becomes `output`.")


class Null(DataSource[NullConfig]):
    """An object with the attribute `output`. What is sensitive stays so."""

    Config: ClassVar[type[NullConfig]] = NullConfig
    outputs: ClassVar[Type] = ObjectType({"output": STRING})

    def read(self, config: NullConfig, context: Context) -> Value:
        """The input, as a string."""
        return object_of({"output": convert(config.input, STRING)})
