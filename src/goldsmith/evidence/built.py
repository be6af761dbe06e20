"""SLSA provenance v1: what went into a version and who built it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.evidence.moments import moment

BUILD_TYPE = "https://goldsmith.dev/build/layers/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Something that a build was made from. `digest` maps algorithm to hex."""

    uri: str
    digest: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """What provenance says of a build. Sensitive values never stand here; variables hold fingerprints of them."""

    image: str
    template: str
    """`sha256:<hex>` over all template files."""
    variables: Mapping[str, str]
    materials: Sequence[Material]
    steps: Sequence[Mapping[str, str]]
    """{name, key, layer} of each step, in order."""
    builder_version: str
    tools: Mapping[str, str]
    run_uuid: str
    started_s: int
    finished_s: int
    varying: Sequence[str] = ()
    """What could not be made the same twice, in sentences."""


def provenance(record: BuildRecord) -> Mapping[str, object]:
    """The predicate of `https://slsa.dev/provenance/v1`."""
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "image": record.image,
                "template": _digest_map(record.template),
                "variables": dict(record.variables),
            },
            "internalParameters": {"tools": dict(record.tools), "varying": list(record.varying)},
            "resolvedDependencies": [_dependency(item) for item in record.materials],
        },
        "runDetails": {
            "builder": {"id": "https://goldsmith.dev/builder/local", "version": {"goldsmith": record.builder_version}},
            "metadata": {
                "invocationId": record.run_uuid,
                "startedOn": moment(record.started_s),
                "finishedOn": moment(record.finished_s),
            },
            "byproducts": [{"name": step["name"], "annotations": dict(step)} for step in record.steps],
        },
    }


def _dependency(item: Material) -> Mapping[str, object]:
    return {"uri": item.uri, "digest": dict(item.digest), "annotations": dict(item.annotations)}


def _digest_map(digest: str) -> Mapping[str, str]:
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}
