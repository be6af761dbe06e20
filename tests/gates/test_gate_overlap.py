"""A language package that the distribution ships is matched as such only where the distribution says too little."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from goldsmith.evidence import Described, cyclonedx, spdx
from goldsmith.gates.advisories import Matches, match
from goldsmith.gates.advisories.schema import Advisory
from goldsmith.gates.advisories.store import Store
from goldsmith.gates.advisories.writing import Writer
from goldsmith.gates.inventory import Inventory, components, image_facts, read_inventory
from goldsmith.gates.sboms import read_sbom

from .advisory_workbench import FEED, NOW, package, tree

SHIPPED = "usr/lib/python3/dist-packages/Jinja2-3.1.2.egg-info"
OWN = "usr/local/lib/python3.11/dist-packages/jinja2-3.1.2.dist-info"
METADATA = "Metadata-Version: 2.1\nName: Jinja2\nVersion: 3.1.2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tree(tmp_path / "root", (package("python3-jinja2", "3.1.2-1", "jinja2"),))
    for directory, name in ((SHIPPED, "PKG-INFO"), (OWN, "METADATA")):
        (made / directory).mkdir(parents=True)
        (made / directory / name).write_text(METADATA)
    (made / "var/lib/dpkg/info").mkdir()
    (made / "var/lib/dpkg/info/python3-jinja2.list").write_text(f"/.\n/{SHIPPED}\n/{SHIPPED}/PKG-INFO\n")
    return made


def matched(inventory: Inventory, directory: Path, *, complete: bool) -> Matches:
    store = Store(directory)
    signer = store.signer()
    with Writer(store.directory) as writer:
        advisory = Advisory(eco="pypi", package="jinja2", vulnerability="CVE-2024-22195", scheme="pep440", fixed="3.1.3")
        writer.add("pypi", [advisory])
        writer.add_feed(replace(FEED, complete=complete, records=1))
        writer.add_feed(replace(FEED, id="pypi", eco="pypi", complete=False, records=1))
        store.point_to(writer.finish(signer, NOW))
    with store.open() as database:
        return match(inventory, database, now_s=NOW)


def described(inventory: Inventory) -> Described:
    return Described(image="web", disk_digest="sha256:" + "0" * 64, epoch=0, tool_version="1", facts=image_facts(inventory))


@pytest.mark.parametrize(
    ("complete", "paths"), [(True, [f"{OWN}/METADATA"]), (False, [f"{SHIPPED}/PKG-INFO", f"{OWN}/METADATA"])]
)
@pytest.mark.parametrize("form", ["tree", "cyclonedx", "spdx"])
def test_what_the_distribution_ships_is_its_own_matter(
    root: Path, tmp_path: Path, complete: bool, paths: list[str], form: str
) -> None:
    inventory = read_inventory([root])
    if form != "tree":
        write = cyclonedx if form == "cyclonedx" else spdx
        document = json.dumps(write(described(inventory), components(inventory)))
        inventory = read_sbom(document.encode(), "web").inventory

    found = matched(inventory, tmp_path / "advisories", complete=complete)

    assert [(item.id, item.package.path) for item in found.vulnerabilities] == [("CVE-2024-22195", path) for path in paths]
    skipped = [item.reason for item in found.skipped]
    assert ("shipped by a package of the distribution, whose advisories cover it" in skipped) is complete
    assert found.faults == ()
