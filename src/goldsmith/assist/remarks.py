"""What a review has to say of a place in a file; never the secret that stands there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from goldsmith.gates.contract import Effect
from goldsmith.gates.secrets.fingerprint import fingerprint
from goldsmith.gates.secrets.generic import find_assigned
from goldsmith.gates.secrets.rules import RuleSet
from goldsmith.gates.secrets.structural import PRIVATE_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One finding of a review."""

    rule: str
    effect: Effect
    file: str
    line: int
    column: int
    """Both 1-based."""
    what: str
    fix: str
    fingerprint: str
    """What an `ignore` block names; it depends on the secret, or on the words of the line, and not on where the line stands."""


@dataclass(frozen=True)
class Remarks:
    """Makes the remarks about one file."""

    file: str
    text: str
    rules: RuleSet
    salt: bytes

    def at(self, offset: int, rule: str, effect: Effect, what: str, fix: str, secret: str = "") -> Remark:
        """A remark about a place, by its offset in characters. Without a secret, the line is what it is known by."""
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        subject = secret or self.text[start : end if end >= 0 else None].strip()
        return Remark(
            rule=rule,
            effect=effect,
            file=self.file,
            line=self.text.count("\n", 0, offset) + 1,
            column=offset - start + 1,
            what=what,
            fix=fix,
            fingerprint=fingerprint(self.salt, rule, subject.encode()),
        )

    def tokens(self) -> Iterator[Remark]:
        """Tokens and private keys, whose form alone gives them away."""
        data = self.text.encode()
        for token in self.rules.find(self.file, data):
            offset = len(data[: token.start].decode(errors="replace"))
            fix = "Remove it, revoke it at its provider, and hand it over as a sensitive variable."
            yield self.at(offset, token.rule.id, "fail", f"{token.rule.description} stands here", fix, token.secret.decode())
        if PRIVATE_KEY.is_one(data):
            offset = max(0, self.text.find("-----BEGIN"))
            yield self.at(
                offset, "private-key", "fail", "a private key stands here", "Make it anew, and keep it in a secret store."
            )

    def assigned(self, rule: str, start: int = 0, text: str | None = None) -> Iterator[Remark]:
        """Credentials by the names that they are given to, in a stretch of the file or in a text that stands at its start."""
        data = (self.text if text is None else text).encode()
        for item in find_assigned(self.file, data):
            offset = start + len(data[: item.start].decode(errors="replace")) if text is None else start
            what = f'"{item.name}" has its value here'
            yield self.at(
                offset, rule, "fail", what, "Hand it over as a sensitive variable.", item.value.decode(errors="replace")
            )
