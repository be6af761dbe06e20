"""Reads data sources while a template is loaded, or says what is known of one that is not read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import DataSource, find, names
from goldsmith.hcl.ast import Block
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.values import Value, unknown
from goldsmith.packer_templates import render
from goldsmith.template.contexts import bare_context
from goldsmith.template.decode import decode
from goldsmith.template.options import LoadOptions
from goldsmith.template.settings import settings_of


@dataclass(frozen=True, slots=True)
class DataReader:
    """Reads `data` blocks of a template in `root`."""

    root: Path
    options: LoadOptions

    def read(self, block: Block, scope: Scope) -> Value:
        """The value of a data source; unknown, of the type that it will have, when data sources are not to be read.

        Raises `UserError` when there is no such data source or its settings are wrong.
        """
        type, name = block.labels
        source = self._source(type, block)
        context = bare_context(self.root, self.options, build="", type=type, name=name, generated={})
        settings = settings_of(block, scope)
        config = decode(source.Config, settings, lambda text: render(text, context, {}), self.options.cwd)
        source.check(config, context)
        if not self.options.evaluate_data:
            return unknown(source.outputs)
        return source.read(config, context)

    def _source(self, type: str, block: Block) -> DataSource[object]:
        found = find("data", type)
        if found is None:
            known = names("data")
            next = did_you_mean(type, known) or f"Known data sources: {', '.join(known)}."
            raise UserError(
                Diagnostic(
                    code="template.unknown-component",
                    what=f"Unknown data type {type}",
                    where=block.label_ranges[0],
                    why=f'No data source "{type}" is installed.',
                    next=next,
                )
            )
        source = found()
        assert isinstance(source, DataSource)
        return source
