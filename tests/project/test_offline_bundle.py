"""The offline bundle: strangers verify it by several means, and no change, age or mixture of it passes (invariant I16)."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from goldsmith.cli.app import run
from goldsmith.evidence import (
    PROVENANCE,
    TEST_RESULT,
    Part,
    Statement,
    Subject,
    check_offline,
    load_or_create_signer,
    load_public_key,
    sign,
    verify_offline,
    write_parts,
)
from goldsmith.evidence.offline import ANY, ONCE, read_parts
from goldsmith.hcl.diagnostics import GoldsmithError
from goldsmith.images import disk_digest
from goldsmith.project import Project, load_project, offline_bundle, open_registry
from goldsmith.registry import JSON, ArtifactFile, Registry, VerifiedStatement, Version

ROOT = Path(__file__).parents[2]
VERIFY = ROOT / "examples/offline/verify.py"
SIGSTORE = ROOT / ".tools/sigstore/node_modules"
DAY_US = 86_400 * 1_000_000
PROJECT = """
image "base" { template = "." }
image "web" { template = "." }
gate "secrets" {}
channel "dev" {}
channel "prod" { requires = ["secrets"] }
"""


@dataclass
class Place:
    """A project with web:1 and web:2 on base:1, both promoted to prod in turn."""

    root: Path

    @property
    def project(self) -> Project:
        return load_project(self.root / "goldsmith.hcl")

    @property
    def key(self) -> Path:
        return self.root / "keys/goldsmith.pub"

    def registry(self) -> Registry:
        return open_registry(self.project)

    def bundle(self, reference: str = "web@prod") -> bytes:
        with self.registry() as registry:
            return offline_bundle(self.project, registry, reference)[1]

    def check(self, content: bytes, after_us: int = 0, place: str = "", now: int = 0) -> Any:
        return check_offline(content, [load_public_key(self.key)], (now or made_at(content)) + after_us, place)

    def refused(self, content: bytes, after_us: int = 0, place: str = "", now: int = 0) -> str:
        with pytest.raises(GoldsmithError) as caught:
            self.check(content, after_us, place, now)
        return caught.value.diagnostics[0].code

    def version(self, registry: Registry, image: str, number: int, parent: Version | None = None) -> Version:
        path = self.root / f"{image}-{number}.raw"
        # More than one chunk of the tree that is a disk's identity.
        path.write_bytes(f"disk of {image} {number} ".encode() * (300_000 if number == 2 else 1))
        document: dict[str, JSON] = {
            "image": image,
            "parent": parent.digest if parent else None,
            "inputs": "",
            "layers": [],
            "disks": {"amd64": disk_digest(path)},
        }
        files = [ArtifactFile("raw", path)]
        return registry.register(image, document, artifacts=files, packages={}, builder="user:ci", actor="user:ci")

    def prove(
        self,
        registry: Registry,
        version: Version,
        gate: str = "secrets",
        verdict: str = "pass",
        key: str = "goldsmith",
        failing: tuple[str, ...] = (),
    ) -> None:
        claim = Statement(
            subjects=[Subject(name="version", sha256=version.digest.removeprefix("sha256:"))],
            predicate_type=PROVENANCE if gate == "provenance" else TEST_RESULT,
            predicate={"goldsmith_result": {"gate": gate, "verdict": verdict}},
        )
        signed = sign(claim, load_or_create_signer(self.root / f"keys/{key}.key"))
        statement = VerifiedStatement(
            subjects=(version.digest,),
            predicate_type=claim.predicate_type,
            statement_digest=signed.digest,
            signer=signed.signer,
            gate=gate,
            verdict=verdict,  # type: ignore[arg-type]  # the tests' own words
            failing=failing,
            issued_at=version.created_at,
        )
        registry.attest(version, statement, signed.bundle, "user:ci")


def made_at(content: bytes) -> int:
    """When a bundle was made: just after, no clock of the tests matters."""
    for line in content.split(b"\n")[1:-1]:
        if b'"dsseEnvelope"' in line:
            return int(payload_of(line)["predicate"]["issued_at"])
    raise AssertionError("no pointer")


def payload_of(line: bytes) -> Any:
    return json.loads(base64.b64decode(json.loads(line)["dsseEnvelope"]["payload"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Made once; each test has a copy."""
    place = Place(tmp_path_factory.mktemp("offline"))
    (place.root / "goldsmith.hcl").write_text(PROJECT)
    with place.registry() as registry, pytest.MonkeyPatch.context() as patch:
        base = place.version(registry, "base", 1)
        for number in (1, 2):
            place.prove(registry, place.version(registry, "web", number, base))
        patch.chdir(place.root)
        for number in (1, 2):
            assert run(["promote", "web", "prod", f"web:{number}"]) == 0
    return place


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    root = shutil.copytree(made.root, tmp_path / "project")
    monkeypatch.chdir(root)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Place(root)


