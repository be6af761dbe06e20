"""SARIF 2.1.0 of a review: what code hosts and editors show beside the lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from goldsmith.assist.remarks import Remark
from goldsmith.assist.review import Review
from goldsmith.gates.contract import Effect
from goldsmith.gates.reports.sarif import SCHEMA
from goldsmith.hcl.diagnostics import Diagnostic

Json = Mapping[str, object]
_LEVELS: Mapping[Effect, Literal["error", "warning", "note"]] = {"fail": "error", "warn": "warning", "info": "note"}
_SCORES: Mapping[Effect, str] = {"fail": "8.0", "warn": "5.5", "info": "2.0"}


def review_sarif(review: Review, version: str) -> str:
    """The review as one run; files that could not be examined make it one that did not succeed."""
    rules = {remark.rule: remark for remark in reversed((*review.remarks, *review.ignored))}
    order = {name: place for place, name in enumerate(sorted(rules))}
    run = {
        "tool": {
            "driver": {
                "name": "Goldsmith",
                "fullName": "Goldsmith review",
                "informationUri": "https://goldsmith.dev",
                "rules": [_rule(rules[name]) for name in order],
                "version": version,
            }
        },
        "invocations": [_invocation(review)],
        "results": [
            *(_result(remark, order[remark.rule]) for remark in review.remarks),
            *(_ignored(remark, order[remark.rule]) for remark in review.ignored),
        ],
        "columnKind": "unicodeCodePoints",
        "properties": {"verdict": review.verdict},
    }
    return json.dumps({"version": "2.1.0", "$schema": SCHEMA, "runs": [run]}, indent=2) + "\n"


def _invocation(review: Review) -> Json:
    notes = [_notification(fault) for fault in review.faults]
    if not review.files:
        notes.append({"level": "error", "message": {"text": "nothing was examined"}})
    return {"executionSuccessful": not notes, "toolExecutionNotifications": notes}


def _notification(fault: Diagnostic) -> Json:
    told: dict[str, object] = {"level": "error", "message": {"text": f"{fault.what}: {fault.why}" if fault.why else fault.what}}
    if fault.where is not None:
        told["locations"] = [_location(fault.where.file, fault.where.start.line, fault.where.start.column)]
    return told


def _rule(remark: Remark) -> Json:
    return {
        "id": remark.rule,
        "name": "".join(part.capitalize() for part in remark.rule.replace(".", "-").split("-")),
        "shortDescription": {"text": remark.rule},
        "defaultConfiguration": {"level": _LEVELS[remark.effect]},
        "help": {"text": remark.fix},
        "properties": {"precision": "high", "security-severity": _SCORES[remark.effect], "tags": ["security", "secret"]},
    }


def _result(remark: Remark, index: int) -> dict[str, object]:
    return {
        "ruleId": remark.rule,
        "ruleIndex": index,
        "level": _LEVELS[remark.effect],
        "message": {"text": f"{remark.what}\n{remark.fix}"},
        "locations": [_location(remark.file, remark.line, remark.column)],
        "partialFingerprints": {"goldsmith/v1": remark.fingerprint},
    }


def _ignored(remark: Remark, index: int) -> Json:
    """A remark that a person has decided about stays in the report as a suppressed one."""
    return {**_result(remark, index), "suppressions": [{"kind": "external", "status": "accepted"}]}


def _location(file: str, line: int, column: int) -> Json:
    uri = quote(Path(file).as_posix().encode("utf-8", "surrogateescape"))
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": max(1, line), "startColumn": max(1, column)},
        }
    }
