"""The gate itself: its settings, and what its result rests on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from goldsmith.components import attribute
from goldsmith.events import Emit
from goldsmith.gates.contract import Facts, Gate, Subject
from goldsmith.gates.secrets.fingerprint import fingerprint
from goldsmith.gates.secrets.rules import RuleSet, rule_set
from goldsmith.gates.waivers import Waivable
from goldsmith.machines.cancellation import Cancellation


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretsConfig(Waivable):
    """Attributes of a `gate "secrets"` block."""

    assignments: bool = attribute(True, "Whether to warn of text such as `password = …` in files that no package brought.")
    rules: tuple[str, ...] = attribute((), "Rule files in the form of gitleaks, beside the project file.", names_file=True)


class Secrets(Gate[SecretsConfig]):
    """Looks for known secrets, private keys, identities, logins and tokens. A finding never shows the secret."""

    name = "secrets"
    Config = SecretsConfig

    def examine(self, subject: Subject, config: SecretsConfig, emit: Emit, cancellation: Cancellation) -> Facts:
        """Read every file of the tree and hold it against all stages. Raises `UserError` for a rule file that is wrong."""
        from goldsmith.gates.secrets.examination import examine_tree

        return examine_tree(subject, _rules(subject, config), config.assignments, emit, cancellation)

    def check_files(self, config: SecretsConfig, root: Path) -> None:
        """Read the rule files."""
        rule_set(root / name for name in config.rules)

    def data_digests(self, subject: Subject, config: SecretsConfig) -> tuple[str, ...]:
        """The rules, and by its fingerprint each secret: with others, an old result does not stand."""
        known = (secret.value.encode() for secret in subject.known_secrets)
        return (_rules(subject, config).digest, *sorted(fingerprint(subject.salt, "known", value) for value in known))


def _rules(subject: Subject, config: SecretsConfig) -> RuleSet:
    return rule_set(subject.root / name for name in config.rules)
