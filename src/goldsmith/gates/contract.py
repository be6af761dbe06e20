"""The contract of a gate: what it is given, the facts it reports, and the result that becomes evidence."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Literal, TypeAlias, TypeVar

from goldsmith.components import Component
from goldsmith.events import Emit
from goldsmith.machines.cancellation import Cancellation

Verdict: TypeAlias = Literal["pass", "warn", "fail", "error"]
Effect: TypeAlias = Literal["fail", "warn", "info"]
C = TypeVar("C")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSecret:
    """A secret that the builder handed to the build; lives in memory only."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the project says that the image offers."""

    ports: tuple[str, ...] = ()
    """Listening sockets as "tcp/80"."""
    services: tuple[str, ...] = ()
    login: str = "root"
    target: str = "multi-user.target"


class Examination:
    """Stands for one look at one subject: what gates read of it together is kept as long as this lasts (`sharing.py`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A sealed version as gates see it. Nothing of it may be changed or run on the host."""

    image: str
    disk_digest: str
    """`sha256:<hex>`: the root of the SHA-256 tree over the raw disk."""
    tree: Path
    """The sealed root file system as a directory; gates read it and never follow links out of it."""
    disk: Path | None
    """The qcow2 or raw file, for gates that boot."""
    disk_format: Literal["qcow2", "raw"] = "qcow2"
    boot: Mapping[str, str] = field(default_factory=dict)
    """kernel, initrd, cmdline: paths in the tree and the command line."""
    parent: str | None = None
    layers: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    """The directories of `layers`, as far as they are at hand: they tell what brought a package, nothing else."""
    parent_layers: int = 0
    """How many of them, from the bottom, are the parent's."""
    known_secrets: tuple[KnownSecret, ...] = ()
    sensitive: tuple[str, ...] = ()
    """Names of the template's sensitive variables that have a value: their values must be among `known_secrets`."""
    is_rescan: bool = False
    """The build is over and its secrets are gone: the evidence of the build stands for them."""
    booted_build: bool = False
    """A machine ran from this disk while it was built, so deleted files may still be in its free blocks."""
    salt: bytes = field(default=b"", repr=False)
    """The store's key for fingerprints of secrets; itself a secret."""
    declared: Declared = field(default_factory=Declared)
    keyring: Path | None = None
    """The archive keys that the source trusted, for gates that read an archive's index."""
    lists: Path | None = None
    """The package manager's cached lists with their signed InRelease files."""
    earlier_lists: tuple[Path, ...] = ()
    """The same of other days, as far as this host still has them."""
    offered: Callable[[Path, Sequence[str]], Mapping[str, Path]] | None = field(default=None, repr=False)
    """Gets packages of the archive by their SHA-256 in the lists, each verified; those that cannot be had are left out."""
    work: Path = Path("/tmp")
    """A private directory for the gate, removed afterwards; what is to be kept is named in `Facts.artefacts`."""
    cache: Path = Path("/nonexistent")
    """The directory that all projects of this host share; the journal is in it."""
    root: Path = Path("/nonexistent")
    """The directory of the project: names in a gate block are looked up there."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """The `Config` of each gate of the project by name: the boot gate judges by those of hardening what only a boot shows."""
    now_s: int = 0
    """The real time, by which ages are measured; never a time that a build is pinned to."""
    examination: Examination = field(default_factory=Examination, repr=False, compare=False)
    """The same for all gates that look at the same tree; a subject with another tree gets another one."""

    @property
    def has_disk_digest(self) -> bool:
        """Whether there is a disk that was hashed: a tree or layers by themselves have the digest of nothing."""
        return re.fullmatch(r"sha256:[0-9a-f]{64}", self.disk_digest) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a gate noticed."""

    id: str
    rule: str
    severity: str = "unknown"
    effect: Effect = "info"
    subject: str = ""
    """A purl, a unit, a socket or a path."""
    path: str = ""
    line: int = 0
    fix: str = ""
    detail: str = ""
    fingerprint: str = ""
    severity_source: str = ""
    aliases: tuple[str, ...] = ()
    """Other names of the same thing: a waiver may use any of them."""
    layer: str = ""
    """`sha256:<hex>` of the layer that brought it, when it is known."""
    remarks: tuple[str, ...] = ()
    """What waivers and rules say of it; `detail` holds them too."""
    stays: bool = False
    """No waiver removes it: it tells what a waiver is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """A finding that a person has decided about, until a day."""

    finding: Finding
    by: str
    """The owner of the decision: of the `ignore` block, or the author of the VEX statement."""
    until: int
    """Seconds since 1970."""
    reason: str
    source: str
    """`ignore`, or the name of the VEX document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Things that were not examined, and why."""

    reason: str
    count: int
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """A number that must be reached for a result to mean anything."""

    name: str
    wanted: int
    got: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DataUsed:
    """Outside data that a verdict rests on. `max_age_s` 0 means that it does not age."""

    name: str
    digest: str
    published: int
    age_s: int
    max_age_s: int = 0
    verified: bool = True
    """Whether a signature of the data was checked and good, or the project asks for none."""
    unverified_because: str = ""
    renew: str = ""
    """What brings it up to date: a command, or a short sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a gate found out. `judge` turns it into a verdict; a gate gives none."""

    engine: str
    engine_version: str
    examined: int
    evaluated: int
    errors: int = 0
    skipped: tuple[Skipped, ...] = ()
    floors: tuple[Floor, ...] = ()
    data: tuple[DataUsed, ...] = ()
    findings: tuple[Finding, ...] = ()
    messages: tuple[str, ...] = ()
    artefacts: Mapping[str, Path] = field(default_factory=dict)
    """Files worth keeping: serial log, probe report, screendump."""
    measures: Mapping[str, int] = field(default_factory=dict)
    """Whole numbers worth recording, with the unit in the name: boot_ms."""
    ignored: tuple[Ignored, ...] = ()
    """Findings that do not count because of a waiver that still holds."""
    doubts: tuple[str, ...] = ()
    """Sentences that each make the result an ERROR: a distribution past its end of life, a rule that has no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The judged outcome of one gate over one sealed disk: the content of its evidence."""

    gate: str
    verdict: Verdict
    disk_digest: str
    facts: Facts
    failing: tuple[str, ...]
    """Ids of the findings whose effect is fail."""
    reasons: tuple[str, ...]
    """Why the verdict is not pass, in sentences."""
    config_digest: str
    started: int
    finished: int
    """Seconds since 1970."""


class Gate(Component[C]):
    """A check of a sealed version that yields facts. `examine` never changes the subject and never gives a verdict."""

    name: ClassVar[str]
    is_slow: ClassVar[bool] = False
    """Takes minutes: it runs after the quick gates, and not at all when one of them failed."""

    @abstractmethod
    def examine(self, subject: Subject, config: C, emit: Emit, cancellation: Cancellation) -> Facts:
        """Find the facts. An exception becomes an ERROR verdict that names it."""

    def check_files(self, config: C, root: Path) -> None:  # most gates name no files
        """Read the files below `root` that the gate's block names, without an image: what is wrong with them now stays wrong.

        Raises `UserError` with every fault.
        """

    def data_digests(self, subject: Subject, config: C) -> Sequence[str]:
        """Digests of the outside data that the verdict rests on now; when they are as before, an old result still stands."""
        return ()
