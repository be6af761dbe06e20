"""Checksums of images: how they are written, and looking them up in files of sums."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldsmith.hcl.diagnostics import UserError
from goldsmith.sources.checksum import ALGORITHMS, Checksum, digests_of, look_up, parse

SHA256 = hashlib.sha256(b"image").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


@given(st.binary(max_size=300), st.sampled_from(sorted(ALGORITHMS.values())))
def test_a_written_checksum_is_that_of_its_file(content: bytes, algorithm: str) -> None:
    value = hashlib.new(algorithm, content).hexdigest()

    assert parse(value) == parse(f"{algorithm}:{value.upper()}") == Checksum(algorithm, value)


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:12", f"md5:{SHA256}", "hello", f"crc:{SHA256}", "g" * 64])
def test_what_is_no_checksum_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="checksum"):
        parse(text)


@pytest.mark.parametrize(
    "content",
    [
        f"{OTHER}  other.iso\n{SHA256}  disk.qcow2\n",
        f"{SHA256} *disk.qcow2\n",
        f"# made today\n{SHA256}  ./disk.qcow2\n",
        f"SHA256 (disk.qcow2) = {SHA256}\nSHA256 (other.iso) = {OTHER}\n",
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{SHA256}  disk.qcow2\n-----BEGIN PGP SIGNATURE-----\nabc=\n",
        f"{SHA256}\n",
    ],
)
def test_a_checksum_is_found_in_a_file_of_sums(content: str) -> None:
    found = look_up("file:https://host/SHA256SUMS", "https://host/path/disk.qcow2?x=1", lambda place: content.encode())

    assert found == Checksum("sha256", SHA256)


def test_an_image_without_a_sum_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        look_up("file:SUMS", "https://host/new.iso", lambda place: f"{OTHER}  other.iso\n".encode())

    assert caught.value.diagnostics[0].code == "iso.checksum-file"
    assert "new.iso" in caught.value.diagnostics[0].what


def test_digests_are_those_of_the_usual_programs(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"image" * 500_000)

    found = digests_of(path, {"md5", "sha512"})

    assert found == {name: hashlib.new(name, path.read_bytes()).hexdigest() for name in ("md5", "sha512")}
