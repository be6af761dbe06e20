"""A second opinion: reads the log and judges every event by the invariants. It imports nothing of the registry."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.registry.registry_oracle_use import Connection, UseWorld, judge_certificate, judge_copy


@dataclass
class Version:
    image: str
    parent: str | None
    disks: list[str]
    blobs: list[str]
    builder: str
    storage: str = "present"


@dataclass
class Stop:
    generation: int
    version: str | None
    kind: str
    at: int


@dataclass
class World:
    """The state that the log tells of."""

    versions: dict[str, Version] = field(default_factory=dict)
    evidence: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    policies: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    stops: dict[tuple[str, str], list[Stop]] = field(default_factory=lambda: defaultdict(list))
    revocations: dict[int, tuple[str, int]] = field(default_factory=dict)
    withdrawn: set[int] = field(default_factory=set)
    exempted: set[tuple[int, str]] = field(default_factory=set)
    pins: dict[tuple[str, str, str], int | None] = field(default_factory=dict)
    frozen: set[tuple[str, str]] = field(default_factory=set)
    requests: dict[int, dict[str, Any]] = field(default_factory=dict)
    approvals: dict[int, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    waivers: dict[int, dict[str, Any]] = field(default_factory=dict)
    use: UseWorld = field(default_factory=UseWorld)
    faults: list[str] = field(default_factory=list)

    def lineage(self, version: str) -> list[str]:
        found = [version]
        while (parent := self.versions[found[-1]].parent) is not None:
            found.append(parent)
        return found

    def is_revoked(self, version: str, at: int) -> bool:
        lineage = self.lineage(version)
        return any(
            target in lineage and since <= at and number not in self.withdrawn and (number, version) not in self.exempted
            for number, (target, since) in self.revocations.items()
        )

    def current(self, channel: tuple[str, str]) -> str | None:
        return self.stops[channel][-1].version if self.stops[channel] else None


def judge(database: Path, store: Path) -> list[str]:
    """Every violation that a registry in an SQLite file shows."""
    with closing(sqlite3.connect(database)) as connection:
        return judge_all(connection, store)


def judge_all(connection: Connection, store: Path) -> list[str]:
    """Every violation of I1, I2, I4, I5, I6, I7 and I11 that the log, the tables and the store show."""
    world = World()
    world.use.load(connection)
    before, last_at = "0" * 64, 0
    for place, (seq, prev, own, at, body) in enumerate(
        list(connection.execute("SELECT seq, prev, hash, at, body FROM event ORDER BY seq")), 1
    ):
        expected = hashlib.sha256(f"{prev}\n{seq}\n{at}\n{body}".encode()).hexdigest()
        if (seq, prev, own) != (place, before, expected) or at < last_at:
            world.faults.append(f"I7 event {seq} is not linked to the one before it")
        before, last_at = own, at
        document = json.loads(body)
        if document["type"] == "evidence.accepted":
            document["data"]["failing"] = json.loads(
                next(row["set"]["failing"] for row in document["rows"] if row["table"] == "evidence")
            )
        _judge_event(world, seq, at, document["actor"], document["type"], document["data"])
    _judge_end(world, connection, store)
    return world.faults


def _judge_event(world: World, seq: int, at: int, actor: str, kind: str, data: dict[str, Any]) -> None:
    channel = (data.get("image", ""), data.get("channel", ""))
    version = data.get("version")
    if kind == "version.registered":
        world.versions[data["version"]] = Version(data["image"], data["parent"], data["disks"], data["blobs"], data["builder"])
        for ancestor in world.lineage(data["version"])[1:]:
            if world.versions[ancestor].storage == "expiring":
                world.versions[ancestor].storage = "present"
    elif kind == "version.stored":
        world.versions[data["version"]].storage = "present"
        world.versions[data["version"]].blobs += data["blobs"]
    elif kind == "evidence.accepted":
        world.evidence[data["version"]].append(data)
    elif kind == "waiver.granted":
        world.waivers[data["waiver"]] = data
    elif kind == "waiver.withdrawn":
        world.waivers.pop(data["waiver"])
    elif kind == "channel.cleared":
        if data["generation"] != len(world.stops[channel]) + 1 or not data["reason"]:
            world.faults.append(f"I2 event {seq} clears {channel} without a reason or out of turn")
        world.stops[channel].append(Stop(data["generation"], None, "clear", at))
    elif kind == "policy.set":
        world.policies[channel] = data["document"]
    elif kind in ("channel.frozen", "channel.opened"):
        world.frozen = world.frozen | {channel} if kind == "channel.frozen" else world.frozen - {channel}
    elif kind == "request.opened":
        world.requests[data["request"]] = {**data, "by": actor}
    elif kind == "approval.given":
        world.approvals[data["request"]].append(data)
    elif kind in ("promotion.committed", "promotion.refused", "promotion.broke_glass"):
        if version and world.versions[version].storage == "expiring" and "decision" in data:
            world.versions[version].storage = "present"
        if kind == "promotion.committed":
            _judge_promotion(world, seq, at, channel, data)
            _move(world, seq, at, channel, data, "promote")
        elif kind == "promotion.broke_glass":
            if not data["reason"] or data["until"] <= at:
                world.faults.append(f"I1 event {seq} breaks the glass of {channel} without a reason or an end")
            _move(world, seq, at, channel, data, "break_glass")
    elif kind == "rollback.committed":
        if data["version"] not in [stop.version for stop in world.stops[channel]]:
            world.faults.append(f"I1 event {seq} goes back to a version that was never in {channel}")
        _move(world, seq, at, channel, data, "rollback")
    elif kind == "revocation.declared":
        _judge_revocation(world, seq, at, data)
    elif kind == "revocation.carried_out":
        for move in data["moved"]:
            _move(world, seq, at, (move["image"], move["channel"]), move, "revoke")
    elif kind == "revocation.withdrawn":
        world.withdrawn |= set(data["revocations"])
    elif kind == "revocation.exempted":
        world.exempted |= {(number, data["version"]) for number in data["revocations"]}
    elif kind == "hold.placed":
        world.pins[data["version"], data["kind"], data["holder"]] = data["until"]
        if world.versions[data["version"]].storage == "expiring":
            world.versions[data["version"]].storage = "present"
    elif kind == "hold.released":
        world.pins.pop((data["version"], data["kind"], data["holder"]))
    elif kind == "inventory.completed":
        world.use.complete(data)
    elif kind.startswith("artifact."):
        if kind == "artifact.published" and world.versions[data["version"]].storage == "expiring":
            world.versions[data["version"]].storage = "present"
        faults = judge_copy(world.use, kind, data, world.versions[data["version"]].storage)
        world.faults += [f"{fault} (event {seq})" for fault in faults]
    elif kind.startswith("retention."):
        _judge_retention(world, seq, at, kind, data)


def _move(world: World, seq: int, at: int, channel: tuple[str, str], data: dict[str, Any], kind: str) -> None:
    version = data["version"]
    known = world.versions[version]
    if known.image != channel[0]:
        world.faults.append(f"I1 event {seq} moves {channel} to a version of {known.image}")
    if world.is_revoked(version, at):
        world.faults.append(f"I1 event {seq} moves {channel} to a revoked version")
    if known.storage != "present":
        world.faults.append(f"I1 event {seq} moves {channel} to a version that is {known.storage}")
    if data["generation"] != len(world.stops[channel]) + 1:
        world.faults.append(f"I2 event {seq} gives {channel} the generation {data['generation']}")
    world.stops[channel].append(Stop(data["generation"], version, kind, at))


def _judge_promotion(world: World, seq: int, at: int, channel: tuple[str, str], data: dict[str, Any]) -> None:
    policy, version = world.policies[channel], data["version"]
    for need in policy["requires"]:
        for disk in world.versions[version].disks:
            speaking = [
                item for item in world.evidence[version] if item["gate"] == need["gate"] and set(item["disks"]) & {"", disk}
            ]
            newest = speaking[-1] if speaking else None
            good = ["pass"] if need.get("strict") else ["pass", "warn"]
            if newest is None or (newest["verdict"] not in good and not _waived(world, at, channel, version, newest)):
                world.faults.append(f"I1 event {seq} promotes with {need['gate']} {newest and newest['verdict']}")
            elif need.get("config", "") not in ("", newest["config"]):
                world.faults.append(f"I1 event {seq} promotes on evidence of another configuration")
            elif newest["signer"] not in (need.get("signers") or [newest["signer"]]):
                world.faults.append(f"I1 event {seq} promotes on evidence of another signer")
            elif need.get("max_age_s") and at - newest["issued_at"] >= (need["max_age_s"] + 1) * 1_000_000:
                world.faults.append(f"I1 event {seq} promotes on old evidence")
            elif newest["expires_at"] is not None and newest["expires_at"] <= at:
                world.faults.append(f"I1 event {seq} promotes on expired evidence")
    if channel in world.frozen:
        world.faults.append(f"I1 event {seq} promotes to {channel}, which is frozen")
    if policy["approvals"]["count"] and _approved(world, at, channel, data) < policy["approvals"]["count"]:
        world.faults.append(f"I9 event {seq} promotes without the approvals that {channel} needs")
    if policy["after"]:
        stays = _stays(world, (channel[0], policy["after"]), version, at)
        if not stays or max(stays) < policy["soak_s"] * 1_000_000:
            world.faults.append(f"I1 event {seq} promotes to {channel} before its time in {policy['after']}")


def _waived(world: World, at: int, channel: tuple[str, str], version: str, evidence: dict[str, Any]) -> bool:
    """Whether every finding by which evidence fails has a waiver that holds and that the policy's security signed."""
    keys = {item["key"] for item in world.policies[channel].get("security", [])}
    wanted = {"image": channel[0], "channel": channel[1], "version": version}
    live = {
        item["finding"]
        for item in world.waivers.values()
        if item["key"] in keys
        and item["expires_at"] > at
        and all(item["scope"][part] in ("", value) for part, value in wanted.items())
    }
    return evidence["verdict"] == "fail" and bool(evidence["failing"]) and set(evidence["failing"]) <= live


