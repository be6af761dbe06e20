"""The oracle's second opinion on deletions: certificates, inventories of use and copies. It imports nothing of the registry."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

SECOND = 1_000_000
REMOVABLE = ("aws",)


class Connection(Protocol):
    """What this needs of a database."""

    def execute(self, sql: str, /) -> Iterable[Any]: ...


@dataclass
class UseWorld:
    """What the log and the tables tell of use."""

    certificates: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The ids that each inventory saw in use."""
    inventories: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Those that the log has completed so far, in order."""
    order: dict[tuple[str, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Their numbers by place."""
    copies: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))
    marked: dict[str, str] = field(default_factory=dict)
    """The certificate that each version was marked with last."""

    def load(self, connection: Connection) -> None:
        for digest, doc in connection.execute("SELECT digest, doc FROM certificate"):
            if digest == "sha256:" + hashlib.sha256(doc.encode()).hexdigest():
                self.certificates[digest] = json.loads(doc)
        for inventory, external_id in connection.execute("SELECT inventory, external_id FROM inventory_ref WHERE count > 0"):
            self.seen[inventory].add(external_id)

    def complete(self, data: dict[str, Any]) -> None:
        """An inventory has come in."""
        self.inventories[data["inventory"]] = data
        self.order[_place(data)].append(data["inventory"])

    def before(self, inventory: int) -> dict[str, Any] | None:
        """The inventory of the same place before this one."""
        order = self.order[_place(self.inventories[inventory])]
        place = bisect_left(order, inventory)
        return self.inventories[order[place - 1]] if place else None

    def is_newest(self, inventory: int) -> bool:
        return self.order[_place(self.inventories[inventory])][-1] == inventory


def _place(item: dict[str, Any]) -> tuple[str, ...]:
    return tuple(item[name] for name in ("source", "platform", "account", "region"))


def judge_copy(world: UseWorld, kind: str, data: dict[str, Any], storage: str) -> Iterator[str]:
    """What an `artifact.*` event does wrong."""
    copies, id = world.copies[data["version"]], data["external_id"]
    if kind == "artifact.published":
        copies[id] = data | {"state": "published"}
        return
    before = copies.get(id, {"state": "published", "kind": data["kind"]})
    if kind == "artifact.disabled" and storage != "deleting":
        yield f"I5 disables a copy of a version that is {storage}"
    if kind == "artifact.gone" and not data["why"]:
        if storage != "deleting":
            yield f"I5 removes a copy of a version that is {storage}"
        if before["kind"] != "snapshot" and before["state"] != "disabled":
            yield "I5 removes an image that was not disabled before"
    copies[id] = data | {"state": kind.removeprefix("artifact.")}


def judge_certificate(world: UseWorld, at: int, step: str, data: dict[str, Any], names: set[str]) -> Iterator[str]:
    """What is wrong with the certificate of a marking or deletion; `names` are the digests of the version."""
    version, stage = data["version"], 1 if step == "marked" else 2
    document = world.certificates.get(data["certificate"])
    if document is None or (document["version"], document["stage"], document["at"]) != (version, stage, at):
        yield f"I5 has {step} a version without a certificate for it"
        return
    copies = {id: copy for id, copy in world.copies[version].items() if copy["state"] != "gone" and copy["kind"] != "snapshot"}
    for seen in document["inventories"]:
        yield from _judge_inventory(world, at, seen, names | copies.keys())
    places = {_place(seen) for seen in document["inventories"]}
    covered = {place[1:] for place in places}
    for id, copy in copies.items():
        if copy["platform"] not in REMOVABLE or _place({"source": "", **copy})[1:] not in covered:
            yield f"I5 has {step} a version whose copy {id} no inventory sees"
    if stage == 1:
        world.marked[version] = data["certificate"]
        return
    first = world.certificates.get(document["first"] or "")
    if first is None or document["first"] != world.marked.get(version):
        yield "I5 deletes a version on a certificate that does not name that of its marking"
        return
    if at - first["at"] < max(first["grace_s"], document["grace_s"]) * SECOND:
        yield "I5 deletes a version within its grace"
    if {_place(seen) for seen in first["inventories"]} - places:
        yield "I5 deletes a version without looking where it was looked for its marking"
    if any(seen["started"] < first["at"] for seen in document["inventories"]):
        yield "I5 deletes a version on an inventory from before its marking"


def _judge_inventory(world: UseWorld, at: int, seen: dict[str, Any], names: set[str]) -> Iterator[str]:
    known = world.inventories.get(seen["id"])
    if known is None or (known["digest"], known["refs"], _place(known)) != (seen["digest"], seen["refs"], _place(seen)):
        yield f"I5 rests on the inventory {seen['id']}, which is not in the log as it says"
        return
    if not -301 * SECOND <= at - known["finished"] <= (seen["max_age_s"] + 1) * SECOND or not world.is_newest(seen["id"]):
        yield f"I5 rests on the inventory {seen['id']}, which is old"
    earlier = world.before(seen["id"])
    if known["refs"] < seen["minimum"]:
        yield f"I5 rests on the inventory {seen['id']}, which has {known['refs']} uses"
    least = 0 if earlier is None or known["accepted_smaller"] else earlier["refs"] * seen["at_least_percent"]
    if known["refs"] * 100 < least:
        yield f"I5 rests on the inventory {seen['id']}, which shrank to {known['refs']} uses"
    if used := names & world.seen[seen["id"]]:
        yield f"I4 goes by a version in use, as {sorted(used)[0]}"
