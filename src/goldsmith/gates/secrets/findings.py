"""Findings of the secrets gate: they tell the rule, the place, the length and a fingerprint, and never the secret."""

from __future__ import annotations

from goldsmith.gates.contract import Effect, Finding
from goldsmith.gates.secrets.fingerprint import fingerprint, length_class
from goldsmith.gates.secrets.generic import find_assigned
from goldsmith.gates.secrets.known import Form, KnownSearch
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.secrets.structural import DETECTORS, PRIVATE_KEY, Detector, detect
from goldsmith.gates.secrets.windows import Window
from goldsmith.images.tree import shown

NOISE = (
    "var/lib/dpkg/status",
    "var/lib/dpkg/available",
    "var/lib/dpkg/info/",
    "var/lib/apt/lists/",
    "var/cache/debconf/",
    "var/cache/apt/",
    "var/lib/ucf/",
    "usr/share/doc/",
    "usr/share/man/",
    "lib/apk/db/",
)
"""Package data whose words look like assignments: debconf's questions, descriptions, change logs."""
_NO_LENGTH = frozenset({*(detector.rule for detector in DETECTORS), PRIVATE_KEY.rule, "known-secret", "known-password"})
"""Findings of whole files, and of secrets whose length says too much of them or nothing."""


class Findings:
    """Collects findings, each once."""

    def __init__(self, salt: bytes) -> None:
        self._salt = salt
        self._found: dict[tuple[str, int, str], Finding] = {}

    def found(self) -> tuple[Finding, ...]:
        """All findings, sorted by place: files are examined by several threads."""
        return tuple(sorted(self._found.values(), key=lambda item: item.path))

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._found)

    def take(self, others: Findings) -> None:
        """Add those of others that are not here."""
        for finding in others._found.values():
            self._keep(finding)

    def fingerprint(self, kind: str, value: bytes) -> str:
        """What stands for a secret."""
        return fingerprint(self._salt, kind, value)

    def structure(self, path: str, window: Window) -> None:
        """What the path and the shape of a file say."""
        for found in detect(path, window.data):
            self._detected(found, path, window.data)

    def known(self, path: str, window: Window, search: KnownSearch) -> None:
        """Known secrets in a content."""
        for form, offset in search.find(window.data):
            if not window.owns(offset):
                continue
            self._add(
                "known-secret",
                path,
                window.line_of(offset),
                f"{form.secret}, {form.encoding}, which was given to the build only",
                "Keep it out of files; use it while building only.",
                form.value,
            )

    def unpackaged(self, path: str, window: Window, rules: RuleSet, assignments: bool) -> None:
        """Keys, tokens and assignments in a content that no package brought."""
        data = window.data
        if PRIVATE_KEY.is_one(data):
            self._detected(PRIVATE_KEY, path, data)
        for token in rules.find(path, data):
            if window.owns(token.start):
                detail, line = token.rule.description, window.line_of(token.start)
                self._add(token.rule.id, path, line, detail, "Delete it, and revoke it at its provider.", token.secret)
        if assignments and window.is_whole and not path.startswith(NOISE):
            for item in find_assigned(path, data):
                line, detail = window.line_of(item.start), f'"{item.name}" is given a value'
                self._add("assignment", path, line, detail, "Is it a credential? Then remove it.", item.value, "warn")

    def known_password(self, path: str, account: str, secret: str, value: str) -> None:
        """A secret of the build that opens an account."""
        detail = f"{secret} opens the account {account}"
        self._add("known-password", path.lstrip("/"), 0, detail, "Lock the account.", value.encode())

    def on_disk(self, form: Form, offset: int) -> None:
        """A known secret in a block of the disk."""
        rule = "known-secret-on-disk"
        self._keep(
            Finding(
                id=f"{rule} {offset}",
                rule=rule,
                severity="critical",
                effect="fail",
                subject="disk",
                detail=f"{form.secret}, {form.encoding}, at byte {offset} of the disk",
                fix="Run fstrim, or write zeros, when the build ends.",
                fingerprint=self.fingerprint(rule, form.value),
            )
        )

    def too_short(self, name: str, shortest: int) -> None:
        """A secret that cannot be searched for."""
        detail = f"{name} has fewer than {shortest} characters and cannot be searched for"
        self._keep(Finding(id=f"too-short {name}", rule="too-short", effect="warn", detail=detail, fix="Use a longer secret."))

    def _detected(self, detector: Detector, path: str, data: bytes) -> None:
        self._add(detector.rule, path, 0, detector.detail, detector.fix, data, detector.effect)

    def _add(self, rule: str, path: str, line: int, detail: str, fix: str, secret: bytes, effect: Effect = "fail") -> None:
        place = "/" + shown(path)
        mark = self.fingerprint(rule, secret)
        size = "" if rule in _NO_LENGTH else f", {length_class(len(secret))}"
        self._keep(
            Finding(
                id=f"{rule} {place}",
                rule=rule,
                severity="critical" if effect == "fail" else "low",
                effect=effect,
                path=place,
                line=line,
                detail=f"{detail}{size}",
                fix=fix,
                fingerprint=mark,
            )
        )

    def _keep(self, finding: Finding) -> None:
        self._found.setdefault((finding.id, finding.line, finding.fingerprint), finding)
