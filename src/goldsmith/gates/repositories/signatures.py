"""Whether the keys of an image vouch for an index: OpenPGP beside a repomd.xml, RSA within an APKINDEX."""

from __future__ import annotations

import base64
import binascii
import re
import subprocess
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from goldsmith.gates.tree import Tree

_ARMOUR = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----(.*?)-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
_NAME = re.compile(rb"\.SIGN\.(RSA|RSA256|RSA512)\.([^\0/]+)\0")
_HASHES: Mapping[str, str] = {"RSA": "SHA1", "RSA256": "SHA256", "RSA512": "SHA512"}
"""What apk-tools' `src/extract_v2.c` takes each kind of signature to be over."""
_BLOCK = 512
_LARGEST_SIGNATURE = 1 << 16


def write_keyring(tree: Tree, files: Sequence[str], target: Path) -> None:
    """Write the keys of files of the image as a keyring for gpgv; what is no key adds nothing, so that nothing fits it."""
    target.write_bytes(b"".join(_binary(text) for name in files if (text := tree.text(name)) is not None))


def why_not_signed(data: Path, signature: Path, keyring: Path) -> str:
    """Why a detached OpenPGP signature does not vouch for a file; empty when it does."""
    if not signature.is_file():
        return "it has no signature"
    if not keyring.stat().st_size:
        return "the image has no key for it"
    command = ["gpgv", "--status-fd", "1", "--keyring", str(keyring.resolve()), str(signature), str(data)]
    done = subprocess.run(command, capture_output=True, check=False)
    states = set(re.findall(rb"^\[GNUPG:\] (\w+)", done.stdout, re.MULTILINE))
    if done.returncode == 0 and b"GOODSIG" in states:
        return ""
    if b"NO_PUBKEY" in states:
        return "it is signed by a key that is not among those of the image"
    if b"EXPKEYSIG" in states or b"REVKEYSIG" in states:
        return "the key that it is signed with has expired or was revoked"
    return "its signature is not over this content"


@dataclass(frozen=True, slots=True)
class SignedArchive:
    """A file of apk's: a signature in a gzip member of its own, then what it is over."""

    hash: str
    key: str
    """The name of the key's file."""
    signature: bytes
    content: bytes
    """Compressed, as the signature covers it."""

    def why_not_signed(self, key: str | None) -> str:
        """Why a key (its text in PEM, None: the image does not have it) does not vouch for it; empty when it does."""
        if not self.signature:
            return "it has no signature"
        if key is None:
            return f'it is signed by the key "{self.key}", which the image does not have'
        return "" if _fits(key, self) else f'its signature by the key "{self.key}" is not over this content'


def split_archive(data: bytes) -> SignedArchive:
    """Part a file of apk's into its signature and the rest. Raises `ValueError` when it is no gzip."""
    try:
        unpacker = zlib.decompressobj(31)
        first = unpacker.decompress(data, _LARGEST_SIGNATURE)
    except zlib.error as error:
        raise ValueError(f"it is no gzip: {error}") from error
    found = _NAME.match(first[:100])
    if found is None or not unpacker.eof:
        return SignedArchive("", "", b"", data)
    size = int(first[124:135] or b"0", 8)
    kind, name = found[1].decode(), found[2].decode(errors="replace")
    return SignedArchive(_HASHES[kind], name, first[_BLOCK : _BLOCK + size], unpacker.unused_data)


def _fits(pem: str, archive: SignedArchive) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    # SHA-1 is what Alpine's own indexes are signed with: an attack on it needs both contents to be made by the attacker.
    known: Mapping[str, hashes.HashAlgorithm] = {
        "SHA1": hashes.SHA1(),  # see above
        "SHA256": hashes.SHA256(),
        "SHA512": hashes.SHA512(),
    }
    try:
        key = load_pem_public_key(pem.encode(errors="replace"))
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(archive.signature, archive.content, padding.PKCS1v15(), known[archive.hash])
    except (ValueError, InvalidSignature):
        return False
    return True


def _binary(text: str) -> bytes:
    """The packets of a file of keys, armoured or not."""
    blocks = _ARMOUR.findall(text)
    if not blocks:
        return text.encode(errors="surrogateescape") if text[:1] and ord(text[0]) > 0x7F else b""
    found = b""
    for block in blocks:
        lines = [line.strip() for line in block.strip().splitlines()]
        # Headers such as "Version: …" end with an empty line; the last line is a checksum.
        body = lines[lines.index("") + 1 :] if "" in lines else [line for line in lines if ":" not in line]
        try:
            found += base64.b64decode("".join(line for line in body if not line.startswith("=")), validate=True)
        except binascii.Error:
            continue
    return found
