"""A registry to try things on: made-up versions with real bytes, evidence, and a clock that the test turns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from goldsmith.registry import (
    Approval,
    ArtifactFile,
    Evidence,
    Package,
    Place,
    Reading,
    Reference,
    Registry,
    Request,
    VerifiedStatement,
    Version,
    Waiver,
    digest_of,
    open_registry,
)
from goldsmith.registry.inventory.reading import merged

ACTOR = "user:tester"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SECOND = 1_000_000
Verdict = Literal["pass", "warn", "fail", "error"]
Json = bool | int | str | list["Json"] | dict[str, "Json"] | None


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def document(image: str, build: int, parent: str | None = None, disks: int = 1) -> dict[str, Json]:
    return {
        "image": image,
        "parent": parent,
        "inputs": digest(f"inputs of {image}"),
        "layers": [digest("base layer"), digest(f"layer {image} {build}")],
        "boot": {"kernel": "boot/vmlinuz"},
        "disks": {f"arch{place}": digest(f"disk {image} {build} {place}") for place in range(disks)},
    }


def approver(name: str, user: str = "", key: str = "") -> dict[str, Json]:
    return {"name": name, "user": user or f"user:{name}", "key": key or f"key:{name}"}


def policy(
    *gates: str,
    after: str = "",
    soak_s: int = 0,
    max_age_s: int = 0,
    strict: bool = False,
    approvals: int = 0,
    approvers: Sequence[str | dict[str, Json]] = (),
    keep: int = 5,
    security: Sequence[str] = (),
    conditions: Sequence[str] = (),
    on_unfit: str = "warn",
    signers: Sequence[str] = (),
) -> dict[str, Json]:
    return {
        "security": [{"name": name, "key": f"key:{name}"} for name in security],
        "conditions": list(conditions),
        "on_unfit": on_unfit,
        "after": after,
        "soak_s": soak_s,
        "requires": [{"gate": gate, "max_age_s": max_age_s, "strict": strict, "signers": list(signers)} for gate in gates],
        "approvals": {
            "count": approvals,
            "approvers": [approver(item) if isinstance(item, str) else item for item in approvers],
        },
        "rollback": {"keep": keep},
    }


class Bench:
    """A registry in a directory. `turn` moves its clock forward."""

    def __init__(self, root: Path, url: str = "") -> None:
        self.root = root
        self.url = url or f"sqlite:///{root / 'registry.db'}"
        self.now = 1_800_000_000 * SECOND
        self.statements = 0
        self.registry: Registry = open_registry(self.url, root / "store", clock=lambda: self.now)

    def turn(self, seconds: int) -> None:
        self.now += seconds * SECOND

    def file(self, name: str, content: bytes) -> Path:
        path = self.root / "output" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    def blob(self, digest: str) -> Path:
        """Where the bytes of a digest are in the store."""
        return self.root / "store" / "blobs" / digest.replace(":", "/")

    def build(self, image: str, build: int, parent: Version | None = None, disks: int = 1) -> Version:
        """Register a version with one raw disk; the same numbers give the same version."""
        self.turn(1)
        made = self.file(f"{image}-{build}.raw", f"disk of {image} {build} ".encode() * 1000)
        return self.registry.register(
            image,
            document(image, build, parent.digest if parent else None, disks),
            artifacts=[ArtifactFile("raw", made)],
            packages={digest(f"layer {image} {build}"): [Package(purl_type="deb", name=image, version=str(build))]},
            builder="test",
            actor=ACTOR,
        )

    def channel(self, image: str, name: str, document: Mapping[str, Json]) -> None:
        self.registry.declare_channel(image, name, document, ACTOR)

    def statement(self, version: Version, gate: str, verdict: Verdict, **changes: object) -> VerifiedStatement:
        self.statements += 1
        made = VerifiedStatement(
            subjects=(version.digest,),
            predicate_type=TEST_RESULT,
            statement_digest=digest(f"statement {self.statements}"),
            signer="key:ci",
            gate=gate,
            verdict=verdict,
            failing=("ssh-open",) if verdict == "fail" else (),
            issued_at=self.now,
        )
        return replace(made, **changes)  # type: ignore[arg-type]  # tests give wrong values on purpose

    def prove(self, version: Version, gate: str, verdict: Verdict = "pass", **changes: object) -> Evidence:
        self.turn(1)
        statement = self.statement(version, gate, verdict, **changes)
        return self.registry.attest(version, statement, f"bundle {self.statements}".encode(), ACTOR)

    def approve(self, request: int, name: str, **changes: str) -> Request:
        """As approver `name`, with the key of that name."""
        self.turn(1)
        binds = digest_of(self.registry.request(request).binding)
        given = {"approver": name, "key": f"key:{name}", "binds_digest": binds, "bundle": f"signed by {name}"} | changes
        return self.registry.approve(request, Approval(statement_digest=digest(str(given)), **given), actor=f"user:{name}")

    def waive(self, finding: str, scope: str, by: str, seconds: int = 3600) -> Waiver:
        """As `by` of security, with the key of that name."""
        self.turn(1)
        meant = Waiver(
            finding=finding,
            scope=self.registry.scope(scope),
            reason="not reachable",
            owner=by,
            expires_at=self.now + seconds * SECOND,
        )
        signed = {"key": f"key:{by}", "bundle": f"signed by {by}", "statement_digest": digest(f"{self.now} {meant}")}
        return self.registry.waive(replace(meant, **signed), actor=f"user:{by}")  # type: ignore[arg-type]  # all are texts

    def promote(self, image: str, channel: str, reference: str) -> int:
        """The generation that the channel is at now."""
        self.turn(1)
        return self.registry.promote(image, channel, reference, actor=ACTOR).generation

    def reading(
        self,
        *references: Reference,
        source: str = "test",
        platform: str = "",
        account: str = "",
        region: str = "",
        **more: object,
    ) -> Reading:
        """A look at a place that has just ended."""
        self.turn(1)
        place = Place(source, platform, account, region)
        made = Reading(place=place, started=self.now, finished=self.now, references=merged(iter(references)))
        return replace(made, **more)  # type: ignore[arg-type]  # tests give wrong values on purpose

    def look(self, *references: Reference, **where: object) -> None:
        """Record what is in use at a place."""
        self.registry.record_inventories([self.reading(*references, **where)], actor=ACTOR)  # type: ignore[arg-type]

    def number(self, image: str, channel: str) -> int | None:
        """The version that a channel points at."""
        return next(item.number for item in self.registry.channels(image) if item.name == channel)

    def types(self) -> list[str]:
        """The types of all events, in order."""
        return [event.type for event in self.registry.events()]
