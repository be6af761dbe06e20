"""What a channel demands of a version: the policy document, read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from goldsmith.hcl.diagnostics import Diagnostic, UserError, did_you_mean
from goldsmith.registry.canonical import JSON
from goldsmith.registry.entities import OnUnfit


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A gate that must have passed."""

    gate: str
    max_age_s: int = 0
    """How old the evidence may be; 0 for any age."""
    strict: bool = False
    """Whether a warning counts as unmet."""
    config: str = ""
    """The digest of the gate's configuration, or empty for any."""
    signers: tuple[str, ...] = ()
    """The keys that may speak for this gate; empty for any that the caller trusts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approver:
    """Somebody who may approve: known by a name, an account and a key."""

    name: str
    user: str
    """The account, as actors are named: `user:alice`. Who asks for a promotion or built the version does not approve it."""
    key: str
    """The id of the public key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guardian:
    """Somebody of security, who may waive findings with a key."""

    name: str
    key: str
    """The id of the public key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy document, read."""

    after: str = ""
    soak_s: int = 0
    requires: tuple[Requirement, ...] = ()
    approvals: int = 0
    """How many different people must approve."""
    approvers: tuple[Approver, ...] = ()
    security: tuple[Guardian, ...] = ()
    """Whose waivers count."""
    conditions: tuple[str, ...] = ()
    """Expressions of the template language that must be true of the version: see `conditions`."""
    on_unfit: OnUnfit = "warn"
    """What becomes of the channel when its version no longer meets what it holds on: see `living`."""
    keep: int = 5
    """How many assignments before the present one stay available for a rollback."""
    rollback_requires: tuple[str, ...] = ()
    """Gates whose verdict must still be good when the channel goes back to a version."""

    @property
    def demands(self) -> int:
        """How many things it asks for."""
        return len(self.requires) + len(self.conditions) + bool(self.after) + bool(self.approvals)


def read_policy(document: Mapping[str, JSON]) -> Policy:
    """Read a policy document. Raises `UserError` with all that it does not understand: an unknown demand is never ignored."""
    faults: list[Diagnostic] = []
    _known_keys(document, _KNOWN, "policy", faults)
    approvals = _part(document, "approvals", ("count", "approvers"), faults)
    rollback = _part(document, "rollback", ("requires", "keep"), faults)
    policy = Policy(
        after=_text(document, "after", faults),
        soak_s=_whole(document, "soak_s", faults),
        requires=tuple(_requirement(item, faults) for item in _parts(document, "requires", faults)),
        approvals=_whole(approvals, "count", faults),
        approvers=tuple(_approver(item, faults) for item in _parts(approvals, "approvers", faults)),
        security=tuple(_guardian(item, faults) for item in _parts(document, "security", faults)),
        conditions=_texts(document, "conditions", faults),
        on_unfit=_on_unfit(document, faults),
        keep=_whole(rollback, "keep", faults, 5),
        rollback_requires=_texts(rollback, "requires", faults),
    )
    if faults:
        raise UserError(*faults)
    return policy


_KNOWN = ("after", "soak_s", "requires", "approvals", "security", "conditions", "on_unfit", "rollback")
_ON_UNFIT: Mapping[str, OnUnfit] = {"warn": "warn", "block": "block", "rollback": "rollback"}


def _on_unfit(document: Mapping[str, JSON], faults: list[Diagnostic]) -> OnUnfit:
    chosen = _text(document, "on_unfit", faults) or "warn"
    if chosen not in _ON_UNFIT:
        faults.append(_fault(f'on_unfit is "{chosen}"', did_you_mean(chosen, _ON_UNFIT) or "Write warn, block or rollback."))
    return _ON_UNFIT.get(chosen, "block")


def _guardian(document: Mapping[str, JSON], faults: list[Diagnostic]) -> Guardian:
    _known_keys(document, ("name", "key"), "security", faults)
    name, key = (_text(document, entry, faults) for entry in ("name", "key"))
    if not (name and key):
        faults.append(_fault("somebody of security lacks a name or a key"))
    return Guardian(name=name, key=key)


def _approver(document: Mapping[str, JSON], faults: list[Diagnostic]) -> Approver:
    _known_keys(document, ("name", "user", "key"), "approvers", faults)
    name, user, key = (_text(document, entry, faults) for entry in ("name", "user", "key"))
    if not (name and user and key):
        faults.append(_fault("an approver lacks a name, a user or a key"))
    return Approver(name=name, user=user, key=key)


def _requirement(document: Mapping[str, JSON], faults: list[Diagnostic]) -> Requirement:
    _known_keys(document, ("gate", "max_age_s", "strict", "config", "signers"), "requires", faults)
    gate = _text(document, "gate", faults)
    if not gate:
        faults.append(_fault("requires names no gate"))
    strict = document.get("strict", False)
    if not isinstance(strict, bool):
        faults.append(_fault('"strict" is neither true nor false'))
    return Requirement(
        gate=gate,
        max_age_s=_whole(document, "max_age_s", faults),
        strict=strict is True,
        config=_text(document, "config", faults),
        signers=_texts(document, "signers", faults),
    )


def _known_keys(document: Mapping[str, JSON], known: Sequence[str], name: str, faults: list[Diagnostic]) -> None:
    faults += [
        _fault(f'{name} has the unknown entry "{key}"', did_you_mean(key, known)) for key in document if key not in known
    ]


def _part(document: Mapping[str, JSON], name: str, known: Sequence[str], faults: list[Diagnostic]) -> Mapping[str, JSON]:
    value = document.get(name, {})
    if not isinstance(value, Mapping):
        faults.append(_fault(f'"{name}" is no object'))
        return {}
    _known_keys(value, known, name, faults)
    return value


def _parts(document: Mapping[str, JSON], name: str, faults: list[Diagnostic]) -> list[Mapping[str, JSON]]:
    value = document.get(name, [])
    items = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [None]
    parts = [item for item in items if isinstance(item, Mapping)]
    if len(parts) != len(items):
        faults.append(_fault(f'"{name}" is no list of objects'))
    return parts


def _text(document: Mapping[str, JSON], name: str, faults: list[Diagnostic]) -> str:
    value = document.get(name, "")
    if isinstance(value, str):
        return value
    faults.append(_fault(f'"{name}" is no text'))
    return ""


def _texts(document: Mapping[str, JSON], name: str, faults: list[Diagnostic]) -> tuple[str, ...]:
    value = document.get(name, ())
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(item, str) for item in value):
        return tuple(str(item) for item in value)
    faults.append(_fault(f'"{name}" is no list of texts'))
    return ()


def _whole(document: Mapping[str, JSON], name: str, faults: list[Diagnostic], default: int = 0) -> int:
    value = document.get(name, default)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    faults.append(_fault(f'"{name}" is no whole number of 0 or more'))
    return 0


def _fault(what: str, next: str = "") -> Diagnostic:
    next = next or "Mend the channel block, or use a release that knows it."
    return Diagnostic(code="registry.policy", what=f"the policy of the channel is wrong: {what}", next=next)
