"""Divergences: differences between a script and its role that somebody answers for, with a reason and until a day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from goldsmith.assist.compare import Difference
from goldsmith.assist.stacked import expression_of
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.images.tree import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Divergence:
    """One difference that is meant."""

    path: str
    """A pattern as in the rules of sealing, with a leading slash: `*` stands for any part of one name."""
    fields: tuple[str, ...] = ()
    """The fields that may differ; none: all of them."""
    reason: str
    owner: str
    """Who answers for it."""
    expires: date
    """The last day on which it holds."""

    def covers(self, difference: Difference) -> bool:
        """Whether it speaks of a difference, expired or not."""
        return (not self.fields or difference.field in self.fields) and self.names(difference.path)

    def names(self, path: str) -> bool:
        """Whether it is about a path of a tree."""
        pattern = expression_of((self.path.removeprefix("/"),))
        return f"/{shown(path)}" == self.path or pattern.fullmatch(path) is not None


def read_divergences(path: Path) -> tuple[Divergence, ...]:
    """The divergences of a YAML file; none when there is no such file.

    Raises `UserError` with code `divergences.invalid` for a file that says something else, or leaves reason, owner or day out.
    """
    import yaml
    from pydantic import BaseModel, ConfigDict, Field, ValidationError

    class Written(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str = Field(pattern=r"^/.")
        fields: tuple[str, ...] = ()
        reason: str = Field(pattern=r"\S")
        owner: str = Field(pattern=r"\S")
        expires: date

    class File(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        divergences: tuple[Written, ...] = ()

    if not path.is_file():
        return ()
    try:
        found = File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _invalid(path, str(error)) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise _invalid(path, faults) from error
    return tuple(Divergence(**item.model_dump()) for item in found.divergences)


def proposed(differences: Sequence[Difference]) -> str:
    """A YAML file with a divergence for each path, for a person to complete: without reason and owner it is not accepted."""
    import yaml

    fields: dict[str, list[str]] = {}
    for item in differences:
        fields.setdefault(item.shown, []).append(item.field)
    entries = [
        {"path": path, "fields": sorted(names), "reason": "", "owner": "", "expires": ""} for path, names in fields.items()
    ]
    return yaml.safe_dump({"divergences": entries}, sort_keys=False, allow_unicode=True, width=120)


def _invalid(path: Path, why: str) -> UserError:
    return UserError(
        Diagnostic(
            code="divergences.invalid",
            what=f'"{path}" holds no valid divergences',
            why=why,
            next='Each has "path", "reason", "owner" and "expires", a day such as 2027-01-31; "fields" may limit it.',
        )
    )
