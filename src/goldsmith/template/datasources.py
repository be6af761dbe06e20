"""Reads data sources while a template is loaded, or says what is known of one that is not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from goldsmith.components import DataSource, Setting, Settings, find
from goldsmith.hcl.body import Block
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError, UserError
from goldsmith.hcl.redaction import redacted_error
from goldsmith.hcl.scope import Scope
from goldsmith.hcl.values import Value, object_of, unknown
from goldsmith.packer_templates import render
from goldsmith.template.absence import absence
from goldsmith.template.contexts import bare_context
from goldsmith.template.decode import decode
from goldsmith.template.faults import Faults, placed
from goldsmith.template.options import LoadOptions
from goldsmith.template.packer_block import RequiredPlugin
from goldsmith.template.secrets import secrets_of
from goldsmith.template.settings import settings_of


@dataclass(frozen=True, slots=True)
class DataReader:
    """Reads `data` blocks of a template in `root`."""

    root: Path
    options: LoadOptions
    faults: Faults
    """Gets the warnings of data sources."""
    plugins: tuple[RequiredPlugin, ...]
    found: dict[str, DataSource[object]] = field(default_factory=dict, init=False)
    """Data sources that were looked up already: to find one takes milliseconds."""

    def read(self, block: Block, scope: Scope) -> Value:
        """The value of a data source; unknown, of the type that it will have, when data sources are not to be read.

        What a data source gives back under the name of a sensitive argument is sensitive. Raises `UserError` when there is
        no such data source, its settings are wrong or not known, or it has nothing to give.
        """
        type, name = block.labels
        source = self._source(type, block)
        context = bare_context(self.root, self.options, build="", type=type, name=name, generated={})
        settings = settings_of(block, source.Config, scope)
        config = decode(source.Config, settings, lambda text: render(text, context, {}), self.options.cwd)
        known = all(setting.value.is_wholly_known for setting in _all_settings(settings))
        try:
            if known:
                source.check(config, context)
            if not self.options.evaluate_data:
                return unknown(source.outputs)
            if not known:
                raise UserError(_not_known(type, name))
            told = source.read(config, replace(context, emit=self.faults.listener(block.range)))
        except GoldsmithError as error:
            # A setting may be made of a secret and more: what it is made of must not be told either.
            made_of = (value for name in ("var", "local", "data") if (value := scope.find(name)) is not None)
            secrets = secrets_of((*made_of, *(setting.value for setting in _all_settings(settings))))
            raise placed(redacted_error(error, secrets), block.range) from error
        sensitive = {name for name, setting in settings.attributes.items() if setting.value.is_sensitive_anywhere}
        return _marked(told, sensitive)

    def _source(self, type: str, block: Block) -> DataSource[object]:
        if type in self.found:
            return self.found[type]
        found = find("data", type)
        if found is None:
            why, next = absence("data", type, self.plugins, self.options)
            raise UserError(
                Diagnostic(
                    code="template.unknown-component",
                    what=f"Unknown data type {type}",
                    where=block.label_ranges[0],
                    why=why,
                    next=next,
                )
            )
        source = found()
        assert isinstance(source, DataSource)
        self.found[type] = source
        return source


def _all_settings(settings: Settings) -> Iterator[Setting]:
    yield from settings.attributes.values()
    for _, block in settings.blocks:
        yield from _all_settings(block)


def _not_known(type: str, name: str) -> Diagnostic:
    return Diagnostic(
        code="template.unknown-data",
        what=f"the settings of data.{type}.{name} are not known",
        why="they need a value that is told only while a build runs, or one that could not be evaluated",
        next="Use variables, locals and other data sources only.",
    )


def _marked(told: Value, sensitive: Set[str]) -> Value:
    if not isinstance(told.raw, Mapping):
        return told
    return object_of({name: value.marked(name in sensitive) for name, value in told.raw.items()})
