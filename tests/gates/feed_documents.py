"""Small documents in the formats of the publishers of advisories, and a web server that serves them as theirs do."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import TypeAlias

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Json: TypeAlias = "Mapping[str, Json] | list[Json] | str | int | float | bool | None"

DAY = 24 * 3600
NOW = 1_764_000_000
"""2025-11-24: the day of these documents."""

OSV = "storage.googleapis.com/osv-vulnerabilities"
AZURE = "raw.githubusercontent.com/microsoft/AzureLinuxVulnerabilityData/main"
VEX = "security.access.redhat.com/data/csaf/v2/vex"


def as_bytes(document: object) -> bytes:
    return json.dumps(document).encode()


def zipped(*documents: Mapping[str, object]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for document in documents:
            archive.writestr(f"{document['id']}.json", as_bytes(document))
    return buffer.getvalue()


def tarred(files: Mapping[str, bytes], mode: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz" if mode == "xz" else "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue() if mode == "xz" else zstd.compress(buffer.getvalue())


def osv(id: str, ecosystem: str, package: str, *events: Mapping[str, str], **more: object) -> Mapping[str, object]:
    """An OSV document with one package and one range."""
    kind = "SEMVER" if ecosystem in ("npm", "Go", "crates.io") else "ECOSYSTEM"
    entry: dict[str, object] = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": kind, "events": list(events)}],
    }
    specific = more.pop("ecosystem_specific", None)
    if specific is not None:
        entry["ecosystem_specific"] = specific
    return {
        "schema_version": "1.6.0",
        "id": id,
        "modified": "2025-11-20T00:00:00Z",
        "published": "2025-11-01T00:00:00Z",
        "affected": [entry],
        **more,
    }


DEBIAN: Mapping[str, Mapping[str, object]] = {
    "openssl": {
        "CVE-2025-0001": {
            "scope": "remote",
            "description": "a fault",
            "releases": {
                "bookworm": {"status": "resolved", "fixed_version": "3.0.20-1~deb12u2", "urgency": "medium**"},
                "trixie": {"status": "resolved", "fixed_version": "0", "urgency": "not yet assigned"},
                "sid": {"status": "resolved", "fixed_version": "3.5.4-1", "urgency": "not yet assigned"},
            },
        },
        "CVE-2025-0002": {
            "releases": {
                "bookworm": {"status": "open", "urgency": "not yet assigned", "nodsa": "Minor", "nodsa_reason": "postponed"},
                "trixie": {"status": "open", "urgency": "unimportant"},
            }
        },
        "CVE-2025-0003": {
            "releases": {
                "bookworm": {"status": "open", "urgency": "low", "nodsa": "Too intrusive", "nodsa_reason": "ignored"},
                "trixie": {"status": "undetermined", "urgency": "not yet assigned"},
            }
        },
    },
    "oldlib": {"CVE-2025-0004": {"releases": {"bookworm": {"status": "open", "urgency": "end-of-life"}}}},
}

UBUNTU = osv(
    "UBUNTU-CVE-2025-0001",
    "Ubuntu:24.04:LTS",
    "openssl",
    {"introduced": "0"},
    {"fixed": "3.0.13-0ubuntu3.6"},
    upstream=["CVE-2025-0001"],
    details="a fault",
    severity=[
        {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
        {"type": "Ubuntu", "score": "medium"},
    ],
    ecosystem_specific={"ubuntu_priority": "high", "binaries": [{"binary_name": "libssl3", "binary_version": "3.0"}]},
)

ALPINE_INDEX = b'<a href="../">../</a> <a href="edge/">edge/</a> <a href="v3.20/">v3.20/</a> <a href="last-update">x</a>'


def alpine(version: str, repository: str, secfixes: Mapping[str, list[str]]) -> bytes:
    package = {"pkg": {"name": "openssl", "secfixes": secfixes}}
    return as_bytes({"distroversion": version, "reponame": repository, "archs": ["x86_64"], "packages": [package]})


ALMA = osv(
    "ALSA-2025:0001",
    "AlmaLinux:9",
    "openssl",
    {"introduced": "0"},
    {"fixed": "1:3.2.2-6.el9_5.1"},
    summary="Important: openssl security update",
    related=["CVE-2025-0001", "CVE-2025-0002"],
)
ALMA_MODULE = osv(
    "ALSA-2025:0002",
    "AlmaLinux:9",
    "nodejs",
    {"introduced": "0"},
    {"fixed": "1:20.18.2-1.module_el9.5.0+138+a2f8d9b5"},
    summary="Moderate: nodejs:20 security update",
    related=["CVE-2025-0005"],
)
ROCKY = osv(
    "RLSA-2025:0001",
    "Rocky Linux:9",
    "openssl",
    {"introduced": "0"},
    {"fixed": "1:3.2.2-6.el9_5.1"},
    summary="Moderate: openssl security update",
    upstream=["CVE-2025-0001"],
)
SUSE = osv(
    "SUSE-SU-2025:0001-1",
    "SUSE:Linux Enterprise Module for Basesystem 15 SP6",
    "openssl-3",
    {"introduced": "0"},
    {"fixed": "3.1.4-150600.5.24.1"},
    upstream=["CVE-2025-0001"],
    ecosystem_specific={"binaries": [{"libopenssl3": "3.1.4-150600.5.24.1", "openssl-3": "3.1.4-150600.5.24.1"}]},
)
OPENSUSE = osv(
    "openSUSE-SU-2025:0002-1",
    "openSUSE:Leap 15.6",
    "chromium",
    {"introduced": "0"},
    {"fixed": "130.0-bp156.2.1"},
    upstream=["CVE-2025-0006"],
    ecosystem_specific={"binaries": [{"chromium": "130.0-bp156.2.1"}]},
)

PYPI = (
    osv(
        "GHSA-aaaa-bbbb-cccc",
        "PyPI",
        "Jinja2",
        {"introduced": "0"},
        {"fixed": "3.1.5"},
        aliases=["CVE-2025-0007"],
        summary="a sandbox has a hole",
        database_specific={"severity": "MODERATE", "cwe_ids": ["CWE-94"]},
    ),
    osv("PYSEC-2025-1", "PyPI", "jinja2", {"introduced": "0"}, {"fixed": "3.1.5"}, aliases=["GHSA-aaaa-bbbb-cccc"]),
    osv("GHSA-with-draw-nnnn", "PyPI", "jinja2", {"introduced": "0"}, withdrawn="2025-11-02T00:00:00Z"),
    osv(
        "PYSEC-2025-2",
        "PyPI",
        "requests",
        {"introduced": "2.0"},
        {"fixed": "2.5"},
        {"introduced": "2.7"},
        {"last_affected": "2.9"},
    ),
)
NPM = osv("GHSA-npmn-npmn-npmn", "npm", "left-pad", {"introduced": "0"}, {"fixed": "1.3.1"})
GO = osv(
    "GO-2025-0001", "Go", "stdlib", {"introduced": "0"}, {"fixed": "1.22.7"}, {"introduced": "1.23.0-0"}, {"fixed": "1.23.1"}
)
CARGO = osv("RUSTSEC-2025-0001", "crates.io", "time", {"introduced": "0.1.0"}, {"fixed": "0.2.23"})
MAVEN = osv("GHSA-mave-mave-mave", "Maven", "org.a:b", {"introduced": "2.0-beta9"}, {"fixed": "2.15.0"})
GEM = osv("GHSA-gemg-gemg-gemg", "RubyGems", "rack", {"introduced": "0"}, {"fixed": "2.2.6.4"})

KEV = {
    "title": "CISA Catalog of Known Exploited Vulnerabilities",
    "catalogVersion": "2025.11.20",
    "dateReleased": "2025-11-20T18:00:00.0000Z",
    "count": 1,
    "vulnerabilities": [
        {
            "cveID": "CVE-2025-0001",
            "dateAdded": "2025-11-10",
            "dueDate": "2025-12-01",
            "knownRansomwareCampaignUse": "Known",
        }
    ],
}
EPSS = "#model_version:v2025.03.14,score_date:2025-11-23T00:00:00+0000\ncve,epss,percentile\nCVE-2025-0001,0.93,0.998\n"
EOL = {
    "schema_version": "1.2.0",
    "generated_at": "2025-11-23T00:00:00+00:00",
    "result": [
        {
            "name": "debian",
            "releases": [{"name": "12", "eolFrom": "2026-06-10", "eoesFrom": "2028-06-30"}, {"name": "14", "eolFrom": None}],
        },
        {"name": "rhel", "releases": [{"name": "9", "eolFrom": "2032-05-31"}]},
        {"name": "python", "releases": [{"name": "3.9", "eolFrom": "2025-10-31"}]},
    ],
}

CHANGES = b""""2025/cve-2025-0008.json","2025-11-22T10:00:00+00:00"
"2025/cve-2025-0001.json","2025-11-01T10:00:00+00:00"
"""
REPOSITORIES = {"data": {"rhel-9-for-x86_64-baseos-rpms": {"cpes": ["cpe:/o:redhat:enterprise_linux:9::baseos"]}}}


def vex(cve: str, impact: str = "Important") -> Mapping[str, object]:
    """A VEX document: fixed in BaseOS of 9, a module's build in AppStream, no fix for all of 9's `bash`."""

    def product(id: str, helper: Mapping[str, str]) -> Mapping[str, object]:
        return {
            "category": "product_version",
            "name": id,
            "product": {"product_id": id, "product_identification_helper": helper},
        }

    def within(component: str, place: str) -> Mapping[str, object]:
        return {
            "category": "default_component_of",
            "full_product_name": {"name": component, "product_id": f"{place}:{component}"},
            "product_reference": component,
            "relates_to_product_reference": place,
        }

    fixed = "openssl-libs-1:3.2.2-6.el9_5.1.x86_64"
    module = "nodejs:20:9050020250101:rhel9"
    node = "nodejs-1:20.18.2-1.module+el9.5.0+1.x86_64"
    return {
        "document": {
            "title": "openssl: a fault",
            "aggregate_severity": {"text": impact},
            "tracking": {
                "initial_release_date": "2025-11-01T00:00:00+00:00",
                "current_release_date": "2025-11-20T00:00:00+00:00",
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Red Hat",
                    "branches": [
                        product("BaseOS-9.5.0", {"cpe": "cpe:/o:redhat:enterprise_linux:9::baseos"}),
                        product("AppStream-9.5.0", {"cpe": "cpe:/a:redhat:enterprise_linux:9::appstream"}),
                        product("red_hat_enterprise_linux_9", {"cpe": "cpe:/o:redhat:enterprise_linux:9"}),
                        product(fixed, {"purl": "pkg:rpm/redhat/openssl-libs@3.2.2-6.el9_5.1?arch=x86_64&epoch=1"}),
                        product(module, {"purl": "pkg:rpmmod/redhat/nodejs@20:9050020250101:rhel9"}),
                        product(node, {"purl": "pkg:rpm/redhat/nodejs@20.18.2-1.module%2Bel9.5.0%2B1?arch=x86_64&epoch=1"}),
                        product("bash", {"purl": "pkg:rpm/redhat/bash?arch=src"}),
                        product("ubi9/httpd", {"purl": "pkg:oci/httpd?repository_url=x"}),
                    ],
                }
            ],
            "relationships": [
                within(fixed, "BaseOS-9.5.0"),
                within(module, "AppStream-9.5.0"),
                within(node, f"AppStream-9.5.0:{module}"),
                within("bash", "red_hat_enterprise_linux_9"),
                within("ubi9/httpd", "red_hat_enterprise_linux_9"),
            ],
        },
        "vulnerabilities": [
            {
                "cve": cve,
                "cwe": {"id": "CWE-416", "name": "Use After Free"},
                "notes": [{"category": "description", "text": "a fault"}],
                "product_status": {
                    "fixed": [f"BaseOS-9.5.0:{fixed}", f"AppStream-9.5.0:{module}:{node}"],
                    "known_affected": ["red_hat_enterprise_linux_9:bash", "red_hat_enterprise_linux_9:ubi9/httpd"],
                },
                "remediations": [
                    {
                        "category": "vendor_fix",
                        "date": "2025-11-15T00:00:00+00:00",
                        "url": "https://access.redhat.com/errata/RHSA-2025:0001",
                        "product_ids": [f"BaseOS-9.5.0:{fixed}"],
                    },
                    {
                        "category": "no_fix_planned",
                        "details": "Will not fix",
                        "product_ids": ["red_hat_enterprise_linux_9:bash"],
                    },
                ],
                "scores": [{"cvss_v3": {"vectorString": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}, "products": []}],
                "threats": [
                    {"category": "impact", "details": impact, "product_ids": [f"BaseOS-9.5.0:{fixed}"]},
                    {"category": "impact", "details": "Low", "product_ids": ["red_hat_enterprise_linux_9:bash"]},
                ],
            }
        ],
    }


OVAL = 'xmlns="http://oval.mitre.org/XMLSchema/oval-definitions-5" xmlns:oval="http://oval.mitre.org/XMLSchema/oval-common-5"'
ORACLE = f"""<?xml version="1.0" encoding="UTF-8"?>
<oval_definitions {OVAL} xmlns:red-def="http://oval.mitre.org/XMLSchema/oval-definitions-5#linux">
<generator><oval:product_name>Oracle Errata System</oval:product_name><oval:timestamp>2025-11-20T00:00:00</oval:timestamp>
</generator>
<definitions>
<definition id="oval:com.oracle.elsa:def:20250001" version="501" class="patch">
<metadata>
<title>
ELSA-2025-0001:  openssl security update (IMPORTANT)
</title>
<affected family="unix"><platform>Oracle Linux 9</platform></affected>
<reference source="elsa" ref_id="ELSA-2025-0001" ref_url="https://linux.oracle.com/errata/ELSA-2025-0001.html"/>
<reference source="CVE" ref_id="CVE-2025-0001" ref_url="https://linux.oracle.com/cve/CVE-2025-0001.html"/>
<reference source="CVE" ref_id="CVE-2025-0010" ref_url="https://linux.oracle.com/cve/CVE-2025-0010.html"/>
<description>[3.0.7-29.0.1] - Fix</description>
<advisory><severity>IMPORTANT</severity><rights>Copyright 2025 Oracle, Inc.</rights><issued date="2025-11-01"/></advisory>
</metadata>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250001001" comment="Oracle Linux 9 is installed"/>
<criteria operator="OR">
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250001002" comment="Oracle Linux arch is x86_64"/>
<criteria operator="OR">
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250001003" comment="openssl is earlier than 1:3.0.7-29.0.1.el9_6"/>
<criterion test_ref="oval:com.oracle.elsa:tst:20250001004" comment="openssl is signed with the Oracle Linux 9 key"/>
</criteria>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250001005" comment="openssl-perl is earlier than 0"/>
</criteria>
</criteria>
</criteria>
</criteria>
</criteria>
</definition>
<definition id="oval:com.oracle.elsa:def:20250002" version="501" class="patch">
<metadata>
<title>ELSA-2025-0002:  nodejs:20 security update (MODERATE)</title>
<reference source="elsa" ref_id="ELSA-2025-0002" ref_url="https://linux.oracle.com/errata/ELSA-2025-0002.html"/>
<reference source="CVE" ref_id="CVE-2025-0011" ref_url="https://linux.oracle.com/cve/CVE-2025-0011.html"/>
<description>nodejs</description>
<advisory><severity>MODERATE</severity><issued date="2025-11-02"/></advisory>
</metadata>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250002001" comment="Oracle Linux 9 is installed"/>
<criterion test_ref="oval:com.oracle.elsa:tst:20250002002" comment="Module nodejs:20 is enabled"/>
<criteria operator="AND">
<criterion test_ref="oval:com.oracle.elsa:tst:20250002003" comment="Oracle Linux arch is x86_64"/>
<criteria operator="OR">
<criterion test_ref="oval:com.oracle.elsa:tst:20250002004" comment="nodejs is earlier than 1:20.19.5-1.module+el9.6.0+90+1"/>
</criteria>
</criteria>
</criteria>
</definition>
</definitions>
</oval_definitions>
""".encode()


def azure_linux(dist: str, timestamp: str = "2025-11-23T13:07:55.105138033Z") -> bytes:
    """What Microsoft generates: one definition a CVE and package, versions in the states."""
    parts = "http://oval.mitre.org/XMLSchema/oval-definitions-5#linux"
    entries = (
        (1, "CVE-2025-0001", "openssl", "true", "High", "less than", f"0:3.3.5-3.{dist}"),
        (2, "CVE-2025-0012", "wget", "false", "Medium", "less than or equal", f"0:2.1.0-7.{dist}"),
    )
    definitions = "".join(
        f"""<definition class="vulnerability" id="oval:com.microsoft.azurelinux:def:{number}" version="1"><metadata>
        <title>{cve} affecting package {name} for versions less than {evr}</title>
        <affected family="unix"><platform>Azure Linux</platform></affected>
        <reference ref_id="{cve}" ref_url="https://nvd.nist.gov/vuln/detail/{cve}" source="CVE"/>
        <patchable>{patchable}</patchable><advisory_date>2025-11-20T18:09:51Z</advisory_date>
        <advisory_id>{number}-1</advisory_id><severity>{severity}</severity>
        <description>{cve} in {name}</description></metadata>
        <criteria operator="AND"><criterion comment="Package {name} is earlier than {evr}, affected by {cve}"
        test_ref="tst:{number}"/></criteria></definition>"""
        for number, cve, name, patchable, severity, _, evr in entries
    )
    tests = "".join(
        f"""<linux-def:rpminfo_test check="at least one" id="tst:{number}" version="1">
        <linux-def:object object_ref="obj:{number}"/><linux-def:state state_ref="ste:{number}"/></linux-def:rpminfo_test>"""
        for number, *_ in entries
    )
    objects = "".join(
        f'<linux-def:rpminfo_object id="obj:{number}"><linux-def:name>{name}</linux-def:name></linux-def:rpminfo_object>'
        for number, _, name, *_ in entries
    )
    states = "".join(
        f"""<linux-def:rpminfo_state id="ste:{number}" version="1">
        <linux-def:evr datatype="evr_string" operation="{operation}">{evr}</linux-def:evr></linux-def:rpminfo_state>"""
        for number, *_, operation, evr in entries
    )
    return f"""<oval_definitions {OVAL} xmlns:linux-def="{parts}">
    <generator><oval:timestamp>{timestamp}</oval:timestamp></generator>
    <definitions>{definitions}</definitions><tests>{tests}</tests><objects>{objects}</objects><states>{states}</states>
    </oval_definitions>""".encode()


PHOTON = [
    {
        "cve_id": "CVE-2025-0001",
        "pkg": "openssl",
        "cve_score": 9.1,
        "aff_ver": "all versions before 3.0.15-5.ph5 are vulnerable",
        "res_ver": "3.0.15-5.ph5",
    },
    {"cve_id": "CVE-2025-0013", "pkg": "openssl", "cve_score": 5.5, "aff_ver": "all versions are vulnerable", "res_ver": "NA"},
    {"cve_id": "UNK-12", "pkg": "openssl", "cve_score": 1.0, "aff_ver": "", "res_ver": "3"},
]


def amazon(dist: str) -> bytes:
    """updateinfo.xml of a repository of Amazon's."""
    return gzip.compress(
        f"""<?xml version="1.0" ?>
<updates>
<update author="linux-security@amazon.com" from="linux-security@amazon.com" status="final" type="security" version="1.4">
<id>ALAS2023-2025-1</id>
<title>Amazon Linux 2023 - ALAS2023-2025-1: Important priority package update for openssl</title>
<issued date="2025-11-17 20:41:00" /><updated date="2025-11-22 23:22:00" />
<severity>Important</severity><description>Package updates are available.</description>
<references><reference href="https://alas.aws.amazon.com/cve/html/CVE-2025-0001.html" id="CVE-2025-0001" type="cve" />
<reference href="https://alas.aws.amazon.com/AL2023/ALAS-2025-1.html" id="ALAS2023-2025-1" type="self" /></references>
<pkglist><collection short="amazon-linux-2023---core"><name>Amazon Linux 2023</name>
<package arch="x86_64" epoch="1" name="openssl-libs" release="1.{dist}.0.4" version="3.2.2"><filename>x</filename></package>
<package arch="aarch64" epoch="1" name="openssl-libs" release="1.{dist}.0.4" version="3.2.2"><filename>x</filename></package>
</collection></pkglist></update></updates>""".encode()
    )


