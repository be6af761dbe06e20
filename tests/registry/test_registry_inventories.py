"""Feeds, states and libvirt hosts: what they say is in use, and that a look that was cut short never passes for a whole one."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.registry import Limits, Place, Reading, Reference
from goldsmith.registry.inventory import FeedSource, LibvirtSource, TerraformSource
from goldsmith.registry.inventory.guards import Earlier, faults
from goldsmith.registry.inventory.ids import names_in
from tests.datasources.web_server import Answer, WebServer
from tests.registry.registry_workbench import SECOND, digest

NOW = 1_800_000_000 * SECOND
DISK = digest("a disk")
FEED = {
    "goldsmith_inventory": 1,
    "source": "cmdb",
    "platform": "aws",
    "account": "1",
    "region": "eu-west-1",
    "finished": datetime.fromtimestamp(NOW / SECOND, UTC).isoformat(),
    "complete": True,
    "entries": 2,
    "uses": [{"id": "ami-0000abcd", "kind": "instance", "place": "i-1"}, {"id": DISK, "count": 3}],
}


def read_feed(root: Path, content: object) -> Reading:
    path = root / "inventory.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    (reading,) = FeedSource(where=str(path), clock=lambda: NOW).read({})
    return reading


def ids(reading: Reading) -> set[str]:
    assert reading.trouble == ()
    return {item.external_id for item in reading.references}


def trouble(reading: Reading) -> str:
    return " ".join(f"{item.what}: {item.why}" for item in reading.trouble)


# ── feeds ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_feed_says_what_is_in_use_and_what_it_vouches_for(tmp_path: Path) -> None:
    reading = read_feed(tmp_path, FEED)

    assert reading.place == Place("cmdb", "aws", "1", "eu-west-1")
    assert (reading.started, reading.finished, reading.size) == (NOW, NOW, 4)
    assert reading.references == (
        Reference(external_id="ami-0000abcd", kind="instance", place="i-1"),
        Reference(external_id=DISK, kind="machine", place="", count=3),
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no inventory, or was cut short"),
        (json.dumps(FEED)[:-20], "no inventory, or was cut short"),
        (FEED | {"entries": 3}, "has 2 uses and says that it has 3"),
        (FEED | {"complete": False}, "not complete"),
        ({name: value for name, value in FEED.items() if name != "complete"}, "complete: Field required"),
        (FEED | {"finished": "yesterday"}, "finished"),
        (FEED | {"finished": "2027-01-01T00:00:00"}, "finished"),
        (FEED | {"uses": [{"id": ""}], "entries": 1}, "uses.0.id"),
        (FEED | {"uses": [{"id": "a", "count": -5}], "entries": 1}, "uses.0.count"),
        (FEED | {"more": 1}, "more: Extra inputs are not permitted"),
        ([FEED], "no inventory"),
    ],
)
def test_a_feed_that_is_not_whole_is_no_inventory(tmp_path: Path, content: object, words: str) -> None:
    assert words in trouble(read_feed(tmp_path, content))


def test_every_beginning_of_a_feed_is_refused(tmp_path: Path) -> None:
    text = json.dumps(FEED)

    assert all(read_feed(tmp_path, text[:length]).trouble for length in range(0, len(text), 7))


def test_a_feed_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (reading,) = FeedSource(where=str(tmp_path / "none.json"), clock=lambda: NOW).read({})

    assert "No such file" in trouble(reading)
    assert reading.place == Place("none")


def test_a_feed_may_come_from_a_web_server(web: WebServer) -> None:
    web.answers["/feed"] = Answer(body=json.dumps(FEED).encode())
    web.answers["/denied?token=secret"] = Answer(403)

    (reading,) = FeedSource(where=web.url("/feed"), name="ours").read({})
    (denied,) = FeedSource(where=web.url("/denied?token=secret")).read({})

    assert reading.place.source == "ours"
    assert DISK in ids(reading)
    assert "answers 403" in trouble(denied)
    assert "secret" not in trouble(denied) + str(denied.place)


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────────────────

STATE = {
    "version": 4,
    "lineage": "3f6c",
    "serial": 7,
    "outputs": {"image": {"value": "ami-0000000f", "type": "string"}},
    "resources": [
        {
            "module": "module.web",
            "mode": "managed",
            "type": "aws_instance",
            "name": "web",
            "instances": [
                {"index_key": "a", "attributes": {"ami": "ami-0000abcd", "tags": {"golden": DISK}, "user_data": "no ami here"}},
                {"index_key": "b", "attributes": {"ami": "ami-0000abcd"}},
            ],
        },
        {
            "mode": "managed",
            "type": "libvirt_volume",
            "name": "root",
            "instances": [{"attributes": {"source": "/pool/blobs/sha256/" + "ab" * 32}}],
        },
    ],
}


def read_state(root: Path, content: object) -> Reading:
    (root / "terraform.tfstate").write_text(content if isinstance(content, str) else json.dumps(content))
    (reading,) = TerraformSource(name="infra", states=("*.tfstate",), root=root, clock=lambda: NOW).read({})
    return reading


def test_a_state_names_the_images_of_its_resources(tmp_path: Path) -> None:
    reading = read_state(tmp_path, STATE)

    assert ids(reading) >= {"ami-0000abcd", "ami-0000000f", DISK, "sha256:" + "ab" * 32}
    places = {item.place for item in reading.references if item.external_id == "ami-0000abcd"}
    assert places == {f'module.web.aws_instance.web["{key}"] in {tmp_path}/terraform.tfstate' for key in "ab"}
    assert reading.place.platform == "", "a state does not see all of an account"
    assert reading.size > 3


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(STATE)[:-9], "cut short"),
        ("", "cut short"),
        ({"version": 3, "modules": []}, "no version 4"),
        ({"version": 4}, "no version 4"),
        ({"version": 4, "encrypted_data": "…", "resources": []}, "encrypted"),
        ([], "no version 4"),
        (STATE | {"resources": [7]}, "no version 4"),
        (STATE | {"resources": [{"instances": 3}]}, "no version 4"),
    ],
)
def test_a_state_that_is_not_whole_is_no_inventory(tmp_path: Path, content: object, words: str) -> None:
    assert words in trouble(read_state(tmp_path, content))


def test_a_state_that_is_not_there_is_no_inventory(tmp_path: Path) -> None:
    (reading,) = TerraformSource(name="infra", states=("*.tfstate",), root=tmp_path).read({})

    assert 'no file is named "*.tfstate"' in trouble(reading)


def test_a_state_without_resources_is_empty(tmp_path: Path) -> None:
    assert read_state(tmp_path, STATE | {"resources": [], "outputs": {}}).size == 0


# ── libvirt ───────────────────────────────────────────────────────────────────────────────────────────────────────────

DOMAIN = """<domain type='{type}'><name>{name}</name>{uuid}<memory unit='KiB'>1024</memory>
<metadata><g:image xmlns:g='https://goldsmith.example/'>{metadata}</g:image></metadata>
<os><type>hvm</type></os><devices>{disks}</devices></domain>"""


def domain(name: str, *disks: str, metadata: str = "", type: str = "kvm") -> str:
    # The test driver makes up another id for each connection.
    uuid = f"<uuid>{UUID(bytes=name.encode().ljust(16))}</uuid>"
    return DOMAIN.format(name=name, disks="".join(disks), metadata=metadata, type=type, uuid=uuid)


def disk(path: Path | str, format: str = "qcow2", chain: str = "") -> str:
    letter = chr(ord("a") + hash(str(path)) % 20)
    driver = f"<driver name='qemu' type='{format}'/>"
    return f"<disk type='file'>{driver}<source file='{path}'/>{chain}<target dev='vd{letter}' bus='virtio'/></disk>"


def look(root: Path, *domains: str) -> Reading:
    for number, text in enumerate(domains):
        (root / f"{number}.xml").write_text(text)
    (reading,) = LibvirtSource(name="hosts", files=("*.xml",), root=root, clock=lambda: NOW).read({})
    return reading


def test_a_domain_uses_its_disks_and_what_is_behind_them(tmp_path: Path) -> None:
    base = tmp_path / "blobs/sha256" / ("cd" * 32)
    base.parent.mkdir(parents=True)
    overlay = tmp_path / "web.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", base, "1M"], check=True)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", overlay], check=True)

    reading = look(tmp_path, domain("web", disk(overlay), disk("/dev/vg/data", "raw"), metadata=DISK))

    assert ids(reading) >= {str(overlay), str(base), "sha256:" + "cd" * 32, "/dev/vg/data", DISK}
    assert {item.place for item in reading.references} == {"web"}


def test_a_backing_chain_that_the_definition_tells_is_taken_from_it(tmp_path: Path) -> None:
    chain = "<backingStore type='file'><source file='/pool/base.qcow2'/><backingStore/></backingStore>"

    assert ids(look(tmp_path, domain("web", disk("/pool/web.qcow2", chain=chain)))) >= {"/pool/web.qcow2", "/pool/base.qcow2"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (domain("web", disk("/a"))[:-30], "was cut short"),
        ("", "was cut short"),
        ("<network><name>default</name></network>", "no definition of a domain"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><domain>&d;</domain>", "no XML"),
    ],
)
def test_a_definition_that_is_not_whole_is_no_inventory(tmp_path: Path, text: str, words: str) -> None:
    assert words in trouble(look(tmp_path, domain("good"), text))


def test_a_disk_whose_chain_cannot_be_read_is_trouble(tmp_path: Path) -> None:
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(b"QFI\xfb\0\0\0\x03" + b"\xff" * 100)

    assert "qemu-img" in trouble(look(tmp_path, domain("web", disk(broken))))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    """A host of libvirt's own test driver: one domain runs, its next start has another disk."""
    if shutil.which("virsh") is None:
        pytest.skip("virsh is not installed: ./bootstrap tests")
    (tmp_path / "web.xml").write_text(domain("web", disk("/pool/web.raw", "raw"), metadata=DISK, type="test"))
    (tmp_path / "off.xml").write_text(domain("off", disk("/pool/off.raw", "raw"), type="test"))
    (tmp_path / "host.xml").write_text("<node><domain file='web.xml'/><domain file='off.xml'/></node>")
    yield f"test://{tmp_path}/host.xml"


