"""Checks an offline bundle of Goldsmith with nothing but Python and the package `cryptography`.

    python3 verify.py BUNDLE PUBLIC_KEY [DISK]

It trusts the key alone. It has no memory: compare generation and events with the newest that you have seen.
"""

import base64
import hashlib
import json
import sys
import time
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CHUNK = 4 << 20


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def named(content: bytes) -> str:
    return "sha256:" + sha256(content).hex()


def demand(holds: bool, why: str) -> None:
    if not holds:
        sys.exit(f"NOT PROVEN: {why}")


def opened(line: bytes, keys: list) -> dict:
    """The statement in a signed line. DSSE: what is signed is "DSSEv1", type and payload with their lengths."""
    envelope = json.loads(line)["dsseEnvelope"]
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"], validate=True)
    signed = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    for key in keys:
        try:
            key.verify(base64.b64decode(envelope["signatures"][0]["sig"], validate=True), signed, ec.ECDSA(hashes.SHA256()))
            return json.loads(payload)
        except InvalidSignature:
            continue
    sys.exit("NOT PROVEN: a signature is wrong, or of a key that is not trusted")


def written(line: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """The line as Goldsmith writes it: what no signature covers must not be another either."""
    envelope = json.loads(line)["dsseEnvelope"]
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    hint = base64.b64encode(sha256(der)).decode()
    payload = base64.b64encode(base64.b64decode(envelope["payload"])).decode()
    sig = base64.b64encode(base64.b64decode(envelope["signatures"][0]["sig"])).decode()
    document = {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {"publicKey": {"hint": hint}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": payload,
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": hint, "sig": sig}],
        },
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def root_of(event: dict, size: int) -> bytes:
    """The root that the way from an event leads to (RFC 9162 section 2.1.3.2)."""
    text = f"{event['previous']}\n{event['seq']}\n{event['at']}\n{event['body']}"
    place, last, found = event["seq"] - 1, size - 1, sha256(b"\0", sha256(text.encode()))
    demand(0 <= place <= last, "the event is not in the log")
    for sibling in map(bytes.fromhex, event["path"]):
        demand(last > 0, "the way to the root is too long")
        if place % 2 or place == last:
            found = sha256(b"\1", sibling, found)
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            found = sha256(b"\1", found, sibling)
        place, last = place >> 1, last >> 1
    demand(last == 0, "the way to the root is too short")
    return found


def disk_digest(path: Path) -> str:
    """The root of a tree over chunks of 4 MiB; an odd node rises unchanged."""
    with path.open("rb") as file:
        level = [sha256(b"\0", chunk) for chunk in iter(lambda: file.read(CHUNK), b"")] or [sha256(b"\0")]
    while len(level) > 1:
        level = [sha256(b"\1", *level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return "sha256:" + level[0].hex()


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def main(bundle: Path, key_file: Path, disk: Path | None) -> None:
    key = serialization.load_pem_public_key(key_file.read_bytes())
    first, *lines = bundle.read_bytes().split(b"\n")
    contents = opened(first, [key])
    demand(first == written(first, key), "the first line was changed")
    table = contents["predicate"]["parts"]
    demand(lines.pop() == b"" and len(lines) == len(table), "parts are missing or added")
    parts: dict[str, list[bytes]] = {}
    for entry, line in zip(table, lines, strict=True):
        demand(sha256(line).hex() == entry["sha256"], f"the part {entry['name']} was changed")
        parts.setdefault(entry["name"], []).append(line)

    pointer = opened(parts["pointer"][0], [key])["predicate"]
    place = f"{pointer['image']}@{pointer['channel']}"
    now = time.time_ns() // 1000
    demand(pointer["issued_at"] <= now + 300_000_000, "the bundle is of a time to come")
    demand(now < pointer["expires_at"], "the bundle has expired")
    document = json.loads(parts["version"][0])
    demand(named(parts["version"][0]) == pointer["version"], "the version document is of another version")
    manifest = json.loads(parts["manifest"][0])
    demand(manifest["config"]["digest"] == pointer["version"], "the manifest is of another version")
    files = [item["digest"] for item in manifest["layers"] if item["mediaType"].startswith("application/vnd.goldsmith.")]

    summary = opened(parts["summary"][0], [key])
    decided = summary["predicate"]["goldsmith_decision"]
    subjects = ["sha256:" + item["digest"]["sha256"] for item in summary["subject"]]
    demand(pointer["version"] in subjects, "the verification summary is of another version")
    demand(decided["generation"] == pointer["generation"], "the verification summary is of another move")
    demand(decided["digest"] == named(parts["decision"][0]), "the decision is another one")
    trusted = [serialization.load_pem_public_key(item["pem"].encode()) for item in json.loads(parts["trust"][0])["keys"]]
    signed = [line for name in ("evidence", "waiver", "approval") for line in parts.get(name, [])]
    counted = sorted(named(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"])) for line in signed)
    inputs = sorted("sha256:" + item["digest"]["sha256"] for item in summary["predicate"]["inputAttestations"])
    demand(counted == inputs, "the evidence is not what was counted")
    for line in (*signed, *parts.get("provenance", [])):
        opened(line, trusted)

    checkpoint = opened(parts["checkpoint"][0], [key])["predicate"]
    event = json.loads(parts["event"][0])
    demand(checkpoint["size"] == pointer["seq"] and event["seq"] == decided["event"], "checkpoint or event are others")
    demand("sha256:" + root_of(event, checkpoint["size"]).hex() == checkpoint["root"], "the move is not in the log")

    lineage, parent = [pointer["version"]], document["parent"]
    for line in parts.get("ancestor", []):
        demand(named(line) == parent, "an ancestor is another one")
        lineage, parent = [*lineage, parent], json.loads(line)["parent"]
    demand(parent is None, "an ancestor is missing")
    for item in json.loads(parts["revocations"][0])["revocations"]:
        hit = item["version"] in lineage and pointer["version"] not in item["exempt"] and item["effective_at"] <= now
        demand(not hit, f"it is revoked: {item['reason']}")

    if disk is not None:
        known = {*document["disks"].values(), *files}
        demand(file_digest(disk) in known or disk_digest(disk) in known, "the disk is another one")
    print(f"PROVEN {place} {pointer['version']} {summary['predicate']['verificationResult']}")
    print(f"generation {pointer['generation']}, {pointer['seq']} events, good until {pointer['expires_at'] // 1_000_000}")


if __name__ == "__main__":
    demand(len(sys.argv) in (3, 4), "say: verify.py BUNDLE PUBLIC_KEY [DISK]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else None)
