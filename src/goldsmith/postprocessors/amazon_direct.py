"""Post-processor `amazon-direct`: a sealed disk becomes an AMI through the EBS direct API, with no instance."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, cast

from goldsmith.amazon.account import Account, wait_for
from goldsmith.amazon.api import Snapshot, tag_list
from goldsmith.amazon.artifact import ami_artifact
from goldsmith.amazon.checks import image_faults
from goldsmith.amazon.ebs import Ebs
from goldsmith.amazon.holding import Holdings
from goldsmith.amazon.image_settings import ImageSettings
from goldsmith.amazon.imaging import Imaging, Words
from goldsmith.amazon.raw_blocks import RawBlocks, raw_blocks
from goldsmith.amazon.release import RUN_TAG, Thing
from goldsmith.amazon.snapshot_blocks import BlockRecords, SnapshotBlocks, merged
from goldsmith.amazon.source_image import check_name_is_free, check_regions, deregister_old
from goldsmith.amazon.tagging import Tags
from goldsmith.aws import AwsAccess, Filter, access_faults
from goldsmith.components import Artifact, Context, PostProcessor, Processed, attribute, not_one_of
from goldsmith.events import Progress
from goldsmith.hcl.diagnostics import Diagnostic, MachineError, UserError
from goldsmith.images.formats import to_raw
from goldsmith.images.identity import disk_digest
from goldsmith.scripts import say

COMPONENT = "amazon-direct"
IMAGE_TAG = "goldsmith:image"
DISK_TAG = "goldsmith:disk"
BOUND_TAG = "goldsmith:bound-by"
_GIB = 1 << 30
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}
_BOOT_MODES = ("uefi-preferred", "uefi", "legacy-bios")


@dataclass(frozen=True, slots=True, kw_only=True)
class AmazonDirectConfig(AwsAccess, ImageSettings):
    """Attributes of a `post-processor "amazon-direct"` block; those of the AMI are Packer's of `amazon-ebs`."""

    architecture: str = attribute("", "x86_64 or arm64; the disk's when nothing is said.")
    boot_mode: str = attribute("", "uefi-preferred, uefi or legacy-bios; what the architecture can do when nothing is said.")
    root_device_name: str = attribute("/dev/xvda", "The name of the disk.")
    tpm_support: str = attribute("", '"v2.0" for a TPM.')
    volume_size: int = attribute(0, "GiB; the size of the disk when nothing is said.")
    volume_type: str = attribute("gp3", "The type of volumes of it.")
    parent_snapshot: str = attribute(
        "", 'The snapshot to write differences to; "none" for none, else the newest of this image.'
    )
    verify: bool = attribute(True, "Whether all blocks are read back before the AMI is made.")


class AmazonDirect(PostProcessor[AmazonDirectConfig]):
    """Writes the blocks that differ from the parent's snapshot, reads them back, and registers an AMI. The disk is kept."""

    Config: ClassVar[type[AmazonDirectConfig]] = AmazonDirectConfig

    def check(self, config: AmazonDirectConfig, context: Context) -> None:
        """Examine the settings."""
        if faults := [*access_faults(config), *image_faults(config), *_own_faults(config)]:
            raise UserError(*faults)

    def process(self, config: AmazonDirectConfig, artifact: Artifact, context: Context) -> Processed:
        """Make the AMI. Raises `UserError` and `MachineError`; nothing is left in AWS then, and the disk stays."""
        self.check(config, context)
        if context.force:
            config = replace(config, force_deregister=True)
        with _raw_disk(artifact, context) as path, raw_blocks(path) as disk:
            digest = artifact.image.disk_digest if artifact.image else disk_digest(path, cancellation=context.cancellation)
            made = _Publishing(config, context, artifact, disk, digest).run()
        return Processed(artifact=made, keep_input=True)


