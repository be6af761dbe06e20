"""A bill of materials of ours, read back, says all that matching needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from goldsmith.evidence import Described, cyclonedx, spdx
from goldsmith.gates.contract import Skipped
from goldsmith.gates.inventory import Distribution, Identity, Inventory, Package, components, image_facts
from goldsmith.gates.sboms import read_sbom
from tests.evidence.sbom_validators import cyclonedx_fault, spdx_faults

PATH = "usr/lib/python3.6/site-packages/six-1.11.0.dist-info/METADATA"
JARS = ("opt/a/log4j-core-2.14.1.jar", "opt/b/log4j-core-2.14.1.jar")
LAYER = "sha256:" + "7" * 64
INVENTORY = Inventory(
    distribution=Distribution(id="rhel", family="redhat", release="8.10", codename="", name="Red Hat Enterprise Linux 8.10"),
    packages=tuple(
        sorted(
            [
                Package(
                    kind="rpm",
                    name="python3-six",
                    version="1:1.11.0-8.el8",
                    architecture="noarch",
                    source_name="python-six",
                    source_version="1:1.11.0-8.el8",
                    module="python36:3.6:1:2:x86_64",
                    files=(PATH,),
                    layer=LAYER,
                    licences=("MIT and (BSD or GPLv2+)", "Apache-2.0; see NOTICE"),
                ),
                Package(
                    kind="rpm",
                    name="kernel",
                    version="4.18.0-1.el8",
                    architecture="x86_64",
                    source_name="kernel",
                    source_version="4.18.0-1.el8",
                ),
                Package(kind="pypi", name="six", version="1.11.0", path=PATH, layer=LAYER),
                Package(kind="generic", name="linux", version="6.9.1-own", path="boot/vmlinuz-own"),
                *(
                    Package(kind="maven", name="org.apache.logging.log4j:log4j-core", version="2.14.1", path=path)
                    for path in JARS
                ),
            ]
        )
    ),
    faults=("/var/lib/rpm/Packages is damaged: it ends, early = here",),
    skipped=(Skipped(reason="too deep", count=3),),
    content_sets=("rhel-8-for-x86_64-appstream-rpms__8", "rhel-8-for-x86_64-baseos-rpms__8"),
    nvr="ubi8-container-8.10-1-x86_64",
)
ABOUT = Described(image="web", disk_digest="sha256:" + "0" * 64, epoch=0, tool_version="1", facts=image_facts(INVENTORY))
CHECKSUMS: Mapping[Identity, str] = {("rpm", "kernel", "4.18.0-1.el8", "x86_64"): "ab" * 32}


@pytest.mark.parametrize("form", [cyclonedx, spdx])
def test_what_is_read_back_is_what_was_written(form: object) -> None:
    assert callable(form)
    document = json.dumps(form(ABOUT, components(INVENTORY, CHECKSUMS)))

    found = read_sbom(document.encode(), "web").inventory

    assert found.distribution == INVENTORY.distribution
    assert found.packages == INVENTORY.packages
    assert (found.content_sets, found.nvr, found.faults) == (INVENTORY.content_sets, INVENTORY.nvr, INVENTORY.faults)


def test_both_forms_are_valid_by_their_own_libraries_and_always_the_same(tmp_path: Path) -> None:
    found = components(INVENTORY, CHECKSUMS)
    document = json.dumps(cyclonedx(ABOUT, found))

    assert cyclonedx_fault(json.loads(document)) is None
    assert document == json.dumps(cyclonedx(ABOUT, found[::-1]))
    listed = json.loads(document)["components"]
    assert len({item["bom-ref"] for item in listed}) == len(listed) == len(INVENTORY.packages)
    assert next(item for item in listed if item["name"] == "kernel")["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert json.dumps(spdx(ABOUT, found)) == json.dumps(spdx(ABOUT, found[::-1]))


# pyparsing, which the validator uses, still calls names of its own that it has declared old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_spdx_is_valid_by_its_own_library(tmp_path: Path) -> None:
    assert spdx_faults(spdx(ABOUT, components(INVENTORY, CHECKSUMS)), tmp_path) == []


def test_a_purl_of_a_distribution_carries_architecture_release_and_epoch() -> None:
    purls = {item.name: item.purl for item in components(INVENTORY)}

    assert purls["python3-six"] == "pkg:rpm/rhel/python3-six@1.11.0-8.el8?arch=noarch&distro=rhel-8.10&epoch=1"
    assert purls["kernel"] == "pkg:rpm/rhel/kernel@4.18.0-1.el8?arch=x86_64&distro=rhel-8.10"
    assert purls["linux"] == "pkg:generic/linux@6.9.1-own"
    assert next(item.owner for item in components(INVENTORY) if item.name == "six") == purls["python3-six"]


@pytest.mark.parametrize(
    ("licenses", "told"),
    [
        ([{"license": {"id": "MIT"}}, {"license": {"name": "own words"}}], ("MIT", "own words")),
        ([{"expression": "MIT OR Apache-2.0"}], ("MIT OR Apache-2.0",)),
        ([{"license": {}}, "MIT", None], ()),
        ("MIT", ()),
    ],
)
def test_licences_are_read_from_what_others_write_as_cyclonedx(licenses: object, told: tuple[str, ...]) -> None:
    component = {"type": "library", "name": "six", "purl": "pkg:pypi/six@1.16.0", "licenses": licenses}
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "components": [component]}

    assert [item.licences for item in read_sbom(json.dumps(document).encode(), "x").inventory.packages] == [told]


@pytest.mark.parametrize(
    ("declared", "concluded", "told"),
    [
        ("MIT OR Apache-2.0", "MIT", ("MIT OR Apache-2.0",)),
        ("NOASSERTION", "MIT", ("MIT",)),
        ("NONE", "NOASSERTION", ()),
    ],
)
def test_licences_are_read_from_what_others_write_as_spdx(declared: str, concluded: str, told: tuple[str, ...]) -> None:
    reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:pypi/six@1.16.0"}
    package = {"name": "six", "externalRefs": [reference], "licenseDeclared": declared, "licenseConcluded": concluded}
    package["licenseComments"] = "somebody looked at it"
    document = {"spdxVersion": "SPDX-2.3", "name": "x", "packages": [package], "creationInfo": {"creators": ["Tool: syft-1"]}}

    assert [item.licences for item in read_sbom(json.dumps(document).encode(), "x").inventory.packages] == [told]
