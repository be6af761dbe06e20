"""Takes versions from another store into the project's registry, when somebody whom the project trusts has signed for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from goldsmith.events import Emit, phase
from goldsmith.evidence import (
    CYCLONEDX,
    PROVENANCE,
    SPDX,
    TEST_RESULT,
    SignedStatement,
    load_public_key,
    open_bundle,
    public_path,
)
from goldsmith.gates.sboms import read_sbom
from goldsmith.hcl.diagnostics import Diagnostic, UserError
from goldsmith.project.project import Project
from goldsmith.project.records import MICROSECONDS, actor, declare_channels, open_registry
from goldsmith.project.registration import vulnerabilities_of
from goldsmith.project.remaking import RECIPE, read_recipe
from goldsmith.project.sending import reporting

if TYPE_CHECKING:
    from securesystemslib.signer import SSlibKey

    from goldsmith.registry import Offer, Package, Part, Registry, VerifiedStatement, Version

KINDS: Mapping[str, str] = {PROVENANCE: "provenance", CYCLONEDX: "sbom-cyclonedx", SPDX: "sbom-spdx"}
"""What evidence is called that no gate has made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """What the registry has now."""

    versions: tuple[Version, ...]
    """The version and what it was built on, the eldest first; `existed` tells which were known."""
    statements: int
    """How many signed statements were accepted."""
    unknown: int
    """How many were signed by keys that are not trusted here, and left where they are."""


def receive(project: Project, reference: str, url: str, keys: Sequence[Path], emit: Emit) -> Received:
    """Take a version and what it was built on into the registry. An attempt that was cut short is gone on with.

    The version must have a provenance that one of `keys`, or the project's own key, has signed; its ancestors are vouched for
    by their digests in its document. Raises `UserError` when nobody trusted vouches for it, and `MachineError` for bytes
    that are not what they should be.
    """
    from goldsmith.registry import offers, open_store

    source = open_store(url)
    trusted = list(_keys(project, keys))
    found = offers(source, reference)
    signed = {offer.digest: _verified(offer, trusted) for offer in found}
    _demand_provenance(found[-1], signed[found[-1].digest], source.name)
    versions: list[Version] = []
    with open_registry(project) as registry, phase(emit, f"Taking {found[-1].name} from {source.name}"):
        for offer in found:
            registry.fetch(offer, source, reporting(emit))
            version = _register(project, registry, offer, signed[offer.digest])
            versions.append(version)
            made = _moment(signed[offer.digest])
            for item in signed[offer.digest]:
                registry.attest(version, _statement(item, made), item.bundle, actor=actor())
    accepted = sum(map(len, signed.values()))
    return Received(
        versions=tuple(versions),
        statements=accepted,
        unknown=sum(len(offer.bundles) for offer in found) - accepted,
    )


def _keys(project: Project, keys: Sequence[Path]) -> Iterator[SSlibKey]:
    own = public_path(project.root / project.signing.key)
    if own.exists():
        yield load_public_key(own)
    for path in keys:
        yield load_public_key(path)


def _verified(offer: Offer, keys: Sequence[SSlibKey]) -> tuple[SignedStatement, ...]:
    """The statements that a trusted key has signed. A bad signature of one is an error, never a statement that is left out."""
    found: list[SignedStatement] = []
    for bundle in offer.bundles:
        try:
            found.append(open_bundle(bundle, keys))
        except UserError as error:
            if error.diagnostics[0].code != "evidence.unknown-key":
                raise
    return tuple(found)


def _demand_provenance(offer: Offer, signed: Sequence[SignedStatement], place: str) -> None:
    for item in signed:
        subjects = {f"sha256:{subject.sha256}" for subject in item.statement.subjects}
        if item.statement.predicate_type == PROVENANCE and offer.digest in subjects:
            return
    raise UserError(
        Diagnostic(
            code="pull.unproven",
            what=f"nobody who is trusted here vouches for {offer.name} in {place}",
            why=f"it has {len(offer.bundles)} signed statements, and no provenance of it by a key that is trusted here",
            next="Give the public key of the project that made it: -key=FILE.",
        )
    )


def _register(project: Project, registry: Registry, offer: Offer, signed: Sequence[SignedStatement]) -> Version:
    from goldsmith.registry import ArtifactFile

    files = {part: ArtifactFile(kind=part.role, path=Path(part.digest), digest=part.digest) for part in offer.parts}
    version = registry.register(
        offer.image,
        offer.document,
        artifacts=[item for part, item in files.items() if part.is_disk],
        parts=[item for part, item in files.items() if not part.is_disk],
        remade=_remade(offer, registry),
        packages=_packages(offer, signed),
        builder=actor(),
        actor=actor(),
    )
    if offer.image in project.images:
        declare_channels(project, registry, offer.image)
    return version


def _remade(offer: Offer, registry: Registry) -> Sequence[Part]:
    """The disk files that its recipe tells of and the other store does not have: they are made when they are asked for."""
    from goldsmith.registry import Part

    stored = {part.digest for part in offer.parts}
    recipes = [read_recipe(part.digest, registry.blobs) for part in offer.parts if part.role == RECIPE]
    return [
        Part(role=format, digest=digest, size=recipe.sizes[format])
        for recipe in recipes
        if recipe.archives and recipe.disk_digest == offer.disk
        for format, digest in recipe.files.items()
        if digest not in stored
    ]


def _packages(offer: Offer, signed: Sequence[SignedStatement]) -> Mapping[str, Sequence[Package]]:
    """What each layer brought, as the signed bill of materials tells."""
    import json

    from goldsmith.registry import Package

    found: defaultdict[str, list[Package]] = defaultdict(list)
    for item in signed:
        if item.statement.predicate_type == CYCLONEDX:
            for package in read_sbom(json.dumps(item.statement.predicate).encode(), offer.name).inventory.packages:
                if package.layer:
                    found[package.layer].append(Package(purl_type=package.kind, name=package.name, version=package.version))
            break
    return found


def _statement(item: SignedStatement, made_us: int) -> VerifiedStatement:
    """What the registry has to know of a statement, from the statement alone."""
    from goldsmith.registry import VerifiedStatement

    told = item.statement.predicate.get("goldsmith_result")
    result = told if isinstance(told, Mapping) else {}
    is_result = item.statement.predicate_type == TEST_RESULT
    failing = result.get("failing")
    finished = result.get("finished")
    return VerifiedStatement(
        subjects=tuple(f"sha256:{subject.sha256}" for subject in item.statement.subjects),
        predicate_type=item.statement.predicate_type,
        statement_digest=item.digest,
        signer=item.signer,
        gate=str(result.get("gate", "")) if is_result else KINDS.get(item.statement.predicate_type, "other"),
        verdict=result.get("verdict", "error") if is_result else "pass",
        failing=tuple(str(name) for name in failing) if isinstance(failing, list) else (),
        vulnerabilities=tuple(vulnerabilities_of(item.statement)),
        config_digest=str(result.get("config_digest", "")),
        issued_at=finished * MICROSECONDS if isinstance(finished, int) else made_us,
    )


def _moment(signed: Sequence[SignedStatement]) -> int:
    """When the version was made, as its provenance says: microseconds since 1970."""
    for item in signed:
        details = item.statement.predicate.get("runDetails")
        metadata = details.get("metadata") if isinstance(details, Mapping) else None
        finished = metadata.get("finishedOn") if isinstance(metadata, Mapping) else None
        if isinstance(finished, str):
            try:
                return int(datetime.fromisoformat(finished).timestamp()) * MICROSECONDS
            except ValueError:
                return 0
    return 0
