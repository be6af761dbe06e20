"""A tree with one vulnerable package of each kind: `scan` finds exactly these, in every format."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from goldsmith.cli.app import run
from tests.gates.advisory_workbench import package, tree
from tests.gates.elf_files import crates, go_text, inline_information, program
from tests.gates.feed_documents import OSV, zipped
from tests.gates.osv_records import EXPORTS

FEEDS = "debian,osv-pypi,osv-npm,osv-go,osv-crates.io,osv-maven,osv-rubygems"
TRACKER = {
    "curl": {
        "CVE-2023-38545": {
            "description": "SOCKS5 heap buffer overflow",
            "releases": {"bookworm": {"status": "resolved", "fixed_version": "7.88.1-10+deb12u4", "urgency": "high"}},
        }
    }
}
FOUND = {
    ("CVE-2023-38545", "curl", "7.88.1-10+deb12u3", "7.88.1-10+deb12u4"),
    ("CVE-2023-30861", "Flask", "2.2.2", "2.2.5"),
    ("CVE-2021-23337", "lodash", "4.17.20", "4.17.21"),
    ("CVE-2022-41723", "golang.org/x/net", "v0.6.0", "0.7.0"),
    ("CVE-2022-41723", "stdlib", "1.20.0", "1.20.1"),
    ("CVE-2021-25900", "smallvec", "1.6.0", "1.6.1"),
    ("CVE-2021-44228", "org.apache.logging.log4j:log4j-core", "2.14.1", "2.15.0"),
    ("CVE-2021-28965", "rexml", "3.2.3.1", "3.2.5"),
}
IDS = {id for id, *_ in FOUND}


def image(root: Path, *, fixed: bool = False) -> Path:
    """A Debian tree whose packages are those of `FOUND`, or the versions that mend them."""

    def version(name: str) -> str:
        return next(after if fixed else before for _, found, before, after in FOUND if found == name)

    def go(name: str) -> str:
        return version(name).removeprefix("v")

    tree(root, (package("bash", "5.2.15-2+b2"), package("curl", version("curl"))))
    rexml = f"# stub: rexml {version('rexml')} ruby lib\n"
    files: dict[str, str | bytes] = {
        f"srv/venv/lib/python3.11/site-packages/flask-{version('Flask')}.dist-info/METADATA": (
            f"Metadata-Version: 2.1\nName: Flask\nVersion: {version('Flask')}\n"
        ),
        "srv/site/node_modules/lodash/package.json": json.dumps({"name": "lodash", "version": version("lodash")}),
        "usr/local/bin/api": program(
            {
                ".go.buildinfo": inline_information(
                    f"go{version('stdlib')}",
                    go_text("mod example.com/api v1.0.0", f"dep golang.org/x/net v{go('golang.org/x/net')}"),
                )
            }
        ),
        "usr/local/bin/worker": program(
            {".dep-v0": crates({"name": "smallvec", "version": version("smallvec"), "source": "crates.io"})}
        ),
        f"var/lib/gems/3.1.0/specifications/rexml-{version('rexml')}.gemspec": rexml,
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    log4j = "org.apache.logging.log4j"
    inner = root / "inner.jar"
    with zipfile.ZipFile(inner, "w") as library:
        library.writestr(
            f"META-INF/maven/{log4j}/log4j-core/pom.properties",
            f"groupId={log4j}\nartifactId=log4j-core\nversion={version(f'{log4j}:log4j-core')}\n",
        )
    with zipfile.ZipFile(root / "srv/shop.jar", "w") as application:
        application.write(inner, "BOOT-INF/lib/log4j-core.jar")
    inner.unlink()
    return root


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A host that has taken the advisories of another one, which read them from a mirror."""
    mirror = tmp_path / "mirror"
    documents = {f"{OSV}/{ecosystem}/all.zip": zipped(*records) for ecosystem, records in EXPORTS.items()}
    documents["security-tracker.debian.org/tracker/data/json"] = json.dumps(TRACKER).encode()
    for name, content in documents.items():
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "maker"))
    assert run(["advisories", "update", f"-mirror={mirror}", f"-only={FEEDS}"]) == 0
    assert run(["advisories", "export", "taken"]) == 0
    monkeypatch.setenv("GOLDSMITH_CACHE", str(tmp_path / "cache"))
    (given,) = (tmp_path / "taken").glob("*.sqlite")
    assert run(["advisories", "import", "-key=taken/advisories.pub", str(given)]) == 0
    yield tmp_path


