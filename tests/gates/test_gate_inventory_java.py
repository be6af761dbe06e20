"""Java libraries in archives, and archives that are made to hurt."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Found, Stack
from goldsmith.gates.inventory.java import read_java


def pom(group: str, artifact: str, version: str) -> dict[str, str]:
    text = f"#Created by Maven\r\nversion={version}\r\ngroupId={group}\r\nartifactId = {artifact}\r\n"
    return {f"META-INF/maven/{group}/{artifact}/pom.properties": text}


def manifest(**attributes: str) -> dict[str, str]:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in attributes.items()]
    return {"META-INF/MANIFEST.MF": "\r\n".join(["Manifest-Version: 1.0", *lines, "", "Name: a", "Bundle-Version: 9", ""])}


def archive(files: Mapping[str, str | bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return made.getvalue()


def read(root: Path, content: bytes, name: str = "opt/app.jar") -> Found:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return read_java(Stack([root]))


def named(found: Found) -> list[tuple[str, str]]:
    return [(item.name, item.version) for item in found.packages]


LOG4J = archive(pom("org.apache.logging.log4j", "log4j-core", "2.14.1"))


@pytest.mark.parametrize(
    ("name", "files", "wanted"),
    [
        ("a.jar", pom("org.x", "a", "1.0"), ("org.x:a", "1.0")),
        ("renamed.jar", pom("org.x", "a", "1.0"), ("org.x:a", "1.0")),
        ("spring-core-5.3.17.jar", manifest(Implementation_Title="spring-core"), ("org.springframework:spring-core", "5.3.17")),
        ("spring-boot-2.6.0.jar", {}, ("org.springframework.boot:spring-boot", "2.6.0")),
        ("tomcat-embed-core-9.0.50.jar", {}, ("org.apache.tomcat.embed:tomcat-embed-core", "9.0.50")),
        ("h2-1.4.200.jar", manifest(Bundle_SymbolicName="com.h2database"), ("com.h2database:h2", "1.4.200")),
        ("lib.jar", manifest(Implementation_Vendor_Id="org.lib", Implementation_Version="3.1"), ("org.lib:lib", "3.1")),
        ("lib.jar", manifest(Bundle_SymbolicName="org.x.lib;singleton:=true", Bundle_Version="2.0.1"), ("org.x:lib", "2.0.1")),
        ("plain_2.0-rc1.war", {"index.html": ""}, ("plain", "2.0-rc1")),
        ("a-1.1.jar", pom("org.x", "a", ""), ("org.x:a", "1.1")),
        ("long.jar", manifest(Implementation_Version="1.\r\n 5", Implementation_Vendor_Id="org\r\n .y"), ("org.y:long", "1.5")),
    ],
)
def test_a_library_is_named_by_what_says_it_best(
    tmp_path: Path, name: str, files: dict[str, str], wanted: tuple[str, str]
) -> None:
    found = read(tmp_path, archive(files), name)

    assert named(found) == [wanted]
    assert found.faults == ()


def test_licences_are_names(tmp_path: Path) -> None:
    stated = "BSD-3-Clause;link=https://x.org/a.txt, MIT ,http://www.apache.org/licenses/LICENSE-2.0.txt"

    found = read(tmp_path, archive(pom("org.x", "a", "1.0") | manifest(Bundle_License=stated)))

    assert found.packages[0].licences == ("BSD-3-Clause", "MIT")


def test_libraries_packed_into_another_are_found_with_it(tmp_path: Path) -> None:
    files = pom("org.x", "own", "1.0") | pom("commons-codec", "commons-codec", "1.9")

    assert named(read(tmp_path, archive(files), "own-1.0.jar")) == [
        ("org.x:own", "1.0"),
        ("commons-codec:commons-codec", "1.9"),
    ]


def test_the_libraries_of_a_spring_boot_application_are_found_in_it(tmp_path: Path) -> None:
    files = manifest(Spring_Boot_Version="2.6.0") | {"BOOT-INF/lib/log4j-core-2.14.1.jar": LOG4J}

    found = read(tmp_path, archive(files, zipfile.ZIP_STORED), "srv/shop-0.1.jar")

    assert [(item.name, item.version, item.path, item.file) for item in found.packages] == [
        ("shop", "0.1", "srv/shop-0.1.jar", "srv/shop-0.1.jar"),
        (
            "org.apache.logging.log4j:log4j-core",
            "2.14.1",
            "srv/shop-0.1.jar!/BOOT-INF/lib/log4j-core-2.14.1.jar",
            "srv/shop-0.1.jar",
        ),
    ]


def test_archives_are_opened_three_deep_and_counted_below(tmp_path: Path) -> None:
    content = LOG4J
    for depth in range(5):
        content = archive({f"WEB-INF/lib/level{depth}.war": content})

    found = read(tmp_path, content, "app.ear")

    assert found.packages == ()
    assert [item.sample for item in found.skipped if "archives deep" in item.reason] == [
        ("app.ear!/WEB-INF/lib/level4.war!/WEB-INF/lib/level3.war!/WEB-INF/lib/level2.war!/WEB-INF/lib/level1.war",)
    ]
    assert found.faults == ()


def test_what_says_no_version_or_group_is_counted(tmp_path: Path) -> None:
    read(tmp_path, archive({"a.class": ""}), "tools.jar")

    found = read(tmp_path, archive({"a.class": ""}), "thing-1.0.jar")

    assert {item.sample for item in found.skipped} == {("tools.jar",), ("thing-1.0.jar",)}
    assert named(found) == [("thing", "1.0")]


def test_a_file_that_only_has_the_name_of_an_archive_is_skipped(tmp_path: Path) -> None:
    found = read(tmp_path, b"#!/bin/sh\n")

    assert (found.faults, [item.count for item in found.skipped]) == ((), [1])


def bomb() -> bytes:
    return archive({"lib/inner.jar": archive({"zeros": bytes(40 << 20)}, zipfile.ZIP_STORED)})


def claims_many_entries() -> bytes:
    wide = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 1 << 40, 1 << 40, 1 << 50, 0)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, 0, 1)
    return wide + locator + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 65535, 65535, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def encrypted() -> bytes:
    made = bytearray(LOG4J)
    for magic, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        made[made.index(magic) + place] |= 1
    return bytes(made)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (bomb(), "larger, or packed tighter"),
        (claims_many_entries(), "its directory has"),
        (LOG4J[:100], "breaks off before its directory"),
        (LOG4J.replace(b"PK\x01\x02", b"PK\x09\x09"), "cannot be read as a zip file"),
        (encrypted(), "cannot be read as a zip file"),
        (archive({"lib/inner.jar": b"PK\x03\x04broken"}), "breaks off"),
    ],
    # Archives hold the time at which they are made: as names of tests they would differ between workers.
    ids=["bomb", "entries", "cut off", "directory", "encrypted", "inner"],
)
def test_an_archive_that_cannot_be_read_is_a_fault(tmp_path: Path, content: bytes, why: str) -> None:
    found = read(tmp_path, content)

    assert len(found.faults) == 1
    assert found.faults[0].startswith('"/opt/app.jar')
    assert why in found.faults[0]


def test_many_archives_in_one_are_bounded_in_sum(tmp_path: Path) -> None:
    content = archive({f"lib/{number}.jar": LOG4J for number in range(10_050)}, zipfile.ZIP_STORED)

    found = read(tmp_path, content)

    assert len(found.packages) == 10_000
    assert found.faults == ('"/opt/app.jar" cannot be read as a zip file: more is nested in it than will be read',)


@given(place=st.integers(0, len(LOG4J) - 1), byte=st.integers(0, 255), length=st.integers(0, len(LOG4J)))
def test_no_bytes_make_the_reader_fall(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, length: int) -> None:
    content = bytearray(LOG4J)
    content[place] = byte

    read(tmp_path_factory.mktemp("tree"), bytes(content[:length]))
    read(tmp_path_factory.mktemp("tree"), archive({"a.jar": bytes(content)}))
