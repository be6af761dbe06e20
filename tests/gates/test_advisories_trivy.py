"""Matching as Trivy does it: the findings of real inventories against its fixture database."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from goldsmith.evidence import load_or_create_signer, load_public_key, public_path
from goldsmith.gates.advisories import Database, Vulnerability, match, open_database
from tests.gates.trivy_fixtures import PLACE, Finding, expected, images, inventory, write_database

pytestmark = pytest.mark.skipif(not images(), reason="Trivy's known answers are not at hand (GOLDSMITH_CONFORMANCE)")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    key = tmp_path_factory.mktemp("keys") / "a.key"
    path = write_database(tmp_path_factory.mktemp("advisories"), load_or_create_signer(key))
    with open_database(path, [load_public_key(public_path(key))]) as opened:
        yield opened


def told(item: Vulnerability) -> Finding:
    severity = item.severity.upper()
    return (item.id, item.package.name, item.package.version, item.fixed, item.status, severity, item.severity_source)


@pytest.mark.parametrize("image", images())
def test_findings_are_those_of_trivy(database: Database, image: str) -> None:
    found = match(inventory(image), database)

    assert {told(item) for item in found.vulnerabilities} == expected(image)
    assert found.faults == ()


@pytest.mark.parametrize("image", [name for name in images() if (PLACE / f"reports/{name}-ignore-unfixed.json").exists()])
def test_fixable_findings_are_those_of_trivy(database: Database, image: str) -> None:
    found = match(inventory(image), database)

    assert {told(item) for item in found.vulnerabilities if item.fixed} == expected(f"{image}-ignore-unfixed")


@pytest.mark.parametrize("image", images())
def test_every_package_is_accounted_for(database: Database, image: str) -> None:
    packages = inventory(image)
    found = match(packages, database)

    assert found.evaluated + sum(item.count for item in found.skipped) == len(packages.packages)
    assert found.evaluated > 0
