"""`goldsmith scan` of trees, disks and bills of materials: the same answer from each, and the exit code says it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import Described, cyclonedx, spdx
from goldsmith.gates.inventory import components, read_inventory
from goldsmith.gates.sboms import read_sbom
from goldsmith.gates.waivers import day_of
from goldsmith.hcl.diagnostics import UserError
from tests.gates.advisory_workbench import CLEAN, NOW, Host, advisory, package, told, tree
from tests.gates.foreign_reports import trivy

needs_tools = pytest.mark.skipif(not (shutil.which("mke2fs") and shutil.which("qemu-img")), reason="needs mke2fs and qemu-img")
VULNERABLE = (advisory("CVE-2024-1", "7.88.1-12"), told("CVE-2024-1"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Host(tmp_path / "cache")


def scanned(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    code = run(["scan", "-format=json", *arguments])
    return code, json.loads(capsys.readouterr().out)


def test_the_verdict_of_a_tree_is_the_exit_code(host: Host, tmp_path: Path) -> None:
    root = str(tree(tmp_path / "root"))

    assert run(["scan", root]) == 3
    host.advise()
    assert run(["scan", root]) == 0
    host.advise(*VULNERABLE)
    assert run(["scan", root]) == 2
    assert run(["scan", str(tmp_path / "nowhere")]) == 1
    assert run(["scan", "-gates=boot", root]) == 1


def test_a_tree_with_one_vulnerable_package_fails_this_gate_alone(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.advise(advisory("CVE-2024-7", "1.2.4-1", source="wget"), told("CVE-2024-7"))
    clean = tree(tmp_path / "clean")
    changed = tree(tmp_path / "changed", (*CLEAN, package("wget", "1.2.3-1")))

    verdicts = [
        {item["gate"]: item["verdict"] for item in scanned(capsys, "-gates=vulnerabilities,secrets", str(root))[1]["results"]}
        for root in (clean, changed)
    ]

    assert verdicts[0]["vulnerabilities"] == "pass"
    assert verdicts[1]["vulnerabilities"] == "fail"
    assert verdicts[0]["secrets"] == verdicts[1]["secrets"] != "fail"


def disk(directory: Path, root: Path, layout: str) -> Path:
    """The tree as an ext4 file system: bare, or in the first partition of an MBR, or that as qcow2."""
    system, raw = directory / "fs.raw", directory / "disk.raw"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, system, "16M"], check=True)
    if layout == "bare":
        return system
    table = bytearray(1 << 20)
    table[446 + 4] = 0x83
    table[446 + 8 : 446 + 16] = (2048).to_bytes(4, "little") + (32768).to_bytes(4, "little")
    table[510:512] = b"\x55\xaa"
    raw.write_bytes(bytes(table) + system.read_bytes())
    if layout == "partition":
        return raw
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", raw, directory / "disk.qcow2"], check=True)
    return directory / "disk.qcow2"


@needs_tools
@pytest.mark.parametrize("layout", ["bare", "partition", "qcow2"])
def test_a_disk_is_read_without_mounting_it(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    host.advise(*VULNERABLE)
    image = disk(tmp_path, tree(tmp_path / "root"), layout)

    code, report = scanned(capsys, str(image))

    assert code == 2
    assert (report["subject"]["kind"], report["packages"]) == ("disk", 3)
    assert report["subject"]["digest"].startswith("sha256:")
    assert not list((tmp_path / "cache/work").iterdir())


@needs_tools
def test_a_disk_without_a_root_is_told(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "nothing.raw").write_bytes(bytes(1 << 20))

    assert run(["scan", "nothing.raw"]) == 1
    assert "disk.no-root" in capsys.readouterr().out


ABOUT = Described(image="web", disk_digest="sha256:" + "0" * 64, epoch=0, tool_version="1")


@pytest.mark.parametrize("form", [cyclonedx, spdx])
def test_our_own_bills_of_materials_give_the_answer_of_the_tree(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: Any
) -> None:
    host.advise(*VULNERABLE)
    root = tree(tmp_path / "root")
    (tmp_path / "bom.json").write_text(json.dumps(form(ABOUT, components(read_inventory([root])))))

    of_tree, of_bill = scanned(capsys, str(root)), scanned(capsys, "bom.json")

    def findings(report: Any) -> Any:
        return [(item["id"], item["subject"], item["effect"]) for item in report["results"][0]["facts"]["findings"]]

    assert of_bill[0] == of_tree[0] == 2
    assert findings(of_bill[1]) == findings(of_tree[1])
    assert of_bill[1]["inventory_by"] == "goldsmith"


TRIVY = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.6",
    "metadata": {"tools": {"components": [{"name": "trivy"}]}, "component": {"name": "web"}},
    "components": [
        {"type": "operating-system", "name": "debian", "version": "12.5"},
        {
            "type": "library",
            "name": "libcurl4",
            "purl": "pkg:deb/debian/libcurl4@7.88.1-11%2Bb1?arch=amd64&distro=debian-12.5",
            "properties": [
                {"name": "aquasecurity:trivy:SrcName", "value": "curl"},
                {"name": "aquasecurity:trivy:SrcVersion", "value": "7.88.1"},
                {"name": "aquasecurity:trivy:SrcRelease", "value": "11"},
            ],
        },
        {"type": "library", "name": "mystery"},
    ],
}
SYFT = {
    "spdxVersion": "SPDX-2.3",
    "name": "web",
    "creationInfo": {"creators": ["Organization: Anchore", "Tool: syft-1.18.1"]},
    "packages": [
        {
            "name": "libcurl4",
            "externalRefs": [
                {
                    "referenceType": "purl",
                    "referenceLocator": "pkg:deb/debian/libcurl4@7.88.1-11?arch=amd64&distro=debian-12&upstream=curl",
                }
            ],
        }
    ],
}


@pytest.mark.parametrize(("document", "maker"), [(TRIVY, "trivy"), (SYFT, "syft")])
def test_a_foreign_bill_of_materials_is_matched_by_its_sources_and_marked(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str], document: Any, maker: str
) -> None:
    host.advise(*VULNERABLE)
    (tmp_path / "bom.json").write_text(json.dumps(document))

    code, report = scanned(capsys, "bom.json")

    assert (code, report["inventory_by"]) == (2, maker)
    run(["scan", "bom.json"])
    assert f"bill of materials of {maker}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b'{"bomFormat": "CycloneDX"}',
        b'{"spdxVersion": "SPDX-2.3", "packages": 7}',
        b'{"name": "x"}',
        b'{"bomFormat": "CycloneDX", "components": [{"name": "a", "purl": "pkg:deb/debian/a@1"}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_bill_of_materials_is_refused(document: bytes) -> None:
    with pytest.raises(UserError, match="cannot be used as a bill of materials"):
        read_sbom(document, "bom.json")


def test_a_report_goes_to_a_file(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host.advise(*VULNERABLE)
    root = tree(tmp_path / "root")

    assert run(["scan", "-format=sarif", "-output=out.sarif", str(root)]) == 2
    assert json.loads((tmp_path / "out.sarif").read_text())["version"] == "2.1.0"
    assert "FAIL, told in out.sarif" in capsys.readouterr().out


def test_the_result_of_another_scanner_counts_and_differences_are_told(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tree(tmp_path / "root"))
    (tmp_path / "trivy.json").write_text(json.dumps(trivy(("CVE-2024-3", "curl", "7.88.1-12", "CRITICAL"))))
    (tmp_path / "broken.json").write_text('{"SchemaVersion": 2,')

    assert run(["scan", "-report=trivy.json", "-only-reports", root]) == 2
    assert run(["scan", "-report=trivy.json", root]) == 3
    host.advise()
    capsys.readouterr()
    assert run(["scan", "-report=trivy.json", root]) == 2
    assert "trivy (trivy.json) reports 1 that we do not: CVE-2024-3 in curl 7.88.1-11" in capsys.readouterr().out
    assert run(["scan", "-report=broken.json", root]) == 3
    assert "line 1, column 21" in capsys.readouterr().out
    assert run(["scan", "-only-reports", root]) == 1


PROJECT = """
image "web" {{ template = "web" }}
gate "vulnerabilities" {{
  vex = ["vex/*.json"]
  ignore "CVE-2024-1" {{
    reason = "not reachable"
    owner  = "team-web"
    until  = "{until}"
  }}
  rule "any" {{
    when    = finding.severity == "critical"
    message = "rule says ${{finding.id}}"
  }}
}}
"""


def test_what_waivers_and_rules_say_is_in_every_report(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    host.advise(*VULNERABLE)
    root = str(tree(tmp_path / "root"))
    (tmp_path / "web").mkdir()
    (tmp_path / "goldsmith.hcl").write_text(PROJECT.format(until=day_of(NOW - 86_400)))

    for form in ("table", "json", "sarif"):
        assert run(["scan", f"-format={form}", root]) == 2
        told_text = capsys.readouterr().out
        assert f"ignore by team-web expired on {day_of(NOW - 86_400)}" in told_text
        assert "rule says CVE-2024-1" in told_text


def test_a_malformed_vex_document_is_an_error_with_file_and_line(
    host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.advise(*VULNERABLE)
    root = str(tree(tmp_path / "root"))
    (tmp_path / "web").mkdir()
    (tmp_path / "vex").mkdir()
    (tmp_path / "goldsmith.hcl").write_text(PROJECT.format(until=day_of(NOW + 30 * 86_400)))
    (tmp_path / "vex/a.json").write_text(
        '{"@context": "https://openvex.dev/ns/v0.2.0", "author": "a", "timestamp": "2026-01-01T00:00:00Z",\n'
        ' "statements": [\n  {"vulnerability": {"name": "CVE-2024-1"}, "products": [{"@id": "web"}],'
        ' "status": "not_affected"}]}'
    )

    assert run(["scan", root]) == 3
    assert "vex/a.json line 3): not_affected needs a justification" in capsys.readouterr().out
