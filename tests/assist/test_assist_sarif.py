"""SARIF of a review: every remark with its place and fingerprint, waived ones suppressed, and never a secret."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from goldsmith.cli.app import run
from tests.gates.planting import password, private_key

CHANCE = random.Random(7)
KINDS = {"fail": "error", "warn": "warning", "info": "note"}


def told(path: Path, form: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, Any, str]:
    code = run(["review", form, str(path)])
    text = capsys.readouterr().out
    return code, json.loads(text), text


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    sources = tmp_path / "a b"
    sources.mkdir()
    return sources


def test_sarif_says_what_json_says(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    secret = password(CHANCE)
    (place / "key.sh").write_text(private_key("RSA", CHANCE))
    (place / "a.pkr.hcl").write_text(f'variable "password" {{\n  default = "{secret}"\n}}\n')

    code, data, _ = told(place, "-json", capsys)
    same, document, text = told(place, "-sarif", capsys)

    assert code == same == 2
    (run_,) = document["runs"]
    rules = run_["tool"]["driver"]["rules"]
    found = [
        (
            item["ruleId"],
            item["level"],
            item["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].replace("%20", " "),
            item["locations"][0]["physicalLocation"]["region"],
            item["partialFingerprints"]["goldsmith/v1"],
        )
        for item in run_["results"]
    ]
    assert found == [
        (
            item["rule"],
            KINDS[item["effect"]],
            item["file"],
            {"startLine": item["line"], "startColumn": item["column"]},
            item["fingerprint"],
        )
        for item in data["remarks"]
    ]
    assert found
    assert all(rules[item["ruleIndex"]]["id"] == item["ruleId"] for item in run_["results"])
    assert run_["invocations"][0]["executionSuccessful"] is True
    assert secret not in text
    assert "PRIVATE KEY" not in text


def test_a_waived_remark_is_suppressed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "a.pkr.hcl").write_text(f'variable "password" {{\n  default = "{password(CHANCE)}"\n}}\n')
    _, data, _ = told(place, "-json", capsys)
    ignores = "".join(
        f'ignore "{item["fingerprint"]}" {{\n reason = "r"\n owner = "o"\n until = "2026-12-24"\n}}\n'
        for item in data["remarks"]
    )
    (place / "goldsmith.hcl").write_text(f'image "a" {{ template = "." }}\ngate "secrets" {{\n{ignores}}}\n')
    _, again, _ = told(place, "-json", capsys)

    code, document, _ = told(place, "-sarif", capsys)

    results = document["runs"][0]["results"]
    assert len([item for item in results if "suppressions" in item]) == len(again["ignored"])
    assert code == {"pass": 0, "warn": 0, "fail": 2, "error": 3}[again["verdict"]]


def test_what_cannot_be_read_is_a_run_that_did_not_succeed(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "a.pkr.hcl").write_text("variable {{{")

    code, document, _ = told(place, "-sarif", capsys)

    invocation = document["runs"][0]["invocations"][0]
    assert code == 3
    assert invocation["executionSuccessful"] is False
    assert invocation["toolExecutionNotifications"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert run(["review", "-json", "-sarif", str(place)]) == 1
