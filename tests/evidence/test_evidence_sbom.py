"""Bills of materials: valid by the formats' own libraries, and the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from goldsmith.evidence import Component, Described, cyclonedx, spdx
from tests.evidence.sbom_validators import cyclonedx_fault, spdx_faults

SUBJECT = Described(image="base", disk_digest="sha256:" + "ab" * 32, epoch=1_700_000_000, tool_version="0.1.0")
COMPONENTS = (
    Component(
        type="deb",
        name="bash",
        version="5.2.15-2+b13",
        purl="pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64&distro=debian-12",
        architecture="amd64",
        source_name="bash",
        source_version="5.2.15-2",
        sha256="cd" * 32,
    ),
    Component(type="deb", name="adduser", version="3.134", purl="pkg:deb/debian/adduser@3.134?arch=all&distro=debian-12"),
)


def test_cyclonedx_is_valid_by_its_own_schema() -> None:
    assert cyclonedx_fault(cyclonedx(SUBJECT, COMPONENTS)) is None


# pyparsing, which the validator uses, still calls names of its own that it has declared old.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_spdx_is_valid_by_its_own_library(tmp_path: Path) -> None:
    assert spdx_faults(spdx(SUBJECT, COMPONENTS), tmp_path) == []


@pytest.mark.parametrize("write", [cyclonedx, spdx])
def test_the_order_of_components_changes_nothing(write: object) -> None:
    assert callable(write)
    assert write(SUBJECT, COMPONENTS) == write(SUBJECT, COMPONENTS[::-1])


def test_another_disk_is_another_document() -> None:
    other = Described(image="base", disk_digest="sha256:" + "cd" * 32, epoch=0, tool_version="0.1.0")

    assert cyclonedx(SUBJECT, ())["serialNumber"] != cyclonedx(other, ())["serialNumber"]
