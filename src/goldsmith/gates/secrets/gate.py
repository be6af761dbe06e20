"""The stages of the secrets gate over one walk of the sealed tree; large files are read in parts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import IO

from goldsmith.components import attribute
from goldsmith.events import Emit, Progress
from goldsmith.gates.contract import DataUsed, Facts, Gate, Skipped, Subject
from goldsmith.gates.inventory.stack import is_shown_by_kernel
from goldsmith.gates.secrets.content import TooLarge, unpacked
from goldsmith.gates.secrets.findings import Findings
from goldsmith.gates.secrets.known import SHORTEST_FORM, SHORTEST_VALUE, KnownSearch, forms, searchable
from goldsmith.gates.secrets.packaged import PackagedFiles, packaged_files
from goldsmith.gates.secrets.passwords import tried
from goldsmith.gates.secrets.raw import as_raw, search_disk
from goldsmith.gates.secrets.rules import RuleSet, rule_set
from goldsmith.gates.secrets.windows import AFTER, windows
from goldsmith.gates.waivers import Waivable
from goldsmith.images.tree import shown
from goldsmith.machines.cancellation import Cancellation

LARGEST_FILE = 1_000_000_000
RESCAN = "known secrets: the build is over and they are gone; its own evidence stands"
NOT_BOOTED = "raw disk: no machine ran from it, and a file system that is written from a tree has no deleted files"


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsConfig(Waivable):
    """Attributes of a `gate "secrets"` block."""

    assignments: bool = attribute(True, "Whether to warn of text such as `password = …` in files that no package brought.")
    rules: tuple[str, ...] = attribute((), "Rule files in the form of gitleaks, beside the project file.", names_file=True)


@dataclass
class _Scan:
    """What one walk has found so far."""

    findings: Findings
    faults: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    modified: list[str] = field(default_factory=list)
    """Files that their package brought otherwise."""
    special: int = 0
    packaged: int = 0
    compiled: int = 0
    unpacked: int = 0
    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True)
class _Stages:
    """What each file is held against."""

    packaged: PackagedFiles
    everywhere: KnownSearch
    unpackaged: KnownSearch
    rules: RuleSet
    assignments: bool
    work: Path


class Secrets(Gate[SecretsConfig]):
    """Looks for known secrets, private keys, identities, logins and tokens. A finding never shows the secret."""

    name = "secrets"
    Config = SecretsConfig

    def examine(self, subject: Subject, config: SecretsConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Read every file of the tree and hold it against all stages. Raises `UserError` for a rule file that is wrong."""
        secrets = () if subject.is_rescan else subject.known_secrets
        wanted = forms(searchable(secrets))
        stages = _Stages(
            packaged=packaged_files(subject),
            everywhere=KnownSearch([form for form in wanted if len(form.data) >= SHORTEST_FORM]),
            unpackaged=KnownSearch(wanted),
            rules=_rules(subject, config),
            assignments=config.assignments,
            work=subject.work,
        )
        scan = _Scan(Findings(subject.salt))
        for path, place in _files(subject.tree, scan):
            if scan.files % 500 == 0:
                cancellation.check()
                emit(Progress(build=subject.image, what="files examined for secrets", done=scan.files, unit="files"))
            _examine_file(path, place, stages, scan)
        untried = _passwords(subject, scan)
        for secret in secrets:
            if 0 < len(secret.value) < SHORTEST_VALUE:
                scan.findings.too_short(secret.name, SHORTEST_VALUE)
        if subject.booted_build:
            _search_disk(subject, stages.everywhere, scan, cancellation)
        return _facts(subject, scan, stages, len(wanted), untried)

    def data_digests(self, subject: Subject, config: SecretsConfig) -> tuple[str, ...]:
        """The rules, and by its fingerprint each secret: with others, an old result does not stand."""
        known = (secret.value.encode() for secret in subject.known_secrets)
        return (_rules(subject, config).digest, *sorted(Findings(subject.salt).fingerprint("known", value) for value in known))


def _rules(subject: Subject, config: SecretsConfig) -> RuleSet:
    return rule_set(subject.root / name for name in config.rules)


def _files(tree: Path, scan: _Scan) -> Iterator[tuple[str, str]]:
    """Every regular file of the tree, by its path in it and its place; links are never followed, other things are counted."""
    root = len(os.fspath(tree).rstrip("/")) + 1
    waiting = [os.fspath(tree)]
    while waiting:
        directory = waiting.pop()
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError as error:
            scan.faults.append(f"/{directory[root:]}: {error.strerror}")
            continue
        below = [entry.path for entry in reversed(entries) if entry.is_dir(follow_symlinks=False)]
        if len(directory) < root:
            below = [path for path in below if not is_shown_by_kernel(path)]
        waiting += below
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                scan.files += 1
                yield entry.path[root:], entry.path
            elif not entry.is_symlink() and not entry.is_dir(follow_symlinks=False):
                scan.special += 1


def _examine_file(path: str, place: str, stages: _Stages, scan: _Scan) -> None:
    try:
        # A pipe that takes the place of a file meanwhile must not hold the gate.
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if os.fstat(descriptor).st_size > LARGEST_FILE:
                scan.too_large.append(path)
                return
            scan.size_bytes += os.fstat(descriptor).st_size
            if stages.packaged.is_unchanged(path, file):
                scan.packaged += 1
                _examine_packaged(path, file, stages, scan)
            else:
                if stages.packaged.has(path):
                    scan.modified.append(path)
                _examine_unpackaged(path, place, file, stages, scan)
    except OSError as error:
        scan.faults.append(f"/{shown(path)}: {error.strerror}")


