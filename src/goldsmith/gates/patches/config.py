"""What a `gate "patches"` block says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from goldsmith.components import Duration, attribute
from goldsmith.gates.contract import Effect
from goldsmith.gates.waivers import Waivable
from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean

_EFFECTS: dict[str, Effect] = {"fail": "fail", "warn": "warn", "info": "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchesConfig(Waivable):
    """Attributes of a `gate "patches"` block."""

    within: Duration = attribute(Duration(0), "How long a security update may be pending before it fails; 0: not at all.")
    max_age: Duration = attribute(Duration(48 * 3600), "How old the archive's indexes may be.")
    other: str = attribute("warn", "What a newer package that is no security update means: fail, warn or info.")
    unsigned: str = attribute(
        "error", "What a repository of rpm without a signature means: error, or warn when it was read by https alone."
    )
    mirror: str = attribute("", "Where archives that the image names are read instead: an address or a directory of HOST/PATH.")

    @property
    def effect_of_others(self) -> Effect:
        """What an update that is no security update does. Raises `UserError`."""
        return _EFFECTS[_one_of("other", self.other, _EFFECTS)]

    @property
    def believes_https(self) -> bool:
        """Whether an index without a signature counts when it came by https. Raises `UserError`."""
        return _one_of("unsigned", self.unsigned, ("error", "warn")) == "warn"


def _one_of(name: str, value: str, words: Collection[str]) -> str:
    if value in words:
        return value
    next = did_you_mean(value, words) or f"Write one of: {', '.join(words)}."
    raise UserError(Diagnostic(code=f"patches.{name}", what=f'gate "patches" has {name} = "{value}"', next=next))
