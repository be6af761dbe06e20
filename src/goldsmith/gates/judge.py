"""Turns the facts of a gate into a verdict: ERROR before FAIL before WARN before PASS, and never PASS by accident."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

from goldsmith.events import Emit, GateJudged
from goldsmith.gates.contract import C, DataUsed, Facts, Finding, Gate, Result, Subject, Verdict
from goldsmith.gates.waivers import Waivable, apply_ignores
from goldsmith.hcl.diagnostics import Diagnostic, GoldsmithError
from goldsmith.images import file_digest
from goldsmith.machines.cancellation import Cancellation, Cancelled


def run_gate(gate: Gate[C], config: C, subject: Subject, emit: Emit, cancellation: Cancellation) -> Result:
    """Examine a subject and judge it. An exception of the gate becomes an ERROR that names it; `Cancelled` is raised."""
    started = time.time()
    try:
        facts = gate.examine(subject, config, emit, cancellation)
        if isinstance(config, Waivable):
            facts = apply_ignores(facts, config.ignore, subject.now_s)
    except Cancelled:
        raise
    except GoldsmithError as error:
        facts = _nothing(gate.name, "; ".join(map(_told, error.diagnostics)))
    except Exception as error:  # a gate that breaks must never let an image pass
        facts = _nothing(gate.name, f"the gate broke: {type(error).__name__}: {error}")
    result = judge(
        gate.name,
        facts,
        disk_digest=subject.disk_digest,
        config_digest=config_digest(config),
        started=int(started),
        finished=int(time.time()),
    )
    emit(
        GateJudged(
            build=subject.image,
            image=subject.image,
            gate=gate.name,
            verdict=result.verdict,
            seconds=time.time() - started,
            summary=summary(result),
        )
    )
    return result


def judge(gate: str, facts: Facts, *, disk_digest: str, config_digest: str, started: int, finished: int) -> Result:
    """The verdict on facts. The rules are those of the gate contract; an ERROR still lists the findings that were made."""
    errors = tuple(_errors(facts))
    failing = tuple(finding.id for finding in facts.findings if finding.effect == "fail")
    warned = tuple(finding for finding in facts.findings if finding.effect == "warn")
    if errors:
        verdict: Verdict = "error"
    elif failing:
        verdict = "fail"
    else:
        verdict = "warn" if warned else "pass"
    reasons = errors + tuple(_sentence(finding) for finding in facts.findings if finding.effect != "info")
    return Result(
        gate=gate,
        verdict=verdict,
        disk_digest=disk_digest,
        facts=facts,
        failing=failing,
        reasons=reasons,
        config_digest=config_digest,
        started=started,
        finished=finished,
    )


def doubted(result: Result, why: str) -> Result:
    """The result as an ERROR for a reason that its gate could not see."""
    return judge(
        result.gate,
        replace(result.facts, doubts=(*result.facts.doubts, why)),
        disk_digest=result.disk_digest,
        config_digest=result.config_digest,
        started=result.started,
        finished=result.finished,
    )


def summary(result: Result) -> str:
    """One line for people: what was looked at, and the first reason when it did not pass."""
    facts = result.facts
    told = f"{facts.evaluated} evaluated"
    skipped = sum(item.count for item in facts.skipped)
    if skipped:
        told += f", {skipped} skipped"
    if not result.reasons:
        return told
    more = f" (and {len(result.reasons) - 1} more)" if len(result.reasons) > 1 else ""
    return f"{told}: {result.reasons[0]}{more}"


def config_digest(config: object) -> str:
    """`sha256:<hex>` of a gate's configuration: evidence counts for the configuration that it was made with."""
    assert hasattr(config, "__dataclass_fields__")
    text = json.dumps(asdict(config), sort_keys=True, default=str)  # type: ignore[call-overload]  # asserted above
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def result_as_json(result: Result) -> Mapping[str, object]:
    """The result as JSON-like data without floats; artefacts by file name and digest."""
    data = asdict(result)
    facts = data["facts"]
    facts["artefacts"] = {name: file_digest(path) for name, path in result.facts.artefacts.items()}
    return data


def _errors(facts: Facts) -> Iterator[str]:
    if facts.examined == 0:
        yield facts.messages[0] if facts.messages else "nothing was examined"
    elif facts.errors:
        yield f"{facts.errors} of {facts.examined} could not be read: {'; '.join(facts.messages[:3]) or 'no details'}"
    for floor in facts.floors:
        if floor.got < floor.wanted:
            yield f"{floor.name}: {floor.got}, at least {floor.wanted} wanted"
    for data in facts.data:
        yield from _data_errors(data)
    yield from facts.doubts


def _data_errors(data: DataUsed) -> Iterator[str]:
    if not data.verified:
        because = f": {data.unverified_because}" if data.unverified_because else ""
        yield f"{data.name} has no good signature{because}"
    renew = f": {data.renew}" if data.renew else ""
    if data.max_age_s and data.age_s < 0:
        yield f"the age of {data.name} is not known{renew}"
    elif data.max_age_s and data.age_s > data.max_age_s:
        yield f"{data.name} is {data.age_s // 3600} h old, {data.max_age_s // 3600} h allowed{renew}"


def _told(fault: Diagnostic) -> str:
    place = f" ({fault.where.file} line {fault.where.start.line})" if fault.where is not None else ""
    return f"{fault.what}{place}" + (f": {fault.why}" if fault.why else "")


def _sentence(finding: Finding) -> str:
    place = finding.path or finding.subject
    line = f":{finding.line}" if finding.line else ""
    fix = f". {finding.fix}" if finding.fix else ""
    return f"{finding.detail or finding.id}" + (f" ({place}{line})" if place else "") + fix


def _nothing(gate: str, why: str) -> Facts:
    return Facts(engine=gate, engine_version="", examined=0, evaluated=0, messages=(why,))
