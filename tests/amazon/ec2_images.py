"""AMIs and snapshots as EC2 keeps them: names that are given once, snapshots that are in use, pending states, copies.

What a moto server answers here is hollow (it takes names twice, drops disks and encryption, knows no deprecation), so these
actions do not reach it.
"""

from __future__ import annotations

import copy
import fnmatch
import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.amazon.ec2_wire import Refusal

OWNER = "123456789012"
Data = dict[str, Any]
"""A thing in the form of boto3's answers."""


@dataclass
class Region:
    """The AMIs and snapshots of one region."""

    images: dict[str, Data] = field(default_factory=dict)
    snapshots: dict[str, Data] = field(default_factory=dict)
    permissions: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)
    """Who else may use an AMI or a snapshot."""
    pending: dict[str, int] = field(default_factory=dict)
    """How often an AMI is still told to be pending."""


class Images:
    """All regions of one account. `instance` tells what EC2 knows of an instance."""

    def __init__(self, instance: Callable[[str, str], Data | None]) -> None:
        self.regions: dict[str, Region] = {}
        self.pending_looks = 1
        self.fails: dict[str, Data] = {}
        """Names of AMIs that cannot be made, and the StateReason."""
        self._instance = instance
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def region(self, name: str) -> Region:
        return self.regions.setdefault(name, Region())

    def publish(
        self, region: str, name: str, *, owner: str = OWNER, alias: str = "", tags: Mapping[str, str] | None = None
    ) -> str:
        """An AMI that is there already."""
        snapshot = self._new_snapshot(region, 8, "published", owner=owner)
        image = self._new_image(region, {"Name": name, "OwnerId": owner}, [_disk("/dev/sda1", snapshot)])
        if alias:
            image["ImageOwnerAlias"] = alias
        image["Tags"] = _tags(tags or {})
        self.region(region).pending.clear()
        return str(image["ImageId"])

    def answer(self, region: str, action: str, request: Data) -> Data | None:
        """The answer to an action on AMIs and snapshots; None when it is not for us."""
        act = getattr(self, f"_{action}", None)
        if act is None:
            return None
        with self._lock:
            answer: Data | None = act(region, request)
            return copy.deepcopy(answer)

    # ── AMIs ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _DescribeImages(self, region: str, request: Data) -> Data | None:
        home = self.region(region)
        ids, owners = request.get("ImageIds", []), request.get("Owners", [])
        if ids:
            if not all(image in home.images for image in ids):
                return None
            found = [home.images[image] for image in ids]
        else:
            wanted = {OWNER if owner == "self" else owner for owner in owners}
            found = [
                image
                for image in home.images.values()
                if not owners or image["OwnerId"] in wanted or image.get("ImageOwnerAlias") in wanted
            ]
            found = [image for image in found if all(_image_matches(image, item) for item in request.get("Filters", []))]
            if not found and owners != ["self"]:
                return None
        told = {"Images": [copy.deepcopy(image) for image in found]}
        for image in found:
            self._look(home, image)
        return told

    def _look(self, home: Region, image: Data) -> None:
        left = home.pending.get(image["ImageId"], 0)
        if left > 1:
            home.pending[image["ImageId"]] = left - 1
        elif left:
            del home.pending[image["ImageId"]]
            reason = self.fails.get(image["Name"])
            image["State"] = "failed" if reason else "available"
            if reason:
                image["StateReason"] = reason

    def _CreateImage(self, region: str, request: Data) -> Data:
        instance = self._instance(region, request["InstanceId"])
        if instance is None:
            raise Refusal("InvalidInstanceID.NotFound", f"The instance ID '{request['InstanceId']}' does not exist")
        if instance["State"]["Name"] not in ("running", "stopped"):
            raise Refusal("IncorrectState", f"The instance is {instance['State']['Name']}")
        self._check_name(region, request["Name"])
        tags = _specified(request, {"image", "snapshot"})
        disks = {device["DeviceName"]: dict(device["Ebs"]) for device in instance["BlockDeviceMappings"]}
        for device in request.get("BlockDeviceMappings", []):
            if "NoDevice" in device:
                disks.pop(device["DeviceName"], None)
            elif "Ebs" in device:
                disks[device["DeviceName"]] = {**disks.get(device["DeviceName"], {}), **device["Ebs"]}
        mappings = []
        for name, disk in disks.items():
            why = f"Created by CreateImage({request['InstanceId']})"
            snapshot = self._new_snapshot(region, disk.get("VolumeSize", 8), why, encrypted=disk.get("Encrypted", False))
            snapshot["Tags"] = _tags(tags["snapshot"])
            mappings.append(_disk(name, snapshot, disk))
        about = {"Name": request["Name"], "SourceInstanceId": request["InstanceId"]}
        image = self._new_image(region, {**about, "Description": request.get("Description", "")}, mappings)
        image["Tags"] = _tags(tags["image"])
        return {"ImageId": image["ImageId"]}

    def _CopyImage(self, region: str, request: Data) -> Data:
        source = self.region(request["SourceRegion"]).images.get(request["SourceImageId"])
        if source is None:
            raise Refusal("InvalidAMIID.NotFound", f"The image id '[{request['SourceImageId']}]' does not exist")
        if source["State"] != "available":
            raise Refusal("InvalidAMIID.Unavailable", f"The image is {source['State']}")
        self._check_name(region, request["Name"])
        if request.get("KmsKeyId") and not request.get("Encrypted"):
            raise Refusal("InvalidParameterCombination", "KmsKeyId needs Encrypted")
        mappings = []
        for device in source["BlockDeviceMappings"]:
            encrypted = request.get("Encrypted", device["Ebs"].get("Encrypted", False))
            size = device["Ebs"]["VolumeSize"]
            snapshot = self._new_snapshot(region, size, "Copied", encrypted=encrypted, key=request.get("KmsKeyId", ""))
            mappings.append(_disk(device["DeviceName"], snapshot, device["Ebs"]))
        about = {"Name": request["Name"], "SourceImageId": source["ImageId"], "SourceImageRegion": request["SourceRegion"]}
        image = self._new_image(region, {**about, "Description": request.get("Description", "")}, mappings)
        if request.get("CopyImageTags"):
            image["Tags"] = source["Tags"]
        return {"ImageId": image["ImageId"]}

    def _RegisterImage(self, region: str, request: Data) -> Data:
        self._check_name(region, request["Name"])
        mappings = []
        for device in request["BlockDeviceMappings"]:
            snapshot = self._snapshot(region, device["Ebs"]["SnapshotId"])
            if snapshot["State"] != "completed":
                raise Refusal("IncorrectState", f"The snapshot {snapshot['SnapshotId']} is {snapshot['State']}")
            mappings.append(_disk(device["DeviceName"], snapshot, device["Ebs"]))
        kept = ("Name", "Description", "Architecture", "RootDeviceName", "BootMode", "ImdsSupport", "EnaSupport")
        about = {
            name: request[name] for name in (*kept, "VirtualizationType", "SriovNetSupport", "TpmSupport") if name in request
        }
        image = self._new_image(region, about, mappings)
        image["Tags"] = _tags(_specified(request, {"image", "snapshot"})["image"])
        return {"ImageId": image["ImageId"]}

    def _DeregisterImage(self, region: str, request: Data) -> Data:
        image = self._image(region, request["ImageId"])
        if image.get("DeregistrationProtection", "disabled") != "disabled":
            raise Refusal("OperationNotPermitted", f"The image {image['ImageId']} is protected from deregistration")
        del self.region(region).images[image["ImageId"]]
        return {}

    def _ModifyImageAttribute(self, region: str, request: Data) -> Data:
        image = self._image(region, request["ImageId"])
        for target in request.get("LaunchPermission", {}).get("Add", []):
            user = target.get("UserId")
            if user is not None and not (len(user) == 12 and user.isdigit()):
                raise Refusal("InvalidAMIAttributeItemValue", f'Invalid attribute item value "{user}" for userId item type.')
            if target.get("Group") == "all" and any(item["Ebs"]["Encrypted"] for item in image["BlockDeviceMappings"]):
                raise Refusal("InvalidParameter", "Images with encrypted snapshots cannot be public")
            self.region(region).permissions.setdefault(image["ImageId"], []).append(target)
        if "ImdsSupport" in request:
            image["ImdsSupport"] = request["ImdsSupport"]["Value"]
        if "ProductCodes" in request:
            image["ProductCodes"] = [
                {"ProductCodeId": code, "ProductCodeType": "marketplace"} for code in request["ProductCodes"]
            ]
        return {}

    def _EnableImageDeprecation(self, region: str, request: Data) -> Data:
        image = self._image(region, request["ImageId"])
        when = datetime.fromisoformat(request["DeprecateAt"])
        if when < datetime.now(UTC):
            raise Refusal("InvalidParameterValue", "DeprecateAt is in the past")
        image["DeprecationTime"] = when.strftime("%Y-%m-%dT%H:%M:00.000Z")
        return {"Return": True}

    def _EnableImageDeregistrationProtection(self, region: str, request: Data) -> Data:
        state = "enabled-with-cooldown" if request.get("WithCooldown") else "enabled-without-cooldown"
        self._image(region, request["ImageId"])["DeregistrationProtection"] = state
        return {"Return": state}

    # ── snapshots and tags ────────────────────────────────────────────────────────────────────────────────────────────

    def _DescribeSnapshots(self, region: str, request: Data) -> Data:
        if request.get("OwnerIds", ["self"]) != ["self"]:
            raise Refusal("InvalidParameterValue", "only one's own snapshots are known here")
        if ids := request.get("SnapshotIds"):
            return {"Snapshots": [self._snapshot(region, item) for item in ids]}
        own = [item for item in self.region(region).snapshots.values() if item["OwnerId"] == OWNER]
        return {"Snapshots": [item for item in own if all(_snapshot_matches(item, one) for one in request.get("Filters", []))]}

    def _DeleteSnapshot(self, region: str, request: Data) -> Data:
        snapshot = self._snapshot(region, request["SnapshotId"])["SnapshotId"]
        for image in self.region(region).images.values():
            if any(device["Ebs"]["SnapshotId"] == snapshot for device in image["BlockDeviceMappings"]):
                raise Refusal("InvalidSnapshot.InUse", f"The snapshot {snapshot} is currently in use by {image['ImageId']}")
        del self.region(region).snapshots[snapshot]
        return {}

    def _ModifySnapshotAttribute(self, region: str, request: Data) -> Data:
        snapshot = self._snapshot(region, request["SnapshotId"])
        added = request.get("CreateVolumePermission", {}).get("Add", [])
        self.region(region).permissions.setdefault(snapshot["SnapshotId"], []).extend(added)
        return {}

    def _CreateTags(self, region: str, request: Data) -> Data | None:
        home = self.region(region)
        things = [home.images.get(item) or home.snapshots.get(item) for item in request["Resources"]]
        if not any(things):
            return None
        for item, thing in zip(request["Resources"], things, strict=True):
            if thing is None:
                raise Refusal("InvalidID", f"The ID '{item}' is not valid")
            both = {tag["Key"]: tag["Value"] for tag in (*thing.get("Tags", []), *request["Tags"])}
            thing["Tags"] = _tags(both)
        return {}

    # ── making ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _new_image(self, region: str, about: Mapping[str, Any], mappings: list[Data]) -> Data:
        number = next(self._numbers)
        image: Data = {
            "ImageId": f"ami-{number:017x}",
            "OwnerId": OWNER,
            "State": "pending" if self.pending_looks else "available",
            "CreationDate": datetime.fromtimestamp(1_767_000_000 + number, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "RootDeviceName": mappings[0]["DeviceName"],
            "RootDeviceType": "ebs",
            "BlockDeviceMappings": mappings,
            "Tags": [],
            **about,
        }
        self.region(region).images[image["ImageId"]] = image
        if self.pending_looks:
            self.region(region).pending[image["ImageId"]] = self.pending_looks
        return image

    def new_snapshot(self, region: str, size: int, description: str, tags: Sequence[Mapping[str, str]], state: str) -> Data:
        """A snapshot that another API began."""
        with self._lock:
            snapshot = self._new_snapshot(region, size, description)
            snapshot.update(Tags=list(tags), State=state)
            return snapshot

    def _new_snapshot(
        self, region: str, size: int, description: str, *, owner: str = OWNER, encrypted: bool = False, key: str = ""
    ) -> Data:
        snapshot: Data = {
            "SnapshotId": f"snap-{next(self._numbers):017x}",
            "OwnerId": owner,
            "State": "completed",
            "VolumeSize": size,
            "Description": description,
            "Encrypted": encrypted,
            "StartTime": datetime.now(UTC),
            "Tags": [],
            **({"KmsKeyId": key} if key else {}),
        }
        self.region(region).snapshots[snapshot["SnapshotId"]] = snapshot
        return snapshot

    def _check_name(self, region: str, name: str) -> None:
        for image in self.region(region).images.values():
            if image["Name"] == name and image["OwnerId"] == OWNER:
                why = f"AMI name {name} is already in use by AMI {image['ImageId']}"
                raise Refusal("InvalidAMIName.Duplicate", why)

    def _image(self, region: str, image_id: str) -> Data:
        image = self.region(region).images.get(image_id)
        if image is None:
            raise Refusal("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return image

    def _snapshot(self, region: str, snapshot_id: str) -> Data:
        snapshot = self.region(region).snapshots.get(snapshot_id)
        if snapshot is None:
            raise Refusal("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return snapshot


def _disk(name: str, snapshot: Mapping[str, Any], wanted: Mapping[str, Any] | None = None) -> Data:
    kept = ("VolumeType", "DeleteOnTermination", "Iops", "Throughput")
    extra = {key: value for key, value in (wanted or {}).items() if key in kept}
    size = (wanted or {}).get("VolumeSize", snapshot["VolumeSize"])
    ebs = {"SnapshotId": snapshot["SnapshotId"], "VolumeSize": size, "Encrypted": snapshot["Encrypted"], **extra}
    return {"DeviceName": name, "Ebs": ebs}


def _tags(tags: Mapping[str, str]) -> list[Data]:
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())]


def _specified(request: Mapping[str, Any], kinds: set[str]) -> dict[str, dict[str, str]]:
    """TagSpecifications by type of resource."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in kinds}
    for item in request.get("TagSpecifications", []):
        if item["ResourceType"] not in kinds:
            raise Refusal("InvalidParameterValue", f"'{item['ResourceType']}' is not a valid taggable resource type here.")
        found[item["ResourceType"]].update({tag["Key"]: tag["Value"] for tag in item["Tags"]})
    return found


_IMAGE_FILTERS = {
    "name": "Name",
    "state": "State",
    "image-id": "ImageId",
    "architecture": "Architecture",
    "virtualization-type": "VirtualizationType",
    "root-device-type": "RootDeviceType",
    "owner-id": "OwnerId",
}
_SNAPSHOT_FILTERS = {"snapshot-id": "SnapshotId", "status": "State", "description": "Description"}


def _image_matches(image: Data, item: Mapping[str, Any]) -> bool:
    return _matches(image, item, _IMAGE_FILTERS)


def _snapshot_matches(snapshot: Data, item: Mapping[str, Any]) -> bool:
    return _matches(snapshot, item, _SNAPSHOT_FILTERS)


def _matches(thing: Data, item: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    name = item["Name"]
    if name.startswith("tag:"):
        values = [tag["Value"] for tag in thing["Tags"] if tag["Key"] == name[4:]]
    elif name in known:
        values = [str(thing.get(known[name], ""))]
    else:
        raise Refusal("InvalidParameterValue", f"The filter '{name}' is invalid")
    return any(fnmatch.fnmatchcase(value, pattern) for value in values for pattern in item["Values"])
