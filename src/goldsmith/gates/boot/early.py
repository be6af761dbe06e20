"""The early tier: the sealed tree's own systemd in a container, in under a second; it can fail an image, never pass one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from goldsmith.gates.boot import asking
from goldsmith.gates.boot.checks import Check
from goldsmith.gates.boot.judging import CLIENT_SOCKETS, boot_fault
from goldsmith.gates.contract import Declared, Finding, Subject
from goldsmith.hcl.diagnostics import MachineError
from goldsmith.machines.booted import BootedSandbox, NotBooted, booted
from goldsmith.machines.journal import Journal

WITHIN_S = 30.0
"""Hundred times what a boot in a container takes."""

UNTESTED = (".mount", ".automount", ".swap", ".device")
"""Units that need the image's own disk: only the certifying tier can tell of them."""

_LOG_LINES = 40
_TIER = "container"
_EACH_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Early:
    """What the early tier found out."""

    told: str
    """One sentence for the gate's record."""
    findings: tuple[Finding, ...] = ()
    boot_ms: int = 0
    """0 when the tier was not available."""
    log: Path | None = None
    """The container's console, and the journal of the units that failed."""


def examine_early(subject: Subject, journal: Journal, checks: Sequence[Check] = ()) -> Early:
    """Boot the tree in a container and look for failed units and undeclared sockets; nothing in the tree changes.

    Of the user's checks those are tried that do not wait for the image's own disk (`Check.early`).

    A socket that is declared and missing is left to the certifying tier: a unit may rightly not run in a container.
    """
    work = subject.work / "early"
    work.mkdir()
    try:
        with booted([subject.tree], work, journal=journal, timeout_s=WITHIN_S) as container:
            seeded = os.path.lexists(subject.tree / "usr/bin/cloud-init")
            tried = [check for item in checks if (check := item.early(seeded=seeded)) is not None]
            return _judged(container, subject.declared, tried)
    except NotBooted as error:
        return Early(told=f"booted tier not available: {error.diagnostics[0].why}")
    except MachineError as error:
        return Early(told=f"booted tier not available: {error}")


def _judged(container: BootedSandbox, declared: Declared, checks: Sequence[Check]) -> Early:
    findings = (*_findings(container, declared), *_failed(container, checks))
    log = container.console
    with log.open("a") as file:
        for finding in findings:
            file.write(f"\n{finding.detail}\n")
    verdict = f"faults: {len(findings)}" if findings else "no fault"
    return Early(
        told=f"booted tier: {container.state} after {container.seconds:.2f} s in a container, {verdict}",
        findings=findings,
        boot_ms=max(1, int(container.seconds * 1000)),
        log=log,
    )


def _findings(container: BootedSandbox, declared: Declared) -> Iterator[Finding]:
    for unit in container.failed_units:
        if not unit.endswith(UNTESTED):
            yield boot_fault("failed-unit", _TIER, unit, f"the unit {unit} failed: {_journal(container, unit)}")
    if container.state in ("starting", "initializing", "unknown"):
        yield boot_fault("not-up", _TIER, declared.target, f"the system was still {container.state} after {WITHIN_S:.0f} s")
    outward = {f"{item.protocol}/{item.port}" for item in container.listeners() if not _is_loopback(item.address)}
    for name in sorted(outward - set(declared.ports) - CLIENT_SOCKETS):
        fix = f'Declare it (ports = ["{name}"]) or disable what listens.'
        yield boot_fault("undeclared-socket", _TIER, name, f"{name} listens and is not declared", fix)


def _failed(container: BootedSandbox, checks: Sequence[Check]) -> Iterator[Finding]:
    """The user's checks that do not hold already here."""
    if not checks:
        return
    token = f"@{secrets.token_hex(6)}"
    asked = asking.script({str(number): check.command for number, check in enumerate(checks)}, token, each_s=_EACH_S)
    answers = asking.parsed(container.run(["/bin/sh", "-c", asked], timeout_s=WITHIN_S).stdout, token)
    for number, check in enumerate(checks):
        answer = answers.get(str(number))
        # What has no answer here is asked again of the clones.
        if answer is not None and answer.code is not None and (problem := check.problem(answer.code, answer.output)):
            detail = f"the test {check.name} failed: {problem.splitlines()[0][:200]}"
            yield replace(boot_fault("user-test", _TIER, check.name, detail), path=check.path, line=check.line)


def _journal(container: BootedSandbox, unit: str) -> str:
    """The last words of a unit, in one line."""
    command = ["journalctl", f"--unit={unit}", "--no-pager", "--quiet", "--output=cat", f"--lines={_LOG_LINES}"]
    said = container.run(command).stdout.strip()
    return " / ".join(line.strip() for line in said.splitlines() if line.strip()) or "its journal is empty"


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
