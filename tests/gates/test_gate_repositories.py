"""What images say of their repositories, and what is made of lists that are strange, broken or hostile."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.gates.inventory import Distribution, Inventory, Package
from goldsmith.gates.inventory.archive_index import Offer
from goldsmith.gates.repositories.alpine import pinned, read_apk_repositories
from goldsmith.gates.repositories.apkindex import read_apkindex
from goldsmith.gates.repositories.compressed import records, whole
from goldsmith.gates.repositories.repomd import parse_repomd
from goldsmith.gates.repositories.repository import Configured
from goldsmith.gates.repositories.rpm_lists import read_modules, read_notices, read_packages
from goldsmith.gates.repositories.signatures import split_archive, why_not_signed, write_keyring
from goldsmith.gates.repositories.yum import read_yum
from goldsmith.gates.tree import Tree


def put(root: Path, path: str, text: str) -> None:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def configured(root: Path, family: str = "alma", release: str = "9.4", *packages: Package) -> Configured:
    inventory = Inventory(distribution=Distribution(id="x", family=family, release=release), packages=packages)
    return read_yum(Tree(root), inventory, "x86_64")


def addresses(found: Configured) -> list[str]:
    return [address for item in found.repositories for address in item.addresses]


# ── configuration ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (  # AlmaLinux
            "etc/yum.repos.d/almalinux.repo",
            "[baseos]\nname=AlmaLinux $releasever - BaseOS\nmirrorlist=https://m/mirrorlist/$releasever/baseos\n"
            "# baseurl=https://repo/$releasever/BaseOS/$basearch/os/\nenabled=1\n",
            ["https://m/mirrorlist/9/baseos"],
        ),
        (  # Rocky Linux
            "etc/yum.repos.d/rocky.repo",
            "[a]\nmirrorlist=https://m/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype\n#baseurl=x\nenabled=1\n",
            ["https://m/mirrorlist?arch=x86_64&repo=BaseOS-9"],
        ),
        (  # Fedora
            "etc/yum.repos.d/fedora.repo",
            "[fedora]\nmetalink=https://m/metalink?repo=fedora-$releasever&arch=$basearch\nenabled=1\n[off]\nbaseurl=https://x\nenabled=0\n",
            ["https://m/metalink?repo=fedora-9&arch=x86_64"],
        ),
        (  # openSUSE
            "etc/zypp/repos.d/repo-oss.repo",
            "[repo-oss]\nenabled=1\nautorefresh=1\nbaseurl=http://d/distribution/leap/$releasever/\npath=/repo/oss\ntype=rpm-md\n",
            ["http://d/distribution/leap/9/repo/oss/"],
        ),
        ("etc/yum.repos.d/a.repo", "[a]\nbaseurl=https://one/$arch\n  https://two/${basearch}/,https://three\n", [
            "https://one/x86_64/", "https://two/x86_64/", "https://three/"]),
        ("etc/dnf/dnf.conf", "[main]\ngpgcheck=1\n[inline]\nbaseurl=https://one/$unknown\n", ["https://one/$unknown/"]),
        ("etc/yum.repos.d/a.repo.rpmsave", "[a]\nbaseurl=https://one\n", []),
    ],
    ids=["AlmaLinux", "Rocky Linux", "Fedora", "openSUSE", "several addresses", "dnf.conf", "a file left over"],
)  # fmt: skip
def test_repositories_are_read_as_each_distribution_writes_them(
    tmp_path: Path, path: str, text: str, expected: list[str]
) -> None:
    put(tmp_path, "etc/dnf/vars/rltype", "\n")
    put(tmp_path, path, text)

    found = configured(tmp_path)

    assert (addresses(found), found.faults) == (expected, ())


@pytest.mark.parametrize(
    ("family", "release", "expected"),
    [
        ("alma", "9.4", "9"),
        ("redhat", "8.10", "8"),
        ("opensuse-leap", "15.6", "15.6"),
        ("photon", "5.0", "5.0"),
        ("azurelinux", "3.0", "3.0"),
        ("amazon", "2023", "2023.6.20241212"),
    ],
)
def test_the_release_is_the_one_that_the_package_manager_finds_out(
    tmp_path: Path, family: str, release: str, expected: str
) -> None:
    put(tmp_path, "etc/yum.repos.d/a.repo", "[a]\nbaseurl=https://one/$releasever\n")
    own = Package(kind="rpm", name="system-release", version="2023.6.20241212-0.amzn2023")

    assert addresses(configured(tmp_path, family, release, own)) == [f"https://one/{expected}/"]

    put(tmp_path, "etc/dnf/vars/releasever", "latest\n")
    assert addresses(configured(tmp_path, family, release, own)) == ["https://one/latest/"]


def test_what_only_the_machine_has_is_skipped_and_what_cannot_be_asked_is_a_fault(tmp_path: Path) -> None:
    put(
        tmp_path,
        "etc/yum.repos.d/a.repo",
        "[cd]\nbaseurl=cd:///?devices=/dev/sr0\n[disk]\nbaseurl=file:///srv/repo\n[empty]\nname=x\n"
        "[private]\nbaseurl=https://me:geheim@one/\n[twice]\nbaseurl=https://old/\n",
    )
    put(tmp_path, "etc/yum.repos.d/b.repo", "[twice]\nbaseurl=https://new/\n")
    put(tmp_path, "etc/yum.repos.d/broken.repo", "baseurl=https://nobody/\n")

    found = configured(tmp_path)

    assert addresses(found) == ["https://new/"]
    assert [item.sample for item in found.skipped] == [("cd", "disk")]
    assert len(found.faults) == 3
    assert "geheim" not in str(found.faults)


def test_keys_are_those_that_a_repository_names_else_all_of_the_distribution(tmp_path: Path) -> None:
    for name in ("etc/pki/rpm-gpg/A", "etc/pki/rpm-gpg/B", "usr/lib/rpm/gnupg/keys/C"):
        put(tmp_path, name, "")
    put(
        tmp_path,
        "etc/yum.repos.d/a.repo",
        "[own]\nbaseurl=https://a\ngpgkey=file:///etc/pki/rpm-gpg/B\n[remote]\nbaseurl=https://b\ngpgkey=https://b/key\n",
    )

    assert {item.id: item.keys for item in configured(tmp_path).repositories} == {
        "own": ("etc/pki/rpm-gpg/B",),
        "remote": ("etc/pki/rpm-gpg/A", "etc/pki/rpm-gpg/B", "usr/lib/rpm/gnupg/keys/C"),
    }


def test_no_link_of_a_repository_file_leads_out_of_the_image(tmp_path: Path) -> None:
    put(tmp_path, "outside.repo", "[a]\nbaseurl=https://one\n")
    (tmp_path / "tree/etc/yum.repos.d").mkdir(parents=True)
    (tmp_path / "tree/etc/yum.repos.d/a.repo").symlink_to(tmp_path / "outside.repo")

    assert addresses(configured(tmp_path / "tree")) == []


def test_lines_of_apk_have_tags_and_comments(tmp_path: Path) -> None:
    put(
        tmp_path,
        "etc/apk/repositories",
        "# x\n\nhttps://a/v3.23/main/\n  @edge http://a/edge/main\n/media/x\nhttps://a/v3.23/main\n",
    )
    put(tmp_path, "etc/apk/world", "busybox\nnginx@edge\nphp=8.3@edge\n!bad\n")

    found = read_apk_repositories(Tree(tmp_path))

    assert [(item.tag, item.bases[0]) for item in found.repositories] == [
        ("", "https://a/v3.23/main/"),
        ("edge", "http://a/edge/main/"),
    ]
    assert pinned(Tree(tmp_path)) == {"nginx": "edge", "php": "edge"}


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

PRIMARY = b"""<?xml version="1.0" encoding="UTF-8"?>
<metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm" packages="2">
<package type="rpm"><name>bash</name><arch>x86_64</arch><version epoch="1" ver="5.1" rel="2.el9"/>
<checksum type="sha256" pkgid="YES">ab</checksum><summary>a &lt;shell&gt;</summary><size package="7" installed="8" archive="9"/>
<location href="bash.rpm"/><format><rpm:license>GPL</rpm:license><file>/package</file></format></package>
<package type="rpm"><name>curl</name><arch>noarch</arch><version rel="1" ver="7" epoch="0"/>
<checksum type="sha256">cd</checksum></package>
</metadata>
"""
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstd.compress,
}


@pytest.mark.parametrize("suffix", COMPRESSIONS)
def test_packages_are_read_from_every_compression(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"primary.xml{suffix}"
    path.write_bytes(COMPRESSIONS[suffix](PRIMARY))
    counts: dict[str, int] = {}

    assert list(read_packages(path, {"bash"}, counts)) == [
        Offer(name="bash", version="1:5.1-2.el9", architecture="x86_64", sha256="ab", size=7)
    ]
    assert counts == {"x86_64": 1, "noarch": 1}
    path.write_bytes(path.read_bytes()[:-20] if suffix else b"<package <")
    with suppress(ValueError):
        assert len(list(read_packages(path, {"bash"}, {}))) <= 1


def test_a_list_that_swells_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("goldsmith.gates.repositories.compressed.LARGEST_RECORD", 1 << 20)
    path = tmp_path / "primary.xml.gz"
    path.write_bytes(gzip.compress(b"<package " + b" " * (8 << 20)))

    with pytest.raises(ValueError, match="is larger than any"):
        list(records(path, b"</package>"))
    with pytest.raises(ValueError, match="more than 1,000 bytes"):
        whole(path, 1000)


def repomd(**more: str) -> bytes:
    told = {
        "type": "primary",
        "digest": "sha256",
        "href": "repodata/p.xml.gz",
        "times": "<timestamp>1700000000</timestamp>",
    } | more
    return (
        '<repomd xmlns="http://linux.duke.edu/metadata/repo"><revision>1600000000</revision>'
        f'<data type="{told["type"]}"><checksum type="{told["digest"]}">AB</checksum><location href="{told["href"]}"/>'
        "<timestamp>1700000000</timestamp></data></repomd>"
    ).encode()


def test_a_table_of_contents_tells_its_lists_and_its_age() -> None:
    found = parse_repomd(repomd())

    assert (found.parts["primary"].href, found.parts["primary"].name) == ("repodata/p.xml.gz", "primary.xml.gz")
    assert (found.parts["primary"].digest, found.published_s) == ("ab", 1_700_000_000)


def reference(number: int) -> str:
    return f"&a{number};"


ENTITIES = "".join(f'<!ENTITY a{number} "{10 * reference(number - 1)}">' for number in range(1, 12))
LAUGHS = f'<!DOCTYPE a [<!ENTITY a0 "ha">{ENTITIES}]><repomd>&a11;</repomd>'.encode()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (repomd(href="../../etc/passwd"), "outside of the repository"),
        (repomd(href="/etc/passwd"), "outside of the repository"),
        (repomd(href="https://elsewhere/p.xml"), "outside of the repository"),
        (repomd(digest="sha"), "only the digest sha"),
        (repomd(digest="md5"), "only the digest md5"),
        (repomd(type="filelists"), "names no list of packages"),
        (b"<repomd/>", "it is no repomd.xml"),
        (b"<html>", "it is no XML"),
        (b" " * (5 << 20), "more than"),
        (LAUGHS, "it is no"),
    ],
    ids=["upwards", "absolute", "elsewhere", "sha1", "md5", "no packages", "another document", "no XML", "huge", "laughs"],
)  # fmt: skip
def test_a_table_of_contents_that_cannot_be_believed_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_repomd(data)


@pytest.mark.parametrize(
    ("issued", "seconds"),
    [
        ("2024-05-01 12:00:00", 1714564800),
        ("2024-05-01 12:00:00 UTC", 1714564800),
        ("2024-05-01T12:00:00Z", 1714564800),
        ("2024-05-01", 1714521600),
        ("1714564800", 1714564800),
        ("yesterday", 0),
        ("", 0),
    ],
)
def test_days_of_notices_are_read_as_they_are_written(tmp_path: Path, issued: str, seconds: int) -> None:
    path = tmp_path / "updateinfo.xml"
    path.write_text(
        f'<updates><update type="security"><id>A</id><issued date="{issued}"/><severity>Moderate</severity>'
        '<references><reference id="CVE-2024-0001"/><reference title="CVE-2024-00022"/></references>'
        '<description>not CVE-1</description><pkglist><collection><package name="a" version="1" release="2" arch="noarch"/>'
        '</collection></pkglist></update><update type="bugfix"><id>B</id></update></updates>'
    )

    (found,) = read_notices(path, {"a"})

    assert (found.issued_s, found.severity, found.cves) == (seconds, "medium", ("CVE-2024-0001", "CVE-2024-00022"))
    assert found.packages == (("a", "1-2", "noarch"),)
    assert list(read_notices(path, {"b"})) == []


def test_modules_are_read_and_what_is_none_is_no_module(tmp_path: Path) -> None:
    path = tmp_path / "modules.yaml"
    path.write_text(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: php\n  stream: 8.1\n  artifacts:\n    rpms:\n"
        "    - php-0:8.1-1.module.x86_64\n    - other-0:1-1.x86_64\n...\n---\ndocument: modulemd-defaults\nversion: 1\n"
        "data:\n  module: php\n  profiles: {php-0: [x]}\n...\n---\n- php-0:1\n"
    )

    assert read_modules(path, {"php"}) == {("php", "8.1-1.module", "x86_64"): frozenset({"php:8.1"})}
    path.write_text("---\nphp-0: [\n")
    with pytest.raises(ValueError, match="is no YAML"):
        read_modules(path, {"php"})


KINDS = ("primary.xml", "updateinfo.xml", "modules.yaml", "repomd", "apk", "x.xml.gz")


@given(
    data=st.binary(max_size=400),
    kind=st.sampled_from(KINDS),
)
def test_no_bytes_end_the_reading_otherwise_than_with_a_reason(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: str
) -> None:
    path = tmp_path_factory.mktemp("lists") / kind
    path.write_bytes(b"<package " + data + b"</package>" if kind == "primary.xml" else data)
    with suppress(ValueError):
        match kind:
            case "modules.yaml":
                read_modules(path, {"a"})
            case "updateinfo.xml":
                list(read_notices(path, {"a"}))
            case "repomd":
                parse_repomd(data)
            case "apk":
                read_apkindex(path)
            case _:
                list(read_packages(path, {"a"}, {}))


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_no_key_fits_nothing(tmp_path: Path) -> None:
    put(tmp_path, "tree/key", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n")
    put(tmp_path, "data", "x")
    put(tmp_path, "data.asc", "y")
    write_keyring(Tree(tmp_path / "tree"), ("key", "missing"), tmp_path / "ring.gpg")

    assert (tmp_path / "ring.gpg").read_bytes() == b""
    assert why_not_signed(tmp_path / "data", tmp_path / "data.asc", tmp_path / "ring.gpg") == "the image has no key for it"
    (tmp_path / "ring.gpg").write_bytes(os.urandom(100))
    assert why_not_signed(tmp_path / "data", tmp_path / "data.asc", tmp_path / "ring.gpg")


def test_a_signature_of_apk_is_what_stands_in_front(tmp_path: Path) -> None:
    def member(name: str, content: bytes) -> bytes:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        return gzip.compress(entry.tobuf() + content.ljust(512, b"\0"), mtime=0)

    found = split_archive(member(".SIGN.RSA256.a-1.rsa.pub", b"signature") + b"rest")
    assert (found.hash, found.key, found.signature, found.content) == ("SHA256", "a-1.rsa.pub", b"signature", b"rest")
    for strange in (".SIGN.DSA.a.pub", ".SIGN.RSA.../../a.pub", "APKINDEX"):
        data = member(strange, b"x") + b"rest"
        assert split_archive(data).content == data
    assert hashlib.sha256(found.content).hexdigest()