class _Publishing:
    """One disk on its way to AMIs."""

    def __init__(self, config: AmazonDirectConfig, context: Context, artifact: Artifact, disk: RawBlocks, digest: str) -> None:
        self.config = config
        self.context = context
        self.artifact = artifact
        self.disk = disk
        self.digest = digest
        self.account = Account(config)
        self.held = Holdings(self.account, context)
        self.records = BlockRecords(context.cache / "ebs")
        self.blocks = SnapshotBlocks(self.account, context.cancellation, self._progress)
        self.doing = ""

    def run(self) -> Artifact:
        config, account, context = self.config, self.account, self.context
        regions = ["", *dict.fromkeys(config.ami_regions)]
        check_regions(config, account)
        if not config.force_deregister:
            check_name_is_free(config.ami_name, regions, account)
        words = self._words()
        parent, known = self._parent()
        with ExitStack() as results:
            snapshot = self._begin(parent, results)
            self.doing = f"writing {snapshot}"
            written = self.blocks.write(snapshot, self.disk, known)
            self._say(f"Wrote {len(written)} blocks of 512 KiB to {snapshot}")
            self._wait_until_complete(snapshot)
            self._bind(snapshot)
            if config.force_deregister:
                deregister_old(config.ami_name, regions, config, account, context)
            imaging = Imaging(config, words, account, context, self.held, results)
            amis = imaging.of_snapshot(snapshot, self._registration(snapshot))
        self.records.keep(snapshot, merged(known, written))
        bound = "full" if config.verify else "declared"
        return ami_artifact(amis, account, {"DiskDigest": self.digest, "BoundBy": bound}, self.artifact.image)

    def _words(self) -> Words:
        config = self.config
        tags = Tags(self.context, {}, self.account.region)
        bound = {DISK_TAG: self.digest, BOUND_TAG: "full" if config.verify else "declared", IMAGE_TAG: self._line}
        return Words(
            description=tags.text("ami_description", config.ami_description),
            run_tags={},
            tags={**tags.of("tags", config.tags, config.tag), **bound},
            snapshot_tags=tags.of("snapshot_tags", config.snapshot_tags, config.snapshot_tag),
        )

    @property
    def _line(self) -> str:
        return self.context.image or self.context.name

    @property
    def _size_gib(self) -> int:
        return max(self.config.volume_size, -(-self.disk.size // _GIB))

    def _parent(self) -> tuple[str, dict[int, bytes]]:
        """The snapshot that differences are written to, and the digests of its blocks; empty for none."""
        named = self.config.parent_snapshot
        if named == "none":
            return "", {}
        if named:
            known = self.records.find(named)
            if known is None:
                self._say(f"Reading {named}, because another host wrote it")
                self.doing = f"reading {named}"
                known = self.blocks.digests(named)
            return named, known
        with self.account.telling("Looking for earlier snapshots"):
            filters = [Filter(Name=f"tag:{IMAGE_TAG}", Values=[self._line]), Filter(Name="status", Values=["completed"])]
            found = self.account.ec2().describe_snapshots(OwnerIds=["self"], Filters=filters)["Snapshots"]
        # The newest first. A tag is only a hint: what is in a snapshot is known by the digests of its blocks.
        for snapshot in sorted(found, key=lambda item: (item["StartTime"], item["SnapshotId"]), reverse=True):
            known = self.records.find(snapshot["SnapshotId"]) if self._may_be_parent(snapshot) else None
            if known is not None:
                return snapshot["SnapshotId"], known
        return "", {}

    def _may_be_parent(self, snapshot: Snapshot) -> bool:
        """A snapshot passes its encryption on, and is no larger than what is made of it."""
        wanted = self.config.encrypt_boot is True
        key = self.config.kms_key_id
        same_key = not key or snapshot.get("KmsKeyId", "").endswith(key)
        return snapshot.get("Encrypted", False) == wanted and same_key and snapshot["VolumeSize"] <= self._size_gib

    def _begin(self, parent: str, results: ExitStack) -> str:
        token = str(uuid.uuid4())
        said = "Deleting the snapshot because of cancellation, or error..."
        results.enter_context(self.held.hold(Thing(kind="snapshot", name=token), said=said, is_result=True))
        tags = {RUN_TAG: token, IMAGE_TAG: self._line, DISK_TAG: self.digest}
        request: dict[str, object] = {
            "VolumeSize": self._size_gib,
            "ClientToken": token,
            "Description": f"{self._line} {self.digest[:19]}",
            "Tags": tag_list(tags),
            "Timeout": 60,
        }
        if parent:
            request["ParentSnapshotId"] = parent
        elif self.config.encrypt_boot:
            request["Encrypted"] = True
            if self.config.kms_key_id:
                request["KmsKeyArn"] = self.config.kms_key_id
        with self.account.telling("Starting the snapshot"):
            snapshot = cast("Ebs", self.account.service("ebs", 1)).start_snapshot(**request)["SnapshotId"]
        self._say(f"Started {snapshot}" + (f" on {parent}" if parent else ""))
        return snapshot

    def _wait_until_complete(self, snapshot_id: str) -> None:
        def complete() -> bool | None:
            with self.account.telling(f"Querying the snapshot {snapshot_id}"):
                found = self.account.ec2().describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"]
            for snapshot in found:
                if snapshot["State"] == "error":
                    raise MachineError(
                        Diagnostic(
                            code="amazon.snapshot-failed",
                            what=f"the snapshot {snapshot_id} could not be made",
                            why=snapshot.get("StateMessage", "") or "EC2 gives no reason",
                            next="The reason tells what to change: a key of KMS, or a limit.",
                        )
                    )
                if snapshot["State"] == "completed":
                    return True
            return None

        wait_for(complete, f"snapshot {snapshot_id}", self.account.slow, self.context.cancellation)

    def _bind(self, snapshot_id: str) -> None:
        """Read the snapshot back: what it holds must be the disk that was sealed."""
        if not self.config.verify:
            return
        self.doing = f"reading {snapshot_id} back"
        found = self.blocks.disk_digest(snapshot_id, self.disk.size)
        if found != self.digest:
            raise MachineError(
                Diagnostic(
                    code="amazon.not-the-disk",
                    what=f"the snapshot {snapshot_id} does not hold the disk that was sealed",
                    why=f"its digest is {found}, the disk's is {self.digest}",
                    next="Build again; nothing of this try is left in AWS.",
                )
            )
        self._say(f"{snapshot_id} holds {self.digest}")

    def _registration(self, snapshot_id: str) -> dict[str, object]:
        """What `register_image` takes besides the name and the tags."""
        config = self.config
        image = self.artifact.image
        architecture = config.architecture or _ARCHITECTURES[image.architecture if image else "amd64"]
        root = {"SnapshotId": snapshot_id, "VolumeSize": self._size_gib, "VolumeType": config.volume_type}
        others = [device.request() for device in config.ami_block_device_mappings]
        request: dict[str, object] = {
            "Architecture": architecture,
            "BootMode": config.boot_mode or ("uefi" if architecture == "arm64" else "uefi-preferred"),
            "EnaSupport": config.ena_support is not False,
            "SriovNetSupport": "simple" if config.sriov_support else "",
            "ImdsSupport": config.imds_support,
            "TpmSupport": config.tpm_support,
            "RootDeviceName": config.root_device_name,
            "VirtualizationType": "hvm",
            "BlockDeviceMappings": [
                {"DeviceName": config.root_device_name, "Ebs": {**root, "DeleteOnTermination": True}},
                *others,
            ],
        }
        return {name: value for name, value in request.items() if value != ""}

    def _progress(self, done: int, total: int) -> None:
        self.context.emit(Progress(build=self.context.build, what=self.doing, done=min(done, total), total=total))

    def _say(self, text: str) -> None:
        say(self.context, text, COMPONENT)


@contextmanager
def _raw_disk(artifact: Artifact, context: Context) -> Iterator[Path]:
    """The raw disk of an artifact, made of another format when there is none."""
    files: Mapping[str, Path]
    if artifact.image is not None:
        files = artifact.image.files
    else:
        files = {path.suffix[1:]: context.cwd / path for path in artifact.files if path.suffix in (".raw", ".qcow2")}
    if "raw" in files:
        yield files["raw"]
        return
    if "qcow2" not in files:
        raise UserError(
            Diagnostic(
                code="amazon.no-disk",
                what="there is no disk to make an AMI of",
                why=f"the artifact is: {artifact.text}",
                next="Put amazon-direct behind a source that makes a disk, and not behind a post-processor that packs it.",
            )
        )
    raw = context.work / f"{uuid.uuid4()}.raw"
    with context.journal.take("file", str(raw)):
        to_raw(files["qcow2"], "qcow2", raw, context.cancellation)
        yield raw


def _own_faults(config: AmazonDirectConfig) -> Iterator[Diagnostic]:
    if config.boot_mode and config.boot_mode not in _BOOT_MODES:
        yield not_one_of("boot_mode", config.boot_mode, _BOOT_MODES)
    if config.architecture and config.architecture not in _ARCHITECTURES.values():
        yield not_one_of("architecture", config.architecture, tuple(_ARCHITECTURES.values()))
    for name in ("skip_create_ami", "skip_save_build_region"):
        if getattr(config, name):
            yield Diagnostic(
                code="amazon.settings",
                what=f'"{name}" means nothing to {COMPONENT}',
                why="it makes an AMI in the region that it writes to",
                next="Remove it.",
            )