def test_a_bundle_is_made_and_verified_by_commands(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bundle", "-o", "web.bundle", "web:2"]) == 0
    shutil.rmtree(place.root / ".goldsmith")
    (place.root / "goldsmith.hcl").unlink()

    code = run(["verify", "-bundle", "web.bundle", "-image", "web-2.raw", "-key", str(place.key), "-channel=web@prod"])

    told = capsys.readouterr().out
    assert code == 0, told
    assert "web-2.raw is web:2" in told
    assert "web@prod is web:2 (generation 2)" in told
    assert "secrets    PASS" in told
    assert run(["verify", "-bundle", "web.bundle", "-image", "web-1.raw", "-key", str(place.key)]) == 1
    assert "bundle.other-image" in capsys.readouterr().out
    assert run(["verify", "-bundle", "web.bundle", "-key", str(place.key), "-channel=web@dev"]) == 1
    assert "bundle.other-place" in capsys.readouterr().out


def test_every_changed_bit_is_refused(place: Place) -> None:
    """The first line, whose own signature covers it, wholly; of each further one some bits in every stretch of it."""
    content = place.bundle()
    first = content.index(b"\n") + 1
    keys, now = [load_public_key(place.key)], made_at(content)
    check_offline(content, keys, now)
    chosen = random.Random(16)
    places = list(range(first)) + [i for i in range(first, len(content)) if chosen.random() < 0.05] + [len(content) - 1]
    for position in places:
        changed = bytearray(content)
        changed[position] ^= 1 << chosen.randrange(8)
        with pytest.raises(GoldsmithError):
            check_offline(bytes(changed), keys, now)


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda lines: [*lines, b""],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [*lines[:3], lines[3] + b" ", *lines[4:]],
        lambda lines: [lines[0] + b" ", *lines[1:]],
        lambda lines: [lines[0].replace(b'"tlogEntries":[]', b'"tlogEntries":[],"x":1'), *lines[1:]],
        lambda lines: [b"{}"],
        lambda lines: [],
    ],
    ids=["cut", "a line more", "order", "blank", "blank in the table", "field in the table", "other json", "empty"],
)
def test_a_changed_layout_is_refused(place: Place, change: Callable[[list[bytes]], list[bytes]]) -> None:
    lines = place.bundle().split(b"\n")
    content = b"\n".join(change(lines[:-1])) + b"\n"
    with pytest.raises(GoldsmithError):
        check_offline(content, [load_public_key(place.key)], made_at(place.bundle()))


def test_a_bundle_ends_after_a_week_and_is_not_of_the_future(place: Place) -> None:
    content = place.bundle()

    assert place.check(content, 7 * DAY_US - 1).number == 2
    assert place.refused(content, 7 * DAY_US) == "bundle.expired"
    assert place.check(content, -5 * 60 * 1_000_000).number == 2
    assert place.refused(content, -5 * 60 * 1_000_000 - 1) == "bundle.not-yet"
    assert place.refused(content, place="web@dev") == "bundle.other-place"
    assert place.refused(content, place="base@prod") == "bundle.other-place"


