"""The controls that need a boot: the commands that the boot gate runs, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from goldsmith.gates.contract import Declared
from goldsmith.gates.hardening.controls import BootCheck, all_controls
from goldsmith.gates.hardening.scene import Fault, NotEvaluated, holds

CLIENT_SOCKETS = frozenset({"udp/68", "udp/546", "udp/5353", "udp/323"})
"""Sockets of clients: DHCP (RFC 2131, 8415), mDNS and chrony's control socket; they serve nobody."""

BOOT_PROBES: Mapping[str, str] = {name: item.boot.run for name, item in all_controls().items() if item.boot}
"""Shell commands by control: the boot gate runs each in every clone and hands the answers on as `Subject.booted`."""


def judge_booted(check: BootCheck, answers: Sequence[str], declared: Declared) -> Iterator[Fault]:
    """What is wrong by the answers of the clones, one each. Raises `NotEvaluated` when they do not suffice."""
    if not answers:
        raise NotEvaluated("no clone answered")
    if check.differs:
        yield from _same(answers)
        return
    for answer in answers:
        text = answer.strip()
        if check.sockets:
            for name in sorted(set(text.split()) - set(declared.ports) - CLIENT_SOCKETS):
                yield Fault(f"{name} listens and is not declared")
        elif check.values:
            yield from _parameters(check.values, text)
        elif not re.search(check.passes, text, re.MULTILINE):
            yield Fault(f"the booted machine says: {' / '.join(text.splitlines())[:120] or 'nothing'}")


def _parameters(values: Mapping[str, str], text: str) -> Iterator[Fault]:
    lines = text.splitlines()
    if len(lines) != len(values):
        yield Fault(f"{len(lines)} of {len(values)} kernel parameters were answered")
        return
    for (name, wanted), value in zip(values.items(), lines, strict=True):
        if not holds(value, wanted):
            yield Fault(f"{name} is {value} in the booted machine, {wanted} is wanted")


def _same(answers: Sequence[str]) -> Iterator[Fault]:
    if len(answers) < 2:
        raise NotEvaluated("it needs two clones")
    seen = [{line.strip() for line in answer.splitlines() if line.strip()} for answer in answers]
    if not all(seen):
        raise NotEvaluated("a clone has neither an id nor a key")
    shared = set.intersection(*seen)
    if shared:
        yield Fault(f"clones share {len(shared)} ids or keys")
