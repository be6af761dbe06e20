"""VEX documents: read with the place of every fault, and never believed without an author, a reason and a date."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from goldsmith.gates.vex import LAPSE_S, VexStatement, read_vex, vex_files
from goldsmith.hcl.diagnostics import UserError

NOW = 1_780_000_000
CURL = "pkg:deb/debian/curl@7.88.1-10"
OPENVEX: dict[str, object] = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    "author": "Security Team",
    "timestamp": "2026-05-01T00:00:00Z",
    "version": 1,
    "statements": [
        {
            "vulnerability": {"name": "CVE-2024-1", "aliases": ["GHSA-1"]},
            "products": [{"@id": CURL}],
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
        }
    ],
}
CYCLONEDX: dict[str, object] = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"timestamp": "2026-05-01T00:00:00Z", "authors": [{"name": "Security Team"}]},
    "components": [{"type": "library", "bom-ref": "curl", "name": "curl", "version": "7.88.1-10", "purl": CURL}],
    "vulnerabilities": [
        {
            "id": "CVE-2024-1",
            "references": [{"id": "GHSA-1", "source": {"name": "GitHub"}}],
            "analysis": {"state": "not_affected", "justification": "code_not_reachable"},
            "affects": [{"ref": "curl"}],
        }
    ],
}


def statements(directory: Path, document: object) -> tuple[VexStatement, ...]:
    path = directory / "a.json"
    path.write_text(json.dumps(document, indent=1))
    return read_vex(path, NOW).statements


@pytest.mark.parametrize("document", [OPENVEX, CYCLONEDX])
def test_a_statement_says_what_of_which_package_who_and_until_when(tmp_path: Path, document: object) -> None:
    (statement,) = statements(tmp_path, document)

    assert statement.vulnerabilities == ("CVE-2024-1", "GHSA-1")
    assert [product.id for product in statement.products] == [CURL]
    assert (statement.status, statement.author) == ("not_affected", "Security Team")
    assert statement.lapses_s == statement.at_s + LAPSE_S
    assert statement.why


def changed(document: dict[str, object], part: str, **changes: object) -> dict[str, object]:
    copy = json.loads(json.dumps(document))
    inner = copy[part][0]
    for name, value in changes.items():
        if value is None:
            inner.pop(name, None)
        else:
            inner[name] = value
    assert isinstance(copy, dict)
    return copy


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (changed(OPENVEX, "statements", justification=None), "needs a justification"),
        (changed(OPENVEX, "statements", justification="because"), "none of component_not_present"),
        (changed(OPENVEX, "statements", status="fine"), "none of not_affected"),
        (changed(OPENVEX, "statements", products=[]), "names no product"),
        (changed(OPENVEX, "statements", vulnerability={}), "names no vulnerability"),
        (changed(OPENVEX, "statements", timestamp="yesterday"), "is no time"),
        (changed(OPENVEX, "statements", timestamp="2036-01-01T00:00:00Z"), "in the future"),
        ({**OPENVEX, "author": ""}, '"author"'),
        ({**OPENVEX, "timestamp": ""}, "no timestamp"),
        ({**OPENVEX, "statements": "none"}, "is no list"),
        ({**OPENVEX, "statements": ["CVE-2024-1"]}, "is no object"),
        ({**OPENVEX, "@context": "https://example.com"}, "neither OpenVEX"),
        ({"SPDXID": "x"}, "neither OpenVEX"),
        ([], "no JSON object"),
        ({**CYCLONEDX, "metadata": {}}, "no author"),
        (changed(CYCLONEDX, "vulnerabilities", analysis={"state": "not_affected"}), "needs a justification"),
        (changed(CYCLONEDX, "vulnerabilities", analysis={"state": "fine"}), "none of resolved"),
        (changed(CYCLONEDX, "vulnerabilities", affects=[]), "names no product"),
    ],
)
def test_what_must_not_be_believed_is_refused_with_its_place(tmp_path: Path, document: object, told: str) -> None:
    with pytest.raises(UserError) as caught:
        statements(tmp_path, document)

    assert told in caught.value.diagnostics[0].why
    assert caught.value.diagnostics[0].where is not None


def test_text_that_is_no_json_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{\n "author": \n}')

    with pytest.raises(UserError) as caught:
        read_vex(path, NOW)

    assert caught.value.diagnostics[0].where is not None


def test_a_plain_finding_of_a_cyclonedx_report_is_no_statement(tmp_path: Path) -> None:
    assert statements(tmp_path, changed(CYCLONEDX, "vulnerabilities", analysis=None)) == ()


def test_versions_of_a_cyclonedx_statement_bind_it_to_these(tmp_path: Path) -> None:
    affects = [{"ref": "curl", "versions": [{"version": "7.88.1-9"}]}]

    (statement,) = statements(tmp_path, changed(CYCLONEDX, "vulnerabilities", affects=affects))

    assert [product.id for product in statement.products] == ["pkg:deb/debian/curl@7.88.1-9"]


def test_a_pattern_may_find_nothing_but_a_name_must_exist(tmp_path: Path) -> None:
    (tmp_path / "vex").mkdir()
    (tmp_path / "vex/b.json").write_text("{}")

    assert vex_files(tmp_path, ["vex/*.json", "other/*.json"]) == (tmp_path / "vex/b.json",)
    with pytest.raises(UserError, match="does not exist"):
        vex_files(tmp_path, ["vex/a.json"])
