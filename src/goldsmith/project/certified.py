"""What was certified last for an image, so that an unchanged disk is not examined and registered again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from goldsmith.gates.contract import Verdict
from goldsmith.images.whole import write_whole
from goldsmith.project.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What is remembered of a gate's result."""

    verdict: Verdict
    config: str
    data: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certified:
    """The content of the file `.goldsmith/last/IMAGE.json`."""

    digest: str
    number: int
    registry: str
    gates: Mapping[str, Judged]
    labels: str = ""
    """The labels that the version was given, as one text."""


def last_certified(project: Project, image: str, digest: str) -> Certified | None:
    """What was certified last, when it is this version in this registry."""
    try:
        data = json.loads((project.state.last / f"{image}.json").read_bytes())
        last = Certified(gates=gates_from(data.pop("gates")), **data)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return last if (last.digest, last.registry) == (digest, project.registry_url) and project.has_registry else None


def gates_from(data: Mapping[str, Mapping[str, object]]) -> Mapping[str, Judged]:
    """Gates' results as they were written. Raises `KeyError`, `TypeError` or `ValueError` for anything else."""
    return {
        name: Judged(**{**item, "data": tuple(_list(item["data"])), "reasons": tuple(_list(item["reasons"]))})  # type: ignore[arg-type]  # a wrong name is a TypeError, which the caller reports
        for name, item in data.items()
    }


def remember(project: Project, image: str, certified: Certified) -> None:
    """Keep what is certified now."""
    project.state.last.mkdir(parents=True, exist_ok=True)
    write_whole(project.state.last / f"{image}.json", json.dumps(asdict(certified), sort_keys=True))


def _list(data: object) -> list[object]:
    if not isinstance(data, list):
        raise TypeError(f"{data!r} is no list")
    return data
