"""The settings of a `gate "hardening"` block: which controls count, what they allow, and what a failure means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goldsmith.components import REQUIRED, attribute
from goldsmith.gates.contract import Effect
from goldsmith.gates.hardening.controls import PROFILES, Control, all_controls
from goldsmith.gates.waivers import Waivable
from goldsmith.hcl.diagnostics import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """A `custom "NAME"` block: a profile of the project's own."""

    name: str = attribute(REQUIRED, "What `profile` calls it.", label=True)
    extends: str = attribute("", "The profile that it starts from: baseline or strict; empty: from none.")
    add: tuple[str, ...] = attribute((), "Ids of controls that it has besides.")
    remove: tuple[str, ...] = attribute((), "Ids of controls that it has not.")
    must: tuple[str, ...] = attribute((), "Ids that fail the image whatever the score, besides the fixed ones.")

    def __post_init__(self) -> None:
        if self.extends not in ("", *PROFILES):
            raise ValueError(f'custom "{self.name}": extends = "{self.extends}"; there are {" and ".join(PROFILES)}')
        for id in (*self.add, *self.remove, *self.must):
            if id not in all_controls():
                raise ValueError(f'custom "{self.name}": there is no control "{id}"')


@dataclass(frozen=True, slots=True, kw_only=True)
class HardeningConfig(Waivable):
    """Attributes of a `gate "hardening"` block."""

    profile: str = attribute("baseline", "Which controls count: baseline, strict, or the name of a custom block.")
    minimum: float = attribute(0.9, "The least score: the weight of passed controls by that of passed and failed ones.")
    failed: str = attribute("warn", "What a failed control means while the score is met: fail, warn or info.")
    asks: tuple[str, ...] = attribute((), "What is wanted besides: banner, ssh-allow-list, partitions, router, …")
    setuid: tuple[str, ...] = attribute((), "Paths that may be setuid, setgid or have capabilities, besides the known ones.")
    services: tuple[str, ...] = attribute((), "Units that may be enabled, besides declared and known ones.")
    ssh_groups: tuple[str, ...] = attribute((), "Groups that may log in by ssh: AllowGroups must name some of them, no other.")
    values: Mapping[str, str] = attribute({}, 'What is wanted in place of a control\'s own value: { MaxAuthTries = "1..3" }.')
    oscap: str = attribute("", "A SCAP data stream beside the project file: oscap is asked for a second opinion.")
    oscap_profile: str = attribute("", "The profile of that data stream; empty: its default.")
    custom: tuple[Custom, ...] = attribute((), "Profiles of the project's own.")

    def __post_init__(self) -> None:
        # Not super(): slots make a new class, of which the closure does not know.
        Waivable.__post_init__(self)
        if not 0 < self.minimum <= 1:
            raise ValueError(f"minimum = {self.minimum}: write a share above 0 and at most 1, such as 0.9")
        if self.failed not in ("fail", "warn", "info"):
            raise ValueError(f'failed = "{self.failed}": write "fail", "warn" or "info"')
        names = (*PROFILES, *(item.name for item in self.custom))
        if self.profile not in names:
            raise ValueError(f'profile = "{self.profile}": there are {", ".join(names)}')
        words = {word for item in all_controls().values() for word in item.asks}
        for word in self.asks:
            if word not in words:
                raise ValueError(f'asks has "{word}": there are {", ".join(sorted(words))}')
        known = {name for item in all_controls().values() for check in item.checks for name in check.arguments.table("values")}
        for name in self.values:
            if name not in known:
                raise ValueError(f'values has "{name}", which no control looks at. {did_you_mean(name, sorted(known))}'.strip())
        for item in self.ignore:
            if item.finding.startswith("GS-") and item.finding not in all_controls():
                raise ValueError(f'ignore "{item.finding}": there is no such control')

    def controls(self) -> tuple[Control, ...]:
        """The controls of the profile."""
        return tuple(item.wanting(self.values) for item in all_controls().values() if self._has(item))

    @property
    def words(self) -> frozenset[str]:
        """What the project asks for, by the words of the controls."""
        return frozenset((*self.asks, *(("ssh-allow-list",) if self.ssh_groups else ())))

    def must(self) -> frozenset[str]:
        """Ids that fail the image whatever the score."""
        own = self._own()
        return frozenset(
            (*(own.must if own else ()), *(item.id for item in all_controls().values() if item.must and self._has(item)))
        )

    def why_not(self, control: Control) -> str:
        """Why a control is not for this project; empty when it is."""
        if control.asked and control.asked not in self.words:
            return f'the project does not ask for "{control.asked}"'
        if control.unless and control.unless in self.words:
            return f'the project asks for "{control.unless}"'
        return ""

    def effect_of(self, control: Control) -> Effect:
        """What it means when a control fails."""
        effects: Mapping[str, Effect] = {"fail": "fail", "warn": "warn", "info": "info"}
        return "fail" if control.id in self.must() else effects[self.failed]

    def _has(self, control: Control) -> bool:
        own = self._own()
        if own is None:
            return self.profile in control.profiles
        return (control.id in own.add or own.extends in control.profiles) and control.id not in own.remove

    def _own(self) -> Custom | None:
        return next((item for item in self.custom if item.name == self.profile), None)
