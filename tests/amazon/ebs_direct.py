"""The EBS direct API as AWS keeps it: blocks of 512 KiB, checksums that are checked, parents, tokens, pages."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.amazon.ec2_images import OWNER, Images
from tests.amazon.ec2_wire import Refusal

BLOCK = 512 << 10
_PAGE = 100


@dataclass
class DirectSnapshot:
    """A snapshot and its blocks: content, or only checksums where the content would be too much."""

    size_gib: int
    parent: str = ""
    blocks: dict[int, bytes] = field(default_factory=dict)
    checksums: dict[int, bytes] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)


class EbsDirect:
    """All regions of one account."""

    def __init__(self, images: Images, *, keeps_content: bool = True) -> None:
        self._images = images
        self._keeps_content = keeps_content
        self.snapshots: dict[str, DirectSnapshot] = {}
        self.written: list[tuple[str, int]] = []
        """Snapshot and number of each block that was written, in order."""
        self.corrupts: set[int] = set()
        """Blocks that are given back with a bit turned over."""
        self._tokens: dict[str, str] = {}
        self._lock = threading.Lock()

    def action(self, method: str, path: str) -> str:
        """The name of the action of a request."""
        place = urlsplit(path).path
        for pattern, name in (
            ("POST /snapshots", "StartSnapshot"),
            (r"POST /snapshots/completion/[^/]+", "CompleteSnapshot"),
            (r"PUT /snapshots/[^/]+/blocks/\d+", "PutSnapshotBlock"),
            (r"GET /snapshots/[^/]+/blocks/\d+", "GetSnapshotBlock"),
            (r"GET /snapshots/[^/]+/blocks", "ListSnapshotBlocks"),
        ):
            if re.fullmatch(pattern, f"{method} {place}"):
                return name
        raise AssertionError(f"{method} {path}")

    def answer(
        self, region: str, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, Sequence[tuple[str, str]]]:
        """Status, body and headers."""
        place, query = urlsplit(path), parse_qs(urlsplit(path).query)
        words = place.path.split("/")[2:]
        low = {name.lower(): value for name, value in headers.items()}
        try:
            match self.action(method, path):
                case "StartSnapshot":
                    return _json(201, self._start(region, json.loads(body)))
                case "CompleteSnapshot":
                    return _json(202, self._complete(region, words[1], low))
                case "PutSnapshotBlock":
                    return self._put(region, words[0], int(words[2]), low, body)
                case "GetSnapshotBlock":
                    return self._get(words[0], int(words[2]), query["blockToken"][0])
                case _:
                    return _json(200, self._list(words[0], query))
        except Refusal as refusal:
            told = json.dumps({"Message": refusal.message, "Reason": "INVALID"}).encode()
            return refusal.status, told, (("Content-Type", "application/json"), ("x-amzn-ErrorType", refusal.code))

    def _start(self, region: str, request: dict[str, Any]) -> dict[str, Any]:
        token = request.get("ClientToken", "")
        with self._lock:
            if token in self._tokens:
                snapshot_id = self._tokens[token]
            else:
                snapshot_id = self._begin(region, request)
                if token:
                    self._tokens[token] = snapshot_id
        size = self.snapshots[snapshot_id].size_gib
        return {"SnapshotId": snapshot_id, "OwnerId": OWNER, "Status": "pending", "VolumeSize": size, "BlockSize": BLOCK}

    def _begin(self, region: str, request: dict[str, Any]) -> str:
        parent = request.get("ParentSnapshotId", "")
        snapshot = DirectSnapshot(request["VolumeSize"], parent)
        if parent:
            if parent not in self.snapshots:
                raise Refusal("ResourceNotFoundException", f"The snapshot {parent} does not exist", 404)
            if request.get("Encrypted") is not None or request.get("KmsKeyArn"):
                raise Refusal("ValidationException", "Encryption is the parent's")
            if self.snapshots[parent].size_gib > snapshot.size_gib:
                raise Refusal("ValidationException", "The volume is smaller than the parent's")
            if self._images.region(region).snapshots[parent]["State"] != "completed":
                raise Refusal("ValidationException", "The parent is not completed")
            snapshot.blocks = dict(self.snapshots[parent].blocks)
            snapshot.checksums = dict(self.snapshots[parent].checksums)
        why, tags = request.get("Description", ""), request.get("Tags", [])
        made = self._images.new_snapshot(region, request["VolumeSize"], why, tags, "pending")
        self.snapshots[made["SnapshotId"]] = snapshot
        return str(made["SnapshotId"])

    def _put(
        self, region: str, snapshot_id: str, index: int, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes, Sequence[tuple[str, str]]]:
        snapshot = self._pending(region, snapshot_id)
        if len(body) != BLOCK or headers.get("x-amz-data-length") != str(BLOCK):
            raise Refusal("ValidationException", f"The block has {len(body)} bytes")
        if not 0 <= index < snapshot.size_gib * 2048:
            raise Refusal("ValidationException", f"There is no block {index}")
        digest = hashlib.sha256(body).digest()
        if headers.get("x-amz-checksum-algorithm") != "SHA256" or headers.get("x-amz-checksum") != _text(digest):
            raise Refusal("ValidationException", "The checksum is not that of the block")
        with self._lock:
            snapshot.blocks[index] = body if self._keeps_content else b""
            snapshot.checksums[index] = digest
            snapshot.written.add(index)
            self.written.append((snapshot_id, index))
        told = (("x-amz-Checksum", _text(digest)), ("x-amz-Checksum-Algorithm", "SHA256"))
        return 201, b"{}", (("Content-Type", "application/json"), *told)

    def _complete(self, region: str, snapshot_id: str, headers: Mapping[str, str]) -> dict[str, Any]:
        snapshot = self._pending(region, snapshot_id)
        if headers.get("x-amz-changedblockscount") != str(len(snapshot.written)):
            raise Refusal("ValidationException", f"{len(snapshot.written)} blocks were written")
        if headers.get("x-amz-checksum"):
            digests = b"".join(snapshot.checksums[index] for index in sorted(snapshot.written))
            if headers["x-amz-checksum"] != _text(hashlib.sha256(digests).digest()):
                raise Refusal("ValidationException", "The checksum is not that of the blocks")
            if headers.get("x-amz-checksum-aggregation-method") != "LINEAR":
                raise Refusal("ValidationException", "The method is LINEAR")
        self._images.region(region).snapshots[snapshot_id]["State"] = "completed"
        return {"Status": "pending"}

    def _get(self, snapshot_id: str, index: int, token: str) -> tuple[int, bytes, Sequence[tuple[str, str]]]:
        snapshot = self._known(snapshot_id)
        if token != f"{snapshot_id}.{index}" or index not in snapshot.blocks:
            raise Refusal("ValidationException", "The token is not that of the block")
        body = snapshot.blocks[index]
        told = (
            ("x-amz-Data-Length", str(len(body))),
            ("x-amz-Checksum", _text(snapshot.checksums[index])),
            ("x-amz-Checksum-Algorithm", "SHA256"),
        )
        if index in self.corrupts:
            body = bytes([body[0] ^ 1]) + body[1:]
        return 200, body, (("Content-Type", "application/octet-stream"), *told)

    def _list(self, snapshot_id: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        snapshot = self._known(snapshot_id)
        start = int(query.get("pageToken", query.get("startingBlockIndex", ["0"]))[0])
        # Blocks of a snapshot are those that were ever written, zeros too.
        indexes = [index for index in sorted(snapshot.blocks) if index >= start]
        page = indexes[:_PAGE]
        told: dict[str, Any] = {
            "Blocks": [{"BlockIndex": index, "BlockToken": f"{snapshot_id}.{index}"} for index in page],
            "VolumeSize": snapshot.size_gib,
            "BlockSize": BLOCK,
        }
        return {**told, "NextToken": str(indexes[_PAGE])} if len(indexes) > _PAGE else told

    def _known(self, snapshot_id: str) -> DirectSnapshot:
        if snapshot_id not in self.snapshots:
            raise Refusal("ResourceNotFoundException", f"The snapshot {snapshot_id} does not exist", 404)
        return self.snapshots[snapshot_id]

    def _pending(self, region: str, snapshot_id: str) -> DirectSnapshot:
        snapshot = self._known(snapshot_id)
        if self._images.region(region).snapshots.get(snapshot_id, {}).get("State") != "pending":
            raise Refusal("ValidationException", f"The snapshot {snapshot_id} is not pending")
        return snapshot


def _json(status: int, answer: Mapping[str, Any]) -> tuple[int, bytes, Sequence[tuple[str, str]]]:
    return status, json.dumps(answer).encode(), (("Content-Type", "application/json"),)


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
