"""The stages of the secrets gate over one walk of the sealed tree; each file is read once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path

from goldsmith.components import attribute
from goldsmith.events import Emit, Progress
from goldsmith.gates.contract import Facts, Finding, Gate, Skipped, Subject
from goldsmith.gates.secrets.assignments import find_assignments
from goldsmith.gates.secrets.content import TooLarge, unpacked
from goldsmith.gates.secrets.known import SHORTEST_FORM, SHORTEST_VALUE, KnownSearch, forms, opens, searchable
from goldsmith.gates.secrets.packaged import PackagedFiles
from goldsmith.gates.secrets.structural import PRIVATE_KEY, detect
from goldsmith.gates.secrets.tokens import find_tokens
from goldsmith.machines.cancellation import Cancellation

LARGEST_FILE = 1_000_000_000
NOISE = ("var/lib/dpkg/status", "var/lib/dpkg/available", "var/cache/debconf/", "var/lib/ucf/", "usr/share/doc/")
"""Package data whose words look like assignments: debconf's questions, descriptions, change logs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsConfig:
    """Attributes of a `gate "secrets"` block."""

    assignments: bool = attribute(True, "Whether to warn of text such as `password = …` in files that no package brought.")


@dataclass
class _Scan:
    """What one walk has found so far."""

    findings: list[Finding] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    too_large: list[str] = field(default_factory=list)
    special: int = 0
    packaged: int = 0
    files: int = 0


class Secrets(Gate[SecretsConfig]):
    """Looks for known secrets, private keys, identities, logins and tokens. A finding never shows the secret."""

    name = "secrets"
    Config = SecretsConfig

    def examine(self, subject: Subject, config: SecretsConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Read every file of the tree once and hold it against all stages."""
        wanted = forms(searchable(subject.known_secrets))
        everywhere = KnownSearch([form for form in wanted if len(form.data) >= SHORTEST_FORM])
        unpackaged = KnownSearch(wanted)
        packaged = PackagedFiles(subject.tree)
        scan = _Scan()
        for path, place in _files(subject.tree, scan):
            if scan.files % 500 == 0:
                cancellation.check()
                emit(Progress(build=subject.image, what="files examined for secrets", done=scan.files, unit="files"))
            _examine_file(path, place, packaged, everywhere, unpackaged, config, scan)
        scan.findings += _passwords(subject)
        short = [secret.name for secret in subject.known_secrets if 0 < len(secret.value) < SHORTEST_VALUE]
        scan.findings += [_too_short(name) for name in short]
        return _facts(scan, len(packaged), len(wanted))


def _files(tree: Path, scan: _Scan) -> Iterator[tuple[str, Path]]:
    """Every regular file of the tree; links are never followed, devices and sockets are counted."""
    for directory, names, files in os.walk(tree, onerror=lambda error: scan.faults.append(str(error))):
        names.sort()
        for name in sorted(files):
            place = Path(directory) / name
            if place.is_symlink():
                continue
            if not place.is_file():
                scan.special += 1
                continue
            scan.files += 1
            yield str(place.relative_to(tree)), place


def _examine_file(
    path: str,
    place: Path,
    packaged: PackagedFiles,
    everywhere: KnownSearch,
    unpackaged: KnownSearch,
    config: SecretsConfig,
    scan: _Scan,
) -> None:
    try:
        if place.stat().st_size > LARGEST_FILE:
            scan.too_large.append(path)
            return
        data = place.read_bytes()
    except OSError as error:
        scan.faults.append(f"/{path}: {error.strerror}")
        return
    scan.findings += [_finding(found.rule, f"/{path}", 0, found.detail, found.fix) for found in detect(path, data)]
    if packaged.is_unchanged(path, data):
        scan.packaged += 1
        scan.findings += _known(path, data, everywhere)
        return
    for content in _contents(path, data, scan):
        scan.findings += _known(path, content, unpackaged)
        scan.findings += _unpackaged(path, content, config)


def _contents(path: str, data: bytes, scan: _Scan) -> Iterator[bytes]:
    yield data
    try:
        yield from unpacked(data)
    except TooLarge:
        scan.too_large.append(path)


def _known(path: str, data: bytes, search: KnownSearch) -> Iterator[Finding]:
    for form, offset in search.find(data):
        detail = f"{form.secret}, {form.encoding}, which was given to the build only"
        yield _finding(
            "known-secret", f"/{path}", _line(data, offset), detail, "Keep it out of files; use it while building only."
        )


def _unpackaged(path: str, data: bytes, config: SecretsConfig) -> Iterator[Finding]:
    if PRIVATE_KEY.is_one(data):
        yield _finding(PRIVATE_KEY.rule, f"/{path}", 0, PRIVATE_KEY.detail, PRIVATE_KEY.fix)
    for token, offset in find_tokens(data):
        yield _finding(token.rule, f"/{path}", _line(data, offset), token.detail, "Delete it and revoke it at its provider.")
    if config.assignments and not path.startswith(NOISE):
        for name, offset in find_assignments(path, data):
            detail = f'"{name}" is given a value'
            yield _finding("assignment", f"/{path}", _line(data, offset), detail, "Is it a credential? Then remove it.", "warn")


def _passwords(subject: Subject) -> Iterator[Finding]:
    """Whether a secret of the build is the password of an account."""
    shadow = subject.tree / "etc/shadow"
    if shadow.is_symlink() or not shadow.is_file():
        return
    for line in shadow.read_text(errors="replace").splitlines():
        account, _, rest = line.partition(":")
        stored = rest.partition(":")[0]
        if not stored.startswith("$"):
            continue
        for secret in subject.known_secrets:
            if secret.value and opens(secret.value, stored):
                yield _finding(
                    "known-password", "/etc/shadow", 0, f"{secret.name} opens the account {account}", "Lock the account."
                )


def _too_short(name: str) -> Finding:
    detail = f"{name} has fewer than {SHORTEST_VALUE} characters and cannot be searched for"
    return Finding(id=f"too-short {name}", rule="too-short", effect="warn", detail=detail, fix="Use a longer secret.")


def _finding(rule: str, path: str, line: int, detail: str, fix: str, effect: str = "fail") -> Finding:
    return Finding(
        id=f"{rule} {path}",
        rule=rule,
        severity="critical" if effect == "fail" else "low",
        effect="fail" if effect == "fail" else "warn",
        path=path,
        line=line,
        detail=detail,
        fix=fix,
    )


def _line(data: bytes, offset: int) -> int:
    """The 1-based line of an offset; 0 in binary data."""
    return 0 if b"\0" in data[:4096] else data.count(b"\n", 0, offset) + 1


def _facts(scan: _Scan, known_sums: int, known_forms: int) -> Facts:
    skipped: Sequence[Skipped] = (
        Skipped(reason="unchanged files of packages: no rules, known secrets only", count=scan.packaged),
        Skipped(reason="devices, sockets and pipes", count=scan.special),
        Skipped(reason="too large to read or to unpack", count=len(scan.too_large), sample=tuple(scan.too_large[:10])),
    )
    unique = {(finding.id, finding.line): finding for finding in scan.findings}
    return Facts(
        engine="goldsmith-secrets",
        engine_version=installed_version("goldsmith"),
        examined=scan.files + len(scan.faults),
        evaluated=scan.files - len(scan.too_large),
        errors=len(scan.faults),
        skipped=tuple(item for item in skipped if item.count),
        findings=tuple(unique.values()),
        messages=(
            *scan.faults,
            f"{known_forms} forms of known secrets were searched for",
            f"{known_sums} file sums of packages were taken from the image itself",
        ),
    )