def scan(format: str, root: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    return run(["scan", f"-format={format}", str(root)]), capsys.readouterr().out


def test_json_has_exactly_one_vulnerability_of_each_package(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = scan("json", image(host / "root"), capsys)

    report = json.loads(out)
    found = [
        (item["id"], item["package"]["name"], item["package"]["version"], item["fixed"])
        for item in report["vulnerabilities"].values()
    ]
    assert code == 2
    assert sorted(found) == sorted(FOUND)
    assert len(report["results"][0]["facts"]["findings"]) == len(FOUND)


def test_trivys_json_has_exactly_these(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = scan("trivy", image(host / "root"), capsys)

    results = json.loads(out)["Results"]
    found = [item for result in results for item in result.get("Vulnerabilities", ())]
    assert code == 2
    assert {
        (item["VulnerabilityID"], item["PkgName"], item["InstalledVersion"], item["FixedVersion"]) for item in found
    } == FOUND
    assert len(found) == len(FOUND)
    assert {result["Type"] for result in results if result.get("Vulnerabilities")} >= {"debian"}
    places = {item["PkgName"]: item.get("PkgPath", "") for item in found}
    assert places["org.apache.logging.log4j:log4j-core"] == "srv/shop.jar!/BOOT-INF/lib/log4j-core.jar"
    purls = {item["PkgIdentifier"]["PURL"] for item in found}
    assert {
        "pkg:pypi/flask@2.2.2",
        "pkg:npm/lodash@4.17.20",
        "pkg:golang/golang.org/x/net@v0.6.0",
        "pkg:cargo/smallvec@1.6.0",
        "pkg:maven/org.apache.logging.log4j/log4j-core@2.14.1",
        "pkg:gem/rexml@3.2.3.1",
    } <= purls


def test_the_same_library_in_two_places_is_told_of_each(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = image(host / "root")
    (root / "usr/local/bin/second").write_bytes((root / "usr/local/bin/worker").read_bytes())

    of_trivy = json.loads(scan("trivy", root, capsys)[1])
    own = json.loads(scan("json", root, capsys)[1])

    wanted = ["usr/local/bin/second", "usr/local/bin/worker"]
    found = [item for result in of_trivy["Results"] for item in result.get("Vulnerabilities", ())]
    assert sorted(item["PkgPath"] for item in found if item["PkgName"] == "smallvec") == wanted
    assert sorted(item["path"] for item in own["vulnerabilities"].values() if item["package"]["name"] == "smallvec") == wanted


def test_sarif_has_exactly_these(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = scan("sarif", image(host / "root"), capsys)

    results = json.loads(out)["runs"][0]["results"]
    assert code == 2
    assert {item["ruleId"] for item in results} == IDS
    assert len(results) == len(FOUND)


@pytest.mark.parametrize("format", ["table", "html"])
def test_what_people_read_names_exactly_these(host: Path, capsys: pytest.CaptureFixture[str], format: str) -> None:
    code, out = scan(format, image(host / "root"), capsys)

    assert code == 2
    for id, name, installed, fixed in FOUND:
        assert {text for text in (id, name, installed, fixed) if text not in out} == set()


def test_the_mended_versions_have_none(host: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = scan("json", image(host / "root", fixed=True), capsys)

    report = json.loads(out)
    assert code == 0
    assert (report["vulnerabilities"], report["results"][0]["facts"]["findings"]) == ({}, [])
    assert report["packages"] == 10


def test_a_package_of_a_language_that_the_distribution_ships_is_the_distributions_affair(
    host: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = image(host / "root")
    owned = root / "var/lib/dpkg/info/curl.list"
    owned.parent.mkdir(parents=True)
    owned.write_text("/.\n/srv\n/srv/shop.jar\n/usr/local/bin/worker\n")

    _, out = scan("trivy", root, capsys)

    found = {item["PkgName"] for result in json.loads(out)["Results"] for item in result.get("Vulnerabilities", ())}
    assert {name for _, name, _, _ in FOUND} - found == {"org.apache.logging.log4j:log4j-core", "smallvec"}
