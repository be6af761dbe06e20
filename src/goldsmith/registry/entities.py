"""What the registry hands out: frozen records of versions, evidence, channels and their history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from goldsmith.registry.canonical import JSON

Verdict: TypeAlias = Literal["pass", "warn", "fail", "error"]
AssignmentKind: TypeAlias = Literal["promote", "rollback", "revoke", "break_glass", "clear"]
ChannelState: TypeAlias = Literal["open", "frozen", "quarantined"]
StorageState: TypeAlias = Literal["present", "expiring", "deleting", "deleted"]
REMADE = "remade"
OnChannels: TypeAlias = Literal["rollback", "quarantine", "leave"]
OnUnfit: TypeAlias = Literal["warn", "block", "rollback"]


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file that `register` takes into the store."""

    kind: str
    """The format: raw, qcow2."""
    path: Path
    digest: str = ""
    """`sha256:<hex>` of the file, when the caller knows it; then a stored file is not read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRecord:
    """Bytes of a version in one place and format."""

    kind: str
    """The format: raw, qcow2, ami."""
    digest: str
    """`sha256:<hex>` of the file as it is."""
    size: int
    """Bytes, holes counted as bytes."""
    external_id: str
    """Where it is: an absolute path, or an id in a cloud. Equal to `digest` for a file of the blob store."""
    platform: str = "local"
    account: str = ""
    region: str = ""
    bound_by: str = "full"
    """How the digest was learned: full, sampled(n), declared, or remade: the file is made from layers when it is asked for."""
    state: str = "published"

    @property
    def in_store(self) -> bool:
        """Whether the bytes are a blob of the registry's own store."""
        return self.platform == "local" and self.external_id == self.digest and self.bound_by != REMADE


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A blob of the store that belongs to a version."""

    role: str
    """A disk's format, `layer` or `recipe`."""
    digest: str
    size: int

    @property
    def is_disk(self) -> bool:
        """Whether it is a file of the version's disk."""
        return self.role not in ("layer", "recipe")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed package of a layer, for questions of impact."""

    purl_type: str
    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One immutable, numbered build of an image."""

    id: int
    image: str
    number: int
    digest: str
    parent: str | None
    """The digest of the version that it was built on."""
    inputs_digest: str
    created_at: int
    """Microseconds since 1970, by the database's clock."""
    builder: str
    storage: StorageState
    revoked: str = ""
    """Why it is unfit now, or empty: its own revocation or that of an ancestor."""
    existed: bool = False
    """Set by `register`: the registry knew this digest before."""

    @property
    def ref(self) -> str:
        """The short name that commands take: `web:41`."""
        return f"{self.image}:{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """An accepted statement about a version."""

    version: str
    disk: str
    """The disk's digest, or empty when it is about all disks."""
    gate: str
    predicate_type: str
    statement_digest: str
    blob: str
    signer: str
    verdict: Verdict
    failing: tuple[str, ...]
    config_digest: str
    issued_at: int
    expires_at: int | None
    seq: int
    existed: bool = False
    """Set by `attest`: the statement was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownVulnerability:
    """A vulnerability of a package that evidence tells of, whatever it means for the verdict."""

    id: str
    package: str
    purl: str
    layer: str = ""
    """The layer that brought the package, when it is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """What is left of a bundle after its signature was found good."""

    subjects: tuple[str, ...]
    """Digests of a version, of its disks or of its artifacts."""
    predicate_type: str
    statement_digest: str
    signer: str
    """The id of the key that signed."""
    gate: str
    """The gate, or the kind of evidence: provenance, sbom."""
    verdict: Verdict
    failing: tuple[str, ...] = ()
    vulnerabilities: tuple[KnownVulnerability, ...] = ()
    config_digest: str = ""
    issued_at: int = 0
    """Microseconds since 1970, as the signer says."""
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a waiver counts: everything that the parts that are given name."""

    image: str = ""
    channel: str = ""
    version: str = ""
    """Its digest."""

    def covers(self, image: str, channel: str, version: str) -> bool:
        """Whether a version in a channel of an image is meant."""
        return self.image in ("", image) and self.channel in ("", channel) and self.version in ("", version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A finding that somebody takes upon themselves until a time, signed."""

    finding: str
    """The id of a failing finding, as evidence names it."""
    scope: Scope
    reason: str
    owner: str
    """Who answers for it."""
    expires_at: int
    """Microseconds since 1970."""
    key: str = ""
    """The id of the key that signed."""
    statement_digest: str = ""
    bundle: str = ""
    """The signed statement."""
    id: int = 0
    """Its number in the registry."""

    @property
    def document(self) -> Mapping[str, JSON]:
        """What is signed."""
        scope = {"image": self.scope.image, "channel": self.scope.channel, "version": self.scope.version}
        said = {"finding": self.finding, "reason": self.reason, "owner": self.owner}
        return {**said, "scope": scope, "expires_at": self.expires_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A named pointer of an image."""

    image: str
    name: str
    generation: int
    version: str | None
    number: int | None
    state: ChannelState
    reason: str
    policy: Mapping[str, JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One move of a channel; it ended where the next generation begins."""

    image: str
    channel: str
    generation: int
    version: str | None
    number: int | None
    kind: AssignmentKind
    actor: str
    reason: str
    at: int
    seq: int
    decision_digest: str | None = None
    expires_at: int | None = None
    request: int | None = None
    """The number of the promotion that it was a part of: `rollback` undoes that as a whole."""
    moved: bool = True
    """False when the channel was there already, or when the call was a dry run."""
    notes: tuple[str, ...] = ()
    """Of a rollback: candidates that were passed over and why, and verdicts that have turned bad since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One move of a promotion."""

    image: str
    channel: str
    reference: str
    if_generation: int | None = None
    """The generation that the channel must be at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A yes that somebody signed."""

    approver: str
    key: str
    """The id of the key that signed."""
    binds_digest: str
    """The digest of what was approved: `Request.binding`."""
    statement_digest: str
    bundle: str = ""
    """The signed statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A promotion that waits for approvals."""

    id: int
    targets: tuple[Mapping[str, JSON], ...]
    """Each with image, channel, version, generation and policy: what was asked for, and of which state."""
    created_by: str
    expires_at: int
    state: str
    """open, committed, expired or superseded: a channel or a policy is another one by now."""
    approvals: tuple[Approval, ...]

    @property
    def binding(self) -> Mapping[str, JSON]:
        """What an approval is given for; its digest is signed."""
        return {"request": self.id, "targets": [dict(item) for item in self.targets], "expires_at": self.expires_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSummary:
    """A line of `goldsmith images`."""

    name: str
    versions: int
    newest: Version | None
    channels: Mapping[str, int | None]
    """Channel name to version number."""
    size: int
    """Bytes of its artifacts that are present, each file once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """A declaration that a version is unfit."""

    version: str
    ref: str
    """The version as `web:41`."""
    reason: str
    actor: str
    effective_at: int
    owner: str = ""
    """Who sees to it that it is mended."""
    moved: tuple[Assignment, ...] = ()
    """The channels that left the version or one of its descendants in the same transaction."""
    quarantined: tuple[str, ...] = ()
    """Channels as `web@prod` that found no fit version to go back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An entry of the audit log."""

    seq: int
    at: int
    actor: str
    type: str
    request: str
    data: Mapping[str, JSON]
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What the maker of a version says of it in words; nothing of it is content, so the digest does not depend on it."""

    bucket: str = ""
    """What the template calls the image (Packer: `bucket_name`)."""
    description: str = ""
    image: Mapping[str, str] = field(default_factory=dict)
    """Packer: `bucket_labels`."""
    version: Mapping[str, str] = field(default_factory=dict)
    """Packer: `build_labels`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetail:
    """Everything about one version."""

    version: Version
    document: Mapping[str, JSON]
    parent: Version | None
    children: tuple[Version, ...]
    artifacts: tuple[ArtifactRecord, ...]
    evidence: tuple[Evidence, ...]
    channels: tuple[Channel, ...]
    pins: tuple[str, ...]
    labels: Labels = field(default_factory=Labels)
    parts: tuple[Part, ...] = ()
    """Its blobs in the store: disks, or the layers that they are made from."""
    history: tuple[LoggedEvent, ...] = field(default=())