def test_an_older_bundle_is_refused_once_a_newer_was_seen(place: Place, tmp_path: Path) -> None:
    keys, seen = [load_public_key(place.key)], tmp_path / "memory/seen.json"
    first = place.bundle()
    assert run(["freeze", "web", "prod", "-reason=x"]) == 0
    second = place.bundle()
    assert run(["audit", "checkpoint"]) == 0
    assert run(["rollback", "web", "prod"]) == 0
    third = place.bundle()

    def verified(content: bytes, now: int = 0) -> int:
        return verify_offline(content, keys, now or made_at(content), seen).generation

    def refused(content: bytes, now: int = 0) -> str:
        with pytest.raises(GoldsmithError) as caught:
            verified(content, now)
        return caught.value.diagnostics[0].code

    assert [verified(content) for content in (first, second, second)] == [2, 2, 2]
    assert refused(first) == "bundle.rollback"  # the same generation, a shorter log: revocations may be missing
    assert verified(third) == 3
    assert refused(second) == "bundle.rollback"
    # A clock that is turned back revives nothing that has expired by what the registry has signed since.
    late = made_at(third) + 8 * DAY_US
    marks = json.loads(seen.read_text())
    for mark in marks.values():
        mark["issued_at"] = late
    seen.write_text(json.dumps(marks))
    assert refused(third) == "bundle.expired"
    seen.write_text("{")
    assert refused(third, late) == "bundle.memory"


def test_another_history_of_the_same_length_is_refused(place: Place, tmp_path: Path) -> None:
    keys, seen = [load_public_key(place.key)], tmp_path / "seen.json"
    shutil.copytree(place.root / ".goldsmith", place.root / "before")
    assert run(["freeze", "web", "prod", "-reason=one history"]) == 0
    one = place.bundle()
    shutil.rmtree(place.root / ".goldsmith")
    shutil.move(place.root / "before", place.root / ".goldsmith")
    assert run(["freeze", "web", "prod", "-reason=another"]) == 0
    other = place.bundle()
    verify_offline(one, keys, made_at(one), seen)

    with pytest.raises(GoldsmithError) as caught:
        verify_offline(other, keys, made_at(other), seen)

    assert caught.value.diagnostics[0].code == "bundle.rollback"


def test_a_revocation_that_was_known_is_obeyed_from_its_time_on(place: Place) -> None:
    with place.registry() as registry:
        at = registry.show("web:2").version.created_at + DAY_US
        registry.revoke("base:1", "backdoor", effective_at=at, actor="user:ci")
    content = place.bundle()

    assert place.check(content).number == 2
    assert place.refused(content, at - made_at(content)) == "bundle.revoked"
    with place.registry() as registry:
        registry.revoke("web:1", "bad", actor="user:ci")
    assert place.check(place.bundle()).number == 2


def test_a_version_that_is_exempt_from_its_ancestors_revocation_is_proven(place: Place) -> None:
    with place.registry() as registry:
        registry.revoke("base:1", "backdoor", channels="leave", actor="user:ci")
        registry.exempt("web:2", "built without it", actor="user:ci")

    assert place.check(place.bundle()).number == 2


def test_what_is_unfit_gets_no_bundle(place: Place) -> None:
    assert run(["bundle", "-o", "x", "web@dev"]) == 2
    assert run(["bundle", "-o", "x", "web:1"]) == 1
    assert run(["revoke", "-channels=leave", "-reason=bad", "web:2"]) == 0
    assert run(["bundle", "-o", "x", "web@prod"]) == 2
    assert not (place.root / "x").exists()


