"""Impact: how far a vulnerability, a package or a version reaches, and what has to be built anew."""

from __future__ import annotations

import pytest

from goldsmith.hcl.diagnostics import UserError
from goldsmith.registry import ArtifactFile, CopyPlace, KnownVulnerability, Package, Reference, Version
from tests.registry.registry_workbench import ACTOR, SECOND, Bench, Json, Verdict, digest, policy


def add(bench: Bench, image: str, build: int, parent: Version | None, *brought: tuple[str, str]) -> Version:
    """A version whose own layer, on those of its parent, brings packages."""
    own = digest(f"own {image} {build}")
    below = list(bench.registry.show(parent.digest).document["layers"]) if parent else []  # type: ignore[arg-type]
    document: dict[str, Json] = {
        "image": image,
        "parent": parent.digest if parent else None,
        "inputs": digest(image),
        "layers": [*map(str, below), own],
        "disks": {"amd64": digest(f"disk {image} {build}")},
    }
    path = bench.file(f"{image}-{build}.raw", f"{image} {build}".encode())
    bench.turn(1)
    return bench.registry.register(
        image,
        document,
        artifacts=[ArtifactFile("raw", path)],
        packages={own: [Package(purl_type="deb", name=name, version=number) for name, number in brought]},
        builder="test",
        actor=ACTOR,
    )


def fleet(bench: Bench) -> dict[str, Version]:
    """base 1 brings openssl 1.0; web 1 and api 1 are built on it, web 2 brings a newer one itself; site 1 is built on web 1."""
    base = add(bench, "base", 1, None, ("openssl", "1.0"), ("zlib", "1:1.2%3"))
    web = add(bench, "web", 1, base, ("nginx", "1.22"))
    made = {
        "base:1": base,
        "web:1": web,
        "api:1": add(bench, "api", 1, base),
        "web:2": add(bench, "web", 2, base, ("openssl", "1.1")),
        "site:1": add(bench, "site", 1, web),
    }
    for image in ("base", "web", "api", "site"):
        bench.channel(image, "prod", policy())
    for reference in ("web:1", "site:1"):
        bench.promote(reference.partition(":")[0], "prod", reference)
    return made


def scan(bench: Bench, version: Version, *ids: str, verdict: Verdict = "warn") -> None:
    known = [
        KnownVulnerability(id=name, package="openssl", purl="pkg:deb/debian/openssl@1.0", layer=digest("own base 1"))
        for name in ids
    ]
    bench.prove(version, "vulnerabilities", verdict, vulnerabilities=tuple(known))


def struck(bench: Bench, query: str) -> list[str]:
    return [item.ref for item in bench.registry.impact(query).struck]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("openssl@1.0", ["base:1", "web:1", "api:1", "site:1"]),
        ("openssl@1.1", ["web:2"]),
        ("openssl", ["base:1", "web:1", "api:1", "web:2", "site:1"]),
        ("deb/nginx", ["web:1", "site:1"]),
        ("rpm/nginx", []),
        ("pkg:deb/debian/openssl@1.1?arch=amd64", ["web:2"]),
        ("zlib@1:1.2%3", ["base:1", "web:1", "api:1", "web:2", "site:1"]),
        ("zlib@1:1.%", []),
        ("web:1", ["web:1", "site:1"]),
        ("web@prod", ["web:1", "site:1"]),
    ],
)
def test_a_package_reaches_what_its_topmost_layer_says(bench: Bench, query: str, expected: list[str]) -> None:
    fleet(bench)

    assert struck(bench, query) == expected


def test_a_vulnerability_is_known_from_the_newest_scan_under_each_of_its_names(bench: Bench) -> None:
    made = fleet(bench)
    for reference in ("base:1", "web:1", "site:1"):
        scan(bench, made[reference], "CVE-2030-1", "GHSA-aaaa-bbbb-cccc")
    scan(bench, made["web:2"])

    impact = bench.registry.impact("CVE-2030-1")

    assert (impact.kind, [item.ref for item in impact.struck]) == ("vulnerability", ["base:1", "web:1", "site:1"])
    assert impact.layers == (digest("own base 1"),)
    assert impact.channels == {"site@prod": "site:1", "web@prod": "web:1"}
    assert impact.rebuild == ("base", "web", "site"), "api is in no channel"
    assert impact.unscanned == 1, "api was never scanned"
    assert struck(bench, "GHSA-aaaa-bbbb-cccc") == ["base:1", "web:1", "site:1"]
    scan(bench, made["web:1"], "CVE-2030-2")
    assert struck(bench, "CVE-2030-1") == ["base:1", "site:1"], "a newer scan no longer tells of it"
    assert struck(bench, "CVE-2031-9") == []


def test_what_is_in_no_channel_is_rebuilt_from_the_newest(bench: Bench) -> None:
    fleet(bench)

    assert bench.registry.impact("api:1").rebuild == ("api",)
    assert bench.registry.impact("nothing-of-this").rebuild == ()


def test_machines_that_run_a_struck_version_are_counted_by_the_newest_inventory_of_each_place(bench: Bench) -> None:
    made = fleet(bench)
    ami = CopyPlace(platform="aws", account="1", region="eu-west-1", external_id="ami-1", kind="ami")
    bench.registry.add_copy("web:1", ami, actor=ACTOR)
    for count in (5, 4):
        use = Reference(external_id="ami-1", kind="instance", place="i-1", count=count)
        bench.look(use, platform="aws", account="1", region="eu-west-1")
    bench.look(Reference(external_id=made["site:1"].digest, kind="machine", place="rack 7"), source="cmdb")

    impact = bench.registry.impact("base:1")

    assert [(item.ref, item.kind, item.place, item.count, item.source) for item in impact.uses] == [
        ("web:1", "instance", "i-1", 4, "test (aws 1 eu-west-1)"),
        ("site:1", "machine", "rack 7", 1, "cmdb"),
    ]
    assert impact.looked == {"test (aws 1 eu-west-1)": bench.now - SECOND, "cmdb": bench.now}


def test_a_reference_to_nothing_is_told(bench: Bench) -> None:
    fleet(bench)

    with pytest.raises(UserError):
        bench.registry.impact("web:77")
    with pytest.raises(UserError, match='no image "wbe"'):
        bench.registry.impact("wbe:1")


def test_a_package_that_nothing_has_is_told_with_what_there_is(bench: Bench) -> None:
    fleet(bench)

    assert bench.registry.impact("openssl@0.1").others == ("deb 1.0", "deb 1.1")
    assert bench.registry.impact("opensll").others == ()