def _amazon_repository(mirrors: str, place: str, dist: str) -> dict[str, bytes]:
    content = amazon(dist)
    digest = hashlib.sha256(content).hexdigest()
    index = f"""<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1</revision><data type="primary">
    <location href="repodata/primary.xml.gz"/></data><data type="updateinfo"><checksum type="sha256">{digest}</checksum>
    <location href="repodata/{digest}-updateinfo.xml.gz"/></data></repomd>"""
    return {
        mirrors: f"https://{place}\n".encode(),
        f"{place}repodata/repomd.xml": index.encode(),
        f"{place}repodata/{digest}-updateinfo.xml.gz": content,
    }


AMAZON: dict[str, bytes] = {
    **_amazon_repository(
        "cdn.amazonlinux.com/2/core/latest/x86_64/mirror.list", "cdn.amazonlinux.com/2/core/2.0/x86_64/abc/", "amzn2"
    ),
    **_amazon_repository(
        "cdn.amazonlinux.com/al2023/core/mirrors/latest/x86_64/mirror.list",
        "cdn.amazonlinux.com/al2023/core/guids/abc/x86_64/",
        "amzn2023",
    ),
}


def all_documents() -> dict[str, bytes]:
    """Every document that the feeds ask for, by HOST/PATH."""
    archive = tarred({f"2025/cve-2025-000{number}.json": as_bytes(vex(f"CVE-2025-000{number}")) for number in (1, 8)}, "zstd")
    name = "csaf_vex_2025-11-20.tar.zst"
    return {
        "security-tracker.debian.org/tracker/data/json": as_bytes(DEBIAN),
        "security-metadata.canonical.com/osv/osv-all.tar.xz": tarred(
            {"osv/cve/2025/UBUNTU-CVE-2025-0001.json": as_bytes(UBUNTU)}, "xz"
        ),
        "secdb.alpinelinux.org/": ALPINE_INDEX,
        "secdb.alpinelinux.org/edge/main.json": alpine("edge", "main", {"3.5.4-r0": ["CVE-2025-0001"]}),
        "secdb.alpinelinux.org/edge/community.json": alpine("edge", "community", {}),
        "secdb.alpinelinux.org/v3.20/main.json": alpine(
            "v3.20", "main", {"3.3.5-r0": ["CVE-2025-0001 XSA-1"], "0": ["CVE-2025-0009"]}
        ),
        "secdb.alpinelinux.org/v3.20/community.json": alpine("v3.20", "community", {}),
        f"{VEX}/archive_latest.txt": name.encode(),
        f"{VEX}/{name}": archive,
        f"{VEX}/{name}.sha256": f"{hashlib.sha256(archive).hexdigest()}  {name}\n".encode(),
        f"{VEX}/changes.csv": CHANGES,
        f"{VEX}/2025/cve-2025-0008.json": as_bytes(vex("CVE-2025-0008", "Low")),
        "security.access.redhat.com/data/metrics/repository-to-cpe.json": as_bytes(REPOSITORIES),
        "linux.oracle.com/security/oval/com.oracle.elsa-all.xml.bz2": bz2.compress(ORACLE),
        f"{AZURE}/cbl-mariner-2.0-oval.xml": azure_linux("cm2"),
        f"{AZURE}/azurelinux-3.0-oval.xml": azure_linux("azl3"),
        "packages.broadcom.com/photon/photon_cve_metadata/photon_versions.json": as_bytes({"branches": ["5.0"]}),
        "packages.broadcom.com/photon/photon_cve_metadata/cve_data_photon5.0.json": as_bytes(PHOTON),
        **AMAZON,
        f"{OSV}/AlmaLinux/all.zip": zipped(ALMA, ALMA_MODULE),
        f"{OSV}/Rocky%20Linux/all.zip": zipped(ROCKY),
        f"{OSV}/SUSE/all.zip": zipped(SUSE),
        f"{OSV}/openSUSE/all.zip": zipped(OPENSUSE),
        f"{OSV}/PyPI/all.zip": zipped(*PYPI),
        f"{OSV}/npm/all.zip": zipped(NPM),
        f"{OSV}/Go/all.zip": zipped(GO),
        f"{OSV}/crates.io/all.zip": zipped(CARGO),
        f"{OSV}/Maven/all.zip": zipped(MAVEN),
        f"{OSV}/RubyGems/all.zip": zipped(GEM),
        "www.cisa.gov/sites/default/files/feeds/known_exploited_vulnerabilities.json": as_bytes(KEV),
        "epss.empiricalsecurity.com/epss_scores-current.csv.gz": gzip.compress(EPSS.encode()),
        "endoflife.date/api/v1/products/full": as_bytes(EOL),
    }


