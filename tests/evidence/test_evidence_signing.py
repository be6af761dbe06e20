"""Statements, keys and bundles: what is signed can be checked by strangers, and nothing else passes."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldsmith.evidence import (
    PROVENANCE,
    SignedStatement,
    Statement,
    Subject,
    load_or_create_signer,
    load_public_key,
    load_signer,
    open_bundle,
    public_path,
    sign,
    verify_file,
)
from goldsmith.hcl.diagnostics import UserError

FILE, DISK = "ab" * 32, "cd" * 32


def provenance_of(file: str = FILE, disk: str = DISK) -> Statement:
    subjects = (Subject(name="disk", sha256=disk), Subject(name="web.qcow2", sha256=file))
    return Statement(subjects=subjects, predicate_type=PROVENANCE, predicate={"buildDefinition": {}, "count": 3})


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "keys" / "goldsmith.key"
    load_or_create_signer(path)
    return path


def signed(key: Path, statement: Statement | None = None) -> SignedStatement:
    return sign(statement or provenance_of(), load_signer(key))


def test_a_new_key_is_private_and_its_public_half_stands_beside_it(key: Path) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    assert public_path(key).read_text().startswith("-----BEGIN PUBLIC KEY-----")


def test_a_second_call_takes_the_same_key(key: Path) -> None:
    assert load_or_create_signer(key).public_key.keyid == load_signer(key).public_key.keyid


def test_a_key_with_a_passphrase_needs_it(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    load_or_create_signer(path, "correct horse")

    assert load_signer(path, "correct horse")
    with pytest.raises(UserError, match="cannot be used"):
        load_signer(path, "wrong")
    with pytest.raises(UserError, match="cannot be used"):
        load_signer(path)


def test_what_was_signed_is_read_back(key: Path) -> None:
    bundle = signed(key)

    opened = open_bundle(bundle.bundle, [load_public_key(public_path(key))])

    assert opened.statement == provenance_of()
    assert opened.digest == bundle.digest


def test_openssl_accepts_the_signature_over_the_pre_authentication_encoding(key: Path, tmp_path: Path) -> None:
    envelope = json.loads(signed(key).bundle)["dsseEnvelope"]
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    (tmp_path / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))

    command = [
        "openssl",
        "dgst",
        "-sha256",
        "-verify",
        str(public_path(key)),
        "-signature",
        f"{tmp_path}/sig",
        f"{tmp_path}/pae",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "Verified OK"


def test_another_key_is_refused_by_name(key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.key"
    load_or_create_signer(other)

    with pytest.raises(UserError) as refused:
        open_bundle(signed(key).bundle, [load_public_key(public_path(other))])

    assert refused.value.diagnostics[0].code == "evidence.unknown-key"


@settings(max_examples=60)
@given(position=st.integers(min_value=0), bit=st.integers(min_value=0, max_value=7))
def test_a_changed_bit_of_the_payload_never_passes(tmp_path_factory: pytest.TempPathFactory, position: int, bit: int) -> None:
    key = tmp_path_factory.getbasetemp() / "tamper.key"
    load_or_create_signer(key)
    document = json.loads(signed(key).bundle)
    payload = bytearray(base64.b64decode(document["dsseEnvelope"]["payload"]))
    payload[position % len(payload)] ^= 1 << bit
    document["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()

    with pytest.raises(UserError) as refused:
        open_bundle(json.dumps(document).encode(), [load_public_key(public_path(key))])

    assert refused.value.diagnostics[0].code == "evidence.bad-signature"


@pytest.mark.parametrize("bundle", [b"", b"{}", b"[]", b"null", b'{"mediaType": 1}', b"\xff", b"[" * 100_000])
def test_anything_else_is_malformed(key: Path, bundle: bytes) -> None:
    with pytest.raises(UserError) as refused:
        open_bundle(bundle, [load_public_key(public_path(key))])

    assert refused.value.diagnostics[0].code == "evidence.malformed"


def never() -> str:
    raise AssertionError("the disk must not be hashed when the file itself is named")


def test_a_file_that_provenance_names_is_verified(key: Path) -> None:
    verified = verify_file(FILE, never, [signed(key).bundle], [load_public_key(public_path(key))])

    assert (verified.disk_digest, verified.by_disk, len(verified.statements)) == ("sha256:" + DISK, False, 1)


def test_another_encoding_of_the_disk_is_verified_by_the_disk(key: Path) -> None:
    verified = verify_file("00" * 32, lambda: "sha256:" + DISK, [signed(key).bundle], [load_public_key(public_path(key))])

    assert verified.by_disk


def test_an_altered_file_is_refused(key: Path) -> None:
    with pytest.raises(UserError) as refused:
        verify_file("00" * 32, lambda: "sha256:" + "11" * 32, [signed(key).bundle], [load_public_key(public_path(key))])

    assert refused.value.diagnostics[0].code == "verify.altered"


def test_evidence_without_provenance_proves_nothing(key: Path) -> None:
    other = Statement(subjects=provenance_of().subjects, predicate_type="https://spdx.dev/Document", predicate={})

    with pytest.raises(UserError) as refused:
        verify_file(FILE, never, [signed(key, other).bundle], [load_public_key(public_path(key))])

    assert refused.value.diagnostics[0].code == "verify.no-evidence"


def test_one_bad_bundle_spoils_the_whole_evidence(key: Path) -> None:
    good = signed(key).bundle
    with pytest.raises(UserError):
        verify_file(FILE, never, [good, b"{}"], [load_public_key(public_path(key))])
