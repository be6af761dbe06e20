"""Controls as data: what is wanted of an image, why, and which probes tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import cast

from goldsmith.gates.hardening.registered import CLONE_PROBES, CLONES_PROBES, PROBES
from goldsmith.gates.hardening.scene import Arguments

WEIGHTS: Mapping[str, int] = {"critical": 8, "high": 4, "medium": 2, "low": 1}
"""How much a control counts in the score, by its severity."""

PROFILES = ("baseline", "strict")
FACTS: Mapping[str, str] = {
    "sshd": "usr/sbin/sshd",
    "sudo": "usr/bin/sudo",
    "su": "etc/pam.d/su",
    "pam": "etc/pam.d/common-auth",
    "systemd": "usr/lib/systemd/systemd",
    "apt": "usr/bin/apt-get",
    "grub": "boot/grub/grub.cfg",
    "kernel": "boot/vmlinuz*",
    "cloud-init": "usr/bin/cloud-init",
}
"""What `applies` names, and the path whose presence says so."""


@dataclass(frozen=True, slots=True)
class Check:
    """A probe with its arguments, and another that also satisfies."""

    probe: str
    arguments: Arguments
    alternative: Check | None = None
    asked: str = ""
    """Counts only when the project asks for it by this word."""

    def wanting(self, values: Mapping[str, str]) -> Check:
        """The same check with other wanted values; names that it does not look at are left out."""
        own = self.arguments.table("values")
        if own.keys().isdisjoint(values):
            return self
        mine = {name: values.get(name, wanted) for name, wanted in own.items()}
        return replace(self, arguments=Arguments({**self.arguments.given, "values": mine}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One thing that is wanted of an image."""

    id: str
    title: str
    why: str
    severity: str
    profiles: tuple[str, ...]
    fix: str
    applies: tuple[str, ...] = ()
    asked: str = ""
    """Applies only when the project asks for it by this word."""
    unless: str = ""
    """Does not apply when the project asks for this."""
    must: bool = False
    """Fails the image whatever the score."""
    offline: tuple[Check, ...] = ()
    boot: Check | None = None
    """A probe of booted clones."""
    ssg: tuple[str, ...] = ()
    """Rules of ComplianceAsCode to compare with."""

    @property
    def asks(self) -> frozenset[str]:
        """The words by which a project chooses something about it."""
        return frozenset({self.asked, self.unless, *(check.asked for check in self.offline)}) - {""}

    @property
    def checks(self) -> tuple[Check, ...]:
        """What is looked at, on the tree and at boot."""
        return (*self.offline, *((self.boot,) if self.boot else ()))

    def wanting(self, values: Mapping[str, str]) -> Control:
        """The same control with other wanted values, by their names."""
        boot = self.boot.wanting(values) if self.boot else None
        return replace(self, offline=tuple(check.wanting(values) for check in self.offline), boot=boot)

    @property
    def weight(self) -> int:
        """How much it counts in the score."""
        return WEIGHTS[self.severity]

    @property
    def kind(self) -> str:
        """O, B or OB: examined on the tree, at boot, or both."""
        return ("O" if self.offline else "") + ("B" if self.boot else "")


@cache
def all_controls() -> Mapping[str, Control]:
    """Every control by its id, sorted. Raises `ValueError` when the data of the package is broken."""
    import yaml

    found: dict[str, Control] = {}
    for file in (files("goldsmith.gates.hardening") / "controls").iterdir():
        if not file.name.endswith(".yaml"):
            continue
        for given in yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            control = _control(given)
            if control.id in found:
                raise ValueError(f"{control.id} is there twice")
            found[control.id] = control
    return dict(sorted(found.items()))


def _control(given: Mapping[str, object]) -> Control:
    known = {"id", "title", "why", "severity", "profiles", "fix", "applies", "asked", "unless", "must", "offline", "boot"}
    strangers = set(given) - known - {"ssg", "sysctl"}
    texts = Arguments(given)
    if strangers or set(texts.texts("applies")) - set(FACTS) or set(texts.texts("profiles")) - set(PROFILES):
        raise ValueError(f"{given.get('id')}: not understood: {sorted(strangers) or 'applies or profiles'}")
    offline, boot = given.get("offline", []), given.get("boot")
    if "sysctl" in given:
        values = texts.table("sysctl")
        offline, boot = {"probe": "sysctl", "values": values}, {"probe": "booted_sysctl", "values": values}
    checks = cast("list[Mapping[str, object]]", offline if isinstance(offline, list) else [offline])
    return Control(
        id=texts.text("id"),
        title=texts.text("title"),
        why=texts.text("why"),
        severity=texts.text("severity"),
        profiles=texts.texts("profiles"),
        fix=texts.text("fix"),
        applies=texts.texts("applies"),
        asked=texts.text("asked"),
        unless=texts.text("unless"),
        must=given.get("must") is True,
        offline=tuple(_check(item) for item in checks),
        boot=_check(cast("Mapping[str, object]", boot), {*CLONE_PROBES, *CLONES_PROBES}) if boot else None,
        ssg=texts.texts("ssg"),
    )


def _check(given: Mapping[str, object], probes: Collection[str] = PROBES) -> Check:
    probe, alternative = str(given["probe"]), given.get("or")
    if probe not in probes:
        raise ValueError(f'there is no probe "{probe}"')
    return Check(
        probe,
        Arguments({name: value for name, value in given.items() if name not in ("probe", "or", "asked")}),
        _check(cast("Mapping[str, object]", alternative), probes) if alternative else None,
        str(given.get("asked", "")),
    )
