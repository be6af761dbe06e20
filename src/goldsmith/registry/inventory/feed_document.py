"""The JSON of a feed, and what is wrong with one. Import it where it is used: pydantic is slow to load."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from goldsmith.hcl.diagnostics import Diagnostic, UserError

Text = Annotated[str, Field(max_length=1024)]


class FeedUse(BaseModel):
    """One use of an image."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: Annotated[str, Field(min_length=1, max_length=1024)]
    """An AMI's id, a path, or the `sha256:…` of a version, disk or file."""
    kind: Text = "machine"
    place: Text = ""
    count: Annotated[int, Field(ge=1, le=10_000_000)] = 1


class Feed(BaseModel):
    """The document. `entries` and `complete` are its end mark: a feed that was cut short has neither, or other numbers."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    goldsmith_inventory: Literal[1]
    source: Text = ""
    platform: Text = ""
    """The cloud whose images are all seen by who wrote this; empty when others may be in use unseen."""
    account: Text = ""
    region: Text = ""
    started: AwareDatetime | None = None
    finished: AwareDatetime
    uses: tuple[FeedUse, ...]
    entries: int
    """The number of `uses`."""
    complete: bool


def parse_feed(name: str, content: bytes) -> Feed:
    """Read a feed. Raises `UserError` with the place of the first fault."""
    try:
        return Feed.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        why = f"{place}: {first['msg']}" if place else first["msg"]
        what = f'"{name}" is no inventory, or was cut short'
        next = "docs/registry.md shows what a feed looks like."
        raise UserError(Diagnostic(code="inventory.feed", what=what, why=why, next=next)) from error