def _approved(world: World, at: int, channel: tuple[str, str], data: dict[str, Any]) -> int:
    """How many different people, by name and by key, approved exactly this move of an open request."""
    request = world.requests.get(data["request"] or 0)
    generation = len(world.stops[channel])
    wanted = {"image": channel[0], "channel": channel[1], "version": data["version"], "generation": generation}
    if request is None or request["expires_at"] <= at or {**wanted, "policy": data["policy"]} not in request["targets"]:
        return 0
    made_by = {world.versions[data["version"]].builder, request["by"]}
    keys = {item["signer"] for item in world.evidence[data["version"]]}
    able = {
        (item["name"], item["key"])
        for item in world.policies[channel]["approvals"]["approvers"]
        if item["user"] not in made_by and item["key"] not in keys
    }
    found = {(item["approver"], item["key"]) for item in world.approvals[data["request"]]} & able
    return min(len({name for name, _ in found}), len({key for _, key in found}))


def _stays(world: World, channel: tuple[str, str], version: str, at: int) -> list[int]:
    stops = world.stops[channel]
    stays = []
    for place, stop in enumerate(stops):
        after = stops[place + 1] if place + 1 < len(stops) else None
        if stop.version == version and stop.kind != "break_glass" and (after is None or after.kind == "promote"):
            stays.append((at if after is None else after.at) - stop.at)
    return stays


