"""The rules of retention: what keeps versions of an image and of a channel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from goldsmith.registry.canonical import JSON, digest_of
from goldsmith.registry.sweeping import CONDEMNED_S


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRule:
    """What keeps versions of one image, or of one channel. A version that any part keeps is kept."""

    keep_last: int = 0
    """How many newest versions are kept; of a channel: how many that came into it last."""
    keep_for_s: int = 0
    """How long a version is kept after it was made; of a channel: after it left the channel."""
    retain_at_least: int = 0
    """How many versions that are not revoked are kept, however old, so that there is always something to use; of a channel:
    that came into it on a passing decision."""

    def document(self) -> list[JSON]:
        """As it enters the digest of a policy."""
        return [self.keep_last, self.keep_for_s, self.retain_at_least]


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """What keeps a version; it is a candidate only when no rule keeps it and a rule speaks of its image."""

    keep_last: int = 5
    """How many newest versions of each image are kept; the newest one always is."""
    keep_for_s: int = 90 * 86_400
    retain_at_least: int = 0
    grace_s: int = 7 * 86_400
    """The time between marking a version and deleting it."""
    bytes_wait_s: int = CONDEMNED_S
    """The time between deleting a version and deleting its bytes."""
    disabled_s: int = 86_400
    """The time between disabling a copy in a cloud and deregistering it."""
    enabled: bool = True
    images: Mapping[str, KeepRule] = field(default_factory=dict)
    """Rules of images that have their own."""
    others: frozenset[str] | None = None
    """The images that the general rule is for; None: all that have none of their own."""
    channels: Mapping[str, KeepRule] = field(default_factory=dict)
    """Rules of channels by name, the same for every image."""

    def rule(self, image: str) -> KeepRule | None:
        """The rule of an image; None when no rule speaks of it, so that all of its versions are kept."""
        if image in self.images:
            return self.images[image]
        if self.others is not None and image not in self.others:
            return None
        return KeepRule(keep_last=self.keep_last, keep_for_s=self.keep_for_s, retain_at_least=self.retain_at_least)

    @property
    def digest(self) -> str:
        """Names the policy in certificates."""
        document: JSON = {
            "keep_last": self.keep_last,
            "keep_for_s": self.keep_for_s,
            "retain_at_least": self.retain_at_least,
            "grace_s": self.grace_s,
            "disabled_s": self.disabled_s,
            "enabled": self.enabled,
            "images": [[name, rule.document()] for name, rule in sorted(self.images.items())],
            "others": None if self.others is None else sorted(self.others),
            "channels": [[name, rule.document()] for name, rule in sorted(self.channels.items())],
        }
        return digest_of(document)
