"""Planted secrets are found in every form, and never shown. Values are made at test time, so none is in the repository."""

from __future__ import annotations

import base64
import gzip
import json
import lzma
import random
import string
import subprocess
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.events import ignore
from goldsmith.gates.contract import Facts, KnownSecret, Subject
from goldsmith.gates.secrets import Secrets, SecretsConfig
from goldsmith.gates.secrets.content import TooLarge, unpacked
from goldsmith.gates.secrets.known import KnownSearch, forms
from goldsmith.gates.secrets.passwords import opens
from goldsmith.machines.cancellation import Cancellation

PASSWORD = "".join(random.Random(7).choices(string.ascii_letters + string.digits + "/+&", k=20))


def examine(tree: Path, *secrets: str, config: SecretsConfig | None = None) -> Facts:
    known = tuple(KnownSecret(name=f"secret {n}", value=value) for n, value in enumerate(secrets, 1))
    subject = Subject(image="t", disk_digest="sha256:00", tree=tree, disk=None, known_secrets=known)
    return Secrets().examine(subject, config or SecretsConfig(), ignore, Cancellation())


def put(tree: Path, path: str, content: bytes | str) -> None:
    place = tree / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content.encode() if isinstance(content, str) else content)


def rules(facts: Facts) -> set[str]:
    return {finding.rule for finding in facts.findings if finding.effect == "fail"}


WRITTEN = {
    "raw": PASSWORD.encode(),
    "url": quote(PASSWORD, safe="").encode(),
    "json": json.dumps({"p": PASSWORD}).encode(),
    "hex": PASSWORD.encode().hex().encode(),
    "base64": base64.b64encode(b"user:" + PASSWORD.encode()),
    "base64 shifted": base64.b64encode(b"u:" + PASSWORD.encode() + b"!"),
    "utf-16": PASSWORD.encode("utf-16-le"),
    "gz": gzip.compress(b"log\npassword " + PASSWORD.encode()),
    "xz": lzma.compress(PASSWORD.encode()),
}


@pytest.mark.parametrize("form", WRITTEN)
def test_a_known_secret_is_found_in_every_form(tmp_path: Path, form: str) -> None:
    put(tmp_path, "srv/data", b"before " + WRITTEN[form] + b" after")
    if form in ("gz", "xz"):
        put(tmp_path, "srv/data", WRITTEN[form])

    assert "known-secret" in rules(examine(tmp_path, PASSWORD))


@settings(max_examples=200)
@given(
    st.text(st.characters(codec="ascii", min_codepoint=33), min_size=6, max_size=40),
    st.binary(max_size=5),
    st.binary(max_size=5),
)
def test_any_secret_inside_base64_is_found(secret: str, before: bytes, after: bytes) -> None:
    search = KnownSearch(forms([KnownSecret(name="s", value=secret)]))

    assert list(search.find(base64.b64encode(before + secret.encode() + after)))


def test_a_finding_never_shows_the_secret(tmp_path: Path) -> None:
    put(tmp_path, "srv/config", f"password = {PASSWORD}\n")

    facts = examine(tmp_path, PASSWORD)

    assert {"known-secret", "assignment"} <= {finding.rule for finding in facts.findings}
    assert PASSWORD not in str(asdict(facts))


def test_a_known_secret_in_a_packages_own_file_is_found_too(tmp_path: Path) -> None:
    import hashlib

    put(tmp_path, "usr/share/x", PASSWORD)
    digest = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest()
    put(tmp_path, "var/lib/dpkg/info/x.md5sums", f"{digest}  usr/share/x\n")

    assert rules(examine(tmp_path, PASSWORD)) == {"known-secret"}


def test_a_secret_too_short_to_search_for_is_told(tmp_path: Path) -> None:
    put(tmp_path, "a", "abc")

    assert [finding.rule for finding in examine(tmp_path, "abc").findings] == ["too-short"]


def test_a_build_password_in_shadow_is_recognised(tmp_path: Path) -> None:
    stored = subprocess.run(["openssl", "passwd", "-6", PASSWORD], capture_output=True, text=True, check=True).stdout.strip()
    put(tmp_path, "etc/shadow", f"root:{stored}:19000:0:99999:7:::\n")

    assert opens(PASSWORD, stored)
    assert not opens("other", stored)
    assert {"known-password", "login-hash"} <= rules(examine(tmp_path, PASSWORD))


KEY = "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + "A" * 80 + "\n-----END OPENSSH PRIVATE " + "KEY-----\n"

PLANTED = {
    "ssh-host-key": ("etc/ssh/ssh_host_ed25519_key", KEY),
    "machine-id": ("etc/machine-id", "0123456789abcdef\n"),
    "random-seed": ("var/lib/systemd/random-seed", "x"),
    "authorized-keys": ("home/packer/.ssh/authorized_keys", "ssh-ed25519 AAAAC3Nz packer\n"),
    "login-hash": ("etc/shadow", "root:$6$x$y:1::::::\n"),
    "sudo-without-password": ("etc/sudoers.d/packer", "packer ALL=(ALL) NOPASSWD: ALL\n"),
    "netrc": ("root/.netrc", "machine x login y"),
    "apt-source": ("etc/apt/sources.list.d/x.list", "deb https://me:hidden@archive.invalid x y\n"),
    "history": ("root/.bash_history", "ls\n"),
    "aws-credentials": ("home/a/.aws/credentials", "aws_secret_access_key = x\n"),
    "unit-secret": ("etc/systemd/system/x.service", "[Service]\nEnvironment=DB_PASSWORD=hunter22\n"),
    "private-key": ("srv/deploy", KEY),
}


@pytest.mark.parametrize("rule", PLANTED)
def test_each_kind_of_residue_is_found(tmp_path: Path, rule: str) -> None:
    put(tmp_path, *PLANTED[rule])

    assert rule in rules(examine(tmp_path))


CLEAN = {
    "etc/machine-id": "",
    "etc/shadow": "root:*:19000:0:99999:7:::\ndaemon:!:19000::::::\n",
    "etc/sudoers": "root ALL=(ALL:ALL) ALL\n# NOPASSWD is a bad idea\n",
    "etc/apt/sources.list": "deb http://deb.debian.org/debian bookworm main\n",
    "etc/ssh/sshd_config": "PasswordAuthentication no\nPermitRootLogin prohibit-password\nToken = $TOKEN\npassword: changeme\n",
    "etc/pam.d/common-password": "password requisite pam_deny.so\n",
}


def test_a_clean_tree_has_no_findings(tmp_path: Path) -> None:
    for path, content in CLEAN.items():
        put(tmp_path, path, content)

    assert examine(tmp_path).findings == ()


def test_links_are_never_followed_out_of_the_tree(tmp_path: Path) -> None:
    put(tmp_path / "outside", "secret", KEY)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/link").symlink_to(tmp_path / "outside/secret")

    assert examine(tmp_path / "tree").examined == 0


def test_a_bomb_is_skipped_and_counted(tmp_path: Path) -> None:
    put(tmp_path, "bomb.gz", gzip.compress(bytes(50_000_000)))

    facts = examine(tmp_path)

    assert [item.count for item in facts.skipped if "unpack" in item.reason] == [1]
    with pytest.raises(TooLarge):
        list(unpacked(BytesIO(gzip.compress(bytes(50_000_000))), tmp_path))