def _judge_revocation(world: World, seq: int, at: int, data: dict[str, Any]) -> None:
    world.revocations[data["revocation"]] = (data["version"], data["effective_at"])
    for move in data["moved"]:
        _move(world, seq, at, (move["image"], move["channel"]), move, "revoke")
    if data["channels"] == "leave" or data["effective_at"] > at:
        return
    for channel, stops in world.stops.items():
        held = stops[-1].version if stops else None
        hit = held is not None and data["version"] in world.lineage(held) and world.is_revoked(held, at)
        if hit and "@".join(channel) not in data["quarantined"]:
            world.faults.append(f"I11 event {seq} leaves {channel} on a revoked version")


def _judge_retention(world: World, seq: int, at: int, kind: str, data: dict[str, Any]) -> None:
    version = data["version"]
    known = world.versions[version]
    step = kind.removeprefix("retention.")
    before = {"marked": "present", "unmarked": "expiring", "deleting": "expiring", "deleted": "deleting"}[step]
    if known.storage != before:
        world.faults.append(f"I4 event {seq} has {step} a version that is {known.storage}")
    known.storage = {"marked": "expiring", "unmarked": "present"}.get(step, step)
    if step == "deleted" and any(copy["state"] != "gone" for copy in world.use.copies[version].values()):
        world.faults.append(f"I5 event {seq} has deleted a version that still has copies")
    if step in ("unmarked", "deleted"):
        return
    names = {version, *known.disks, *known.blobs}
    world.faults += [f"{fault} (event {seq})" for fault in judge_certificate(world.use, at, step, data, names)]
    if any(world.current(channel) == version for channel in list(world.stops)):
        world.faults.append(f"I4 event {seq} has {step} a version that a channel holds")
    if any(pin[0] == version and (until is None or until > at) for pin, until in world.pins.items()):
        world.faults.append(f"I4 event {seq} has {step} a pinned version")
    living = ("present", "expiring") if step == "deleting" else ("present",)
    if any(version in world.lineage(other)[1:] and item.storage in living for other, item in world.versions.items()):
        world.faults.append(f"I4 event {seq} has {step} a version with living descendants")


def _judge_end(world: World, connection: Connection, store: Path) -> None:
    sql = """SELECT i.name, c.name, c.generation, v.digest FROM channel c
        JOIN image i ON i.id = c.image LEFT JOIN version v ON v.id = c.version"""
    for image, name, generation, version in connection.execute(sql):
        stops = world.stops[image, name]
        if (generation, version) != (len(stops), stops[-1].version if stops else None):
            world.faults.append(f"I2 {image}@{name} is not where its last assignment put it")
    states = dict(connection.execute("SELECT digest, state FROM blob"))
    for name, version in world.versions.items():
        for blob in version.blobs if version.storage in ("present", "expiring") else ():
            file = store / "blobs" / blob.replace(":", "/")
            if states.get(blob) != "live" or not file.is_file():
                world.faults.append(f"I4 the blob {blob[:14]} of the {version.storage} version {name[:14]} is missing")
            elif hashlib.sha256(file.read_bytes()).hexdigest() != blob.removeprefix("sha256:"):
                world.faults.append(f"I6 the blob {blob[:14]} has other bytes")
    for blob, state in states.items():
        # A condemned blob may be wanted again at any time, so its bytes are there until it is `sweeping`.
        if state in ("live", "condemned") and not (store / "blobs" / blob.replace(":", "/")).is_file():
            world.faults.append(f"I15 the blob {blob[:14]} is {state}, and its bytes are gone")