def _examine_packaged(path: str, file: IO[bytes], stages: _Stages, scan: _Scan) -> None:
    for window in windows(file, max(AFTER, stages.everywhere.longest)):
        scan.findings.structure(path, window)
        scan.findings.known(path, window, stages.everywhere)


def _examine_unpackaged(path: str, place: str, file: IO[bytes], stages: _Stages, scan: _Scan) -> None:
    compiled = path.endswith(".pyc") and _has_source(place)
    scan.compiled += compiled
    for content in _contents(path, file, stages, scan):
        for window in windows(content, max(AFTER, stages.unpackaged.longest)):
            if content is file:
                scan.findings.structure(path, window)
            scan.findings.known(path, window, stages.unpackaged)
            if not compiled:
                scan.findings.unpackaged(path, window, stages.rules, stages.assignments)


def _contents(path: str, file: IO[bytes], stages: _Stages, scan: _Scan) -> Iterator[IO[bytes]]:
    yield file
    try:
        for content in unpacked(file, stages.work):
            scan.unpacked += 1
            yield content
    except TooLarge:
        scan.too_large.append(path)


def _has_source(place: str) -> bool:
    """Whether the source of compiled Python is there: what is in the one is in the other."""
    compiled = Path(place)
    directory = compiled.parent.parent if compiled.parent.name == "__pycache__" else compiled.parent
    return (directory / f"{compiled.name.partition('.')[0]}.py").is_file()


def _passwords(subject: Subject, scan: _Scan) -> list[str]:
    """Tries each secret of the build on each account. Returns the accounts whose kind of hash is not known here."""
    untried: set[str] = set()
    secrets = {} if subject.is_rescan else {secret.value: secret.name for secret in subject.known_secrets if secret.value}
    for name in ("etc/shadow", "etc/shadow-"):
        shadow = subject.tree / name
        if shadow.is_symlink() or not shadow.is_file():
            continue
        for line in shadow.read_text(errors="replace").splitlines():
            account, _, rest = line.partition(":")
            # A locked password keeps its hash, from which it can be guessed at leisure.
            stored = rest.partition(":")[0].lstrip("!")
            if not stored or stored.startswith("*"):
                continue
            for value, secret in secrets.items():
                outcome = tried(value, stored)
                if outcome == "fits":
                    scan.findings.known_password(f"/{name}", account, secret, value)
                elif outcome == "unknown kind":
                    untried.add(account)
    return sorted(untried)


def _search_disk(subject: Subject, search: KnownSearch, scan: _Scan, cancellation: Cancellation) -> None:
    if subject.disk is None:
        scan.faults.append("the disk of a build that booted is not here")
        return
    for form, offset in search_disk(as_raw(subject.disk, subject.disk_format, subject.work), search, cancellation):
        scan.findings.on_disk(form, offset)


def _facts(subject: Subject, scan: _Scan, stages: _Stages, known_forms: int, untried: list[str]) -> Facts:
    skipped = (
        Skipped(reason="unchanged files of packages: no rules, known secrets only", count=scan.packaged),
        Skipped(reason="compiled Python whose source is examined: known secrets only", count=scan.compiled),
        Skipped(reason="devices, sockets and pipes", count=scan.special),
        Skipped(reason="too large to read or to unpack", count=len(scan.too_large), sample=_sample(scan.too_large)),
        Skipped(reason="accounts whose kind of hash libcrypt does not know", count=len(untried), sample=_sample(untried)),
        Skipped(reason=RESCAN, count=int(subject.is_rescan)),
        Skipped(reason=NOT_BOOTED, count=int(not subject.booted_build)),
    )
    doubts = []
    if subject.sensitive and not subject.known_secrets and not subject.is_rescan:
        doubts.append(f"the template has sensitive values ({', '.join(subject.sensitive)}), and none was handed to the gate")
    unknown = stages.packaged.unknown
    return Facts(
        engine="goldsmith-secrets",
        engine_version=installed_version("goldsmith"),
        examined=scan.files + len(scan.faults),
        evaluated=scan.files - len(scan.too_large),
        errors=len(scan.faults),
        skipped=tuple(item for item in skipped if item.count),
        data=(DataUsed(name="the rules for tokens", digest=stages.rules.digest, published=0, age_s=0),),
        findings=scan.findings.found(),
        messages=(
            *scan.faults,
            f"{known_forms} forms of known secrets were searched for",
            f"{len(stages.packaged.sums)} sums of packaged files were known, from {stages.packaged.origin}",
            *([f"of {len(unknown)} packages nothing is known: {', '.join(unknown[:10])}"] if unknown else []),
        ),
        measures={
            "size_bytes": scan.size_bytes,
            "rules": len(stages.rules.rules),
            "contents_unpacked": scan.unpacked,
            "packaged_files_modified": len(scan.modified),
        },
        doubts=tuple(doubts),
    )


def _sample(names: list[str]) -> tuple[str, ...]:
    return tuple(shown(name) for name in names[:10])