def test_a_channel_that_was_moved_by_breaking_glass_is_told(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    with place.registry() as registry:
        place.version(registry, "web", 3)
    assert run(["promote", "-break-glass", "-reason=502s", "web", "prod", "web:3"]) == 0
    assert run(["bundle", "-o", "web.bundle", "web@prod"]) == 0

    assert run(["verify", "-bundle", "web.bundle"]) == 2
    assert "GLASS BROKEN" in capsys.readouterr().out


PEOPLE = """
security "sam" { key = "keys/sam.pub" }
approver "alice" { key = "keys/alice.pub" }
channel "guarded" {
  requires  = ["secrets"]
  signers   = ["keys/ci.pub"]
  approvals = 1
}
"""


def test_who_signed_evidence_who_waived_and_who_approved_can_be_checked(place: Place) -> None:
    for name in ("sam", "alice", "ci"):
        load_or_create_signer(place.root / f"keys/{name}.key")
    (place.root / "goldsmith.hcl").write_text(PROJECT + PEOPLE)
    with place.registry() as registry:
        place.prove(registry, registry.show("web:2").version, verdict="fail", key="ci", failing=("token in /root",))
    day = (datetime.now(UTC) + timedelta(days=30)).date()
    waiver = ["waive", "-reason=revoked", f"-until={day}T12:00Z", "-key=keys/sam.key", "token in /root", "web:2"]
    assert run(waiver) == 0
    assert run(["promote", "web", "guarded", "web:2"]) == 5
    with place.registry() as registry:
        (request,) = registry.requests()
    assert run(["approve", "-key=keys/alice.key", str(request.id)]) == 0
    assert run(["promote", "web", "guarded", "web:2"]) == 0

    content = place.bundle("web@guarded")

    signers = {item.signer for item in place.check(content).statements}
    assert signers == {str(load_public_key(place.root / f"keys/{name}.pub").keyid) for name in ("sam", "alice", "ci")}
    parts = parts_of(content, place.key)
    assert place.refused(joined(place, {**parts, "waiver": []}, "web@guarded")) == "bundle.mixed"
    assert place.refused(joined(place, {**parts, "approval": []}, "web@guarded")) == "bundle.mixed"
    assert standalone(place, content, "web-2.raw").returncode == 0


def test_evidence_of_a_key_that_nobody_names_makes_no_bundle(place: Place) -> None:
    with place.registry() as registry:
        place.prove(registry, registry.show("web:2").version, verdict="warn", key="stranger")
    assert run(["promote", "web", "prod", "web:1"]) == 0
    assert run(["promote", "web", "prod", "web:2"]) == 0

    with pytest.raises(GoldsmithError) as caught:
        place.bundle()

    assert caught.value.diagnostics[0].code == "evidence.unknown-key"


# ── mix-and-match: parts of other bundles, put together by somebody who has the key ──────────────────────────────────


def parts_of(content: bytes, key: Path) -> dict[str, list[bytes]]:
    return {name: list(lines) for name, lines in read_parts(content, [load_public_key(key)])[1].items()}


def joined(place: Place, parts: dict[str, list[bytes]], name: str = "web@prod") -> bytes:
    version = hashlib.sha256(parts["version"][0]).hexdigest()
    signer = load_or_create_signer(place.root / "keys/goldsmith.key")
    listed = [Part(part, line) for part in (*ONCE, *ANY) for line in parts[part]]
    return write_parts(Subject(name=name, sha256=version), listed, signer)


@pytest.mark.parametrize(
    "name", ["pointer", "version", "manifest", "decision", "summary", "evidence", "provenance", "checkpoint", "event"]
)
def test_a_part_of_another_bundle_is_refused(place: Place, name: str) -> None:
    with place.registry() as registry:
        for number in (1, 2):
            place.prove(registry, registry.show(f"web:{number}").version, "provenance")
    ours = parts_of(place.bundle(), place.key)
    assert run(["rollback", "web", "prod"]) == 0
    theirs = parts_of(place.bundle(), place.key)
    assert ours[name] != theirs[name]
    assert place.check(joined(place, ours)).number == 2

    assert place.refused(joined(place, {**ours, name: theirs[name]})) == "bundle.mixed"


@pytest.mark.parametrize("name", [name for name in ONCE if name not in ("revocations", "trust")])
def test_a_part_that_is_no_such_thing_is_refused(place: Place, name: str) -> None:
    bundle = place.bundle()
    parts = parts_of(bundle, place.key)

    for content in (b"{}", b"[]", b"1", b"x", parts["pointer" if name != "pointer" else "summary"][0]):
        assert place.refused(joined(place, {**parts, name: [content]}), now=made_at(bundle)) in (
            "bundle.mixed",
            "bundle.broken",
            "evidence.malformed",
        )


def test_evidence_that_was_not_counted_or_is_left_out_is_refused(place: Place) -> None:
    with place.registry() as registry:
        place.prove(registry, registry.show("web:2").version, "boot")
        blob = registry.show("web:2").evidence[-1].blob
        with registry.blobs.open(blob) as file:
            extra = file.read()
    parts = parts_of(place.bundle(), place.key)

    assert place.refused(joined(place, {**parts, "evidence": [*parts["evidence"], extra]})) == "bundle.mixed"
    assert place.refused(joined(place, {**parts, "evidence": []})) == "bundle.mixed"
    assert place.refused(joined(place, {**parts, "ancestor": []})) == "bundle.mixed"


def test_another_key_is_refused_by_name(place: Place, tmp_path: Path) -> None:
    load_or_create_signer(tmp_path / "other.key")

    with pytest.raises(GoldsmithError) as caught:
        check_offline(place.bundle(), [load_public_key(tmp_path / "other.pub")], 0)

    assert caught.value.diagnostics[0].code == "evidence.unknown-key"


# ── other people's verifiers ─────────────────────────────────────────────────────────────────────────────────────────


def standalone(place: Place, content: bytes, *disk: str) -> subprocess.CompletedProcess[str]:
    (place.root / "web.bundle").write_bytes(content)
    command = [sys.executable, "-I", str(VERIFY), "web.bundle", str(place.key), *disk]
    return subprocess.run(command, cwd=place.root, capture_output=True, text=True, check=False)


def test_the_verifier_that_stands_alone_agrees(place: Place) -> None:
    content = place.bundle()

    done = standalone(place, content, "web-2.raw")

    assert done.returncode == 0, done.stderr
    assert "PROVEN web@prod" in done.stdout
    assert "the disk is another one" in standalone(place, content, "web-1.raw").stderr
    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    assert "NOT PROVEN" in standalone(place, bytes(changed)).stderr


def signed_lines(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if line.startswith(b'{"dsseEnvelope"')]


def test_sigstores_own_verifier_accepts_every_signed_line_and_no_changed_one(place: Place) -> None:
    node = shutil.which("node")
    if node is None or not SIGSTORE.is_dir():
        pytest.skip("node and @sigstore/verify are not installed; `make sigstore` installs the latter where there is npm")
    lines = signed_lines(place.bundle())
    changed = json.loads(lines[1])
    payload = base64.b64decode(changed["dsseEnvelope"]["payload"]).replace(b'"generation":2', b'"generation":3')
    changed["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()

    def verified(signed: list[bytes]) -> subprocess.CompletedProcess[bytes]:
        command = [node, str(ROOT / "tests/sigstore/verify.mjs"), str(SIGSTORE), str(place.key)]
        return subprocess.run(command, input=b"\n".join(signed), capture_output=True, check=False)

    assert verified(lines).stdout.count(b"verified") == len(lines) == 5
    assert b"signature verification failed" in verified([json.dumps(changed).encode()]).stderr


def test_openssl_verifies_every_signed_line(place: Place) -> None:
    signed = signed_lines(place.bundle())
    for line in signed:
        envelope = json.loads(line)["dsseEnvelope"]
        payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
        (place.root / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
        (place.root / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
        command = ["openssl", "dgst", "-sha256", "-verify", str(place.key), "-signature", "sig", "pae"]
        done = subprocess.run(command, cwd=place.root, capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "Verified OK"
    assert len(signed) == 5