@dataclass
class FeedServer:
    """Serves documents on 127.0.0.1 as publishers do: with ETag, Last-Modified, conditions and parts."""

    documents: dict[str, bytes] = field(default_factory=dict)
    modified_s: int = NOW - 3600
    dated: bool = True
    breaks_after: int = 0
    """Bytes of a body after which the connection ends, once."""
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, int, Mapping[str, str]]] = field(default_factory=list)
    """(path, status, headers of the request), in order."""

    def __enter__(self) -> FeedServer:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answered(self, status: int) -> list[str]:
        return [path for path, told, _ in self.asked if told == status]


def _handler(server: FeedServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            place = self.path.removeprefix("/")
            body = server.documents.get(place)
            status = server.statuses.get(place, 404 if body is None else 200)
            body = body or b""
            etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            begin = 0
            if status == 200 and self.headers.get("If-None-Match") == etag:
                status, body = 304, b""
            elif status == 200 and self.headers.get("If-Range") == etag:
                begin = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
                status = 206
            server.asked.append((place, status, dict(self.headers.items())))
            self.send_response_only(status)
            if status in (200, 206, 304):
                self.send_header("ETag", etag)
                if server.dated:
                    self.send_header("Last-Modified", formatdate(server.modified_s, usegmt=True))
            if status == 206:
                self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
            if status != 304:
                self.send_header("Content-Length", str(len(body) - begin))
            self.end_headers()
            if server.breaks_after and len(body) > server.breaks_after:
                self.wfile.write(body[begin : server.breaks_after])
                server.breaks_after = 0
                self.close_connection = True
                return
            self.wfile.write(body[begin:])

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