def test_a_host_is_asked_for_every_domain(host: str, tmp_path: Path) -> None:
    (reading,) = LibvirtSource(name="hosts", uris=(host,), root=tmp_path).read({})

    assert ids(reading) >= {"/pool/web.raw", "/pool/off.raw", DISK}
    assert reading.place == Place("hosts", "libvirt", region=host)
    assert {item.place for item in reading.references} == {"web", "off"}


def test_a_host_that_does_not_answer_is_told_beside_those_that_do(host: str, tmp_path: Path) -> None:
    good, bad = LibvirtSource(name="hosts", uris=(host, f"test://{tmp_path}/none.xml"), root=tmp_path).read({})

    assert good.trouble == ()
    assert "virsh" in trouble(bad)
    assert "none.xml" in bad.place.region


# ── guards ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PLACE = Place("test")


@given(
    size=st.integers(0, 300),
    earlier=st.none() | st.integers(0, 300),
    age_s=st.integers(-1000, 8000),
    minimum=st.integers(0, 20),
    percent=st.integers(0, 100),
    is_denied=st.booleans(),
    accepts=st.booleans(),
)
def test_a_reading_is_trusted_exactly_when_every_guard_lets_it_pass(
    size: int, earlier: int | None, age_s: int, minimum: int, percent: int, is_denied: bool, accepts: bool
) -> None:
    at = NOW + age_s * SECOND
    limits = Limits(minimum=minimum, at_least_percent=percent, accepts_smaller=accepts)
    references = (Reference(external_id="ami-1", kind="instance", place="i", count=size),)
    reading = Reading(place=PLACE, started=NOW, finished=NOW, references=references, limits=limits)
    if is_denied:
        reading = replace(reading, trouble=(Diagnostic(code="aws.refused", what="forbidden"),))
    before = None if earlier is None else Earlier(finished=NOW - SECOND, size=earlier)

    trusted = (
        not is_denied
        and -300 <= age_s <= 3600
        and size >= minimum
        and (earlier is None or accepts or size * 100 >= earlier * percent)
    )

    assert (faults(reading, before, at) == ()) == trusted


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ami-0123456789abcdef0", {"ami-0123456789abcdef0"}),
        ({"a": ["x ami-0000abcd y", 3, None]}, {"ami-0000abcd"}),
        ("my-ami-0000abcd", set()),
        ("ami-0000abcde", set()),
        ("ami-XXXXXXXX", set()),
        (f"image@{DISK}", {DISK}),
        ("/var/lib/images/web.qcow2", {"/var/lib/images/web.qcow2"}),
        ("projects/p/global/images/web-1", {"projects/p/global/images/web-1"}),
        ("not /a/path", set()),
        ("#!/bin/sh\nrun ami-0000abcd\n" + "x" * 5000, {"ami-0000abcd"}),
        (b"ami-0000abcd", set()),
    ],
)
def test_names_of_images_are_found_in_whatever_a_tool_tells(value: object, expected: set[str]) -> None:
    assert names_in(value) == expected
