"""The blocks of `goldsmith.hcl`: what each may say, with defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from goldsmith.aws import AwsAccess
from goldsmith.components import REQUIRED, Duration, Period, Unevaluated, attribute

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """`image "NAME"`: a named line of versions and the template that makes them."""

    template: str = attribute(REQUIRED, "Directory or file with the templates of the image, beside the project file.")
    ports: tuple[str, ...] = attribute((), 'Sockets that the booted image listens on, such as "tcp/22".')
    services: tuple[str, ...] = attribute((), "Units that must be active after boot.")
    login: str = attribute("root", "The user that the boot gate logs in as.")
    var_files: tuple[str, ...] = attribute((), "Variable files that are always given to the template.")
    keep_last: int = attribute(0, "How many newest versions of this image are kept; 0: as the retention block says.")
    keep_for: str = attribute("", "How long a version of it is kept; empty: as the retention block says.")
    retain_at_least: int = attribute(
        0, "How many versions of it that are not revoked are kept; 0: as the retention block says."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    """`channel "NAME"`: a pointer to one version of each image, with the policy for moving it."""

    after: str = attribute("", "The channel that a version must be in, or have been in, first.")
    soak: Duration = attribute(Duration(0), "How long the version must have been there.")
    requires: tuple[str, ...] = attribute((), "Gates that must have passed.")
    max_age: Duration = attribute(Duration(0), "How old the evidence may be; 0 for any age.")
    strict: bool = attribute(False, "Whether a warning counts as unmet.")
    signers: tuple[str, ...] = attribute((), "Files of the public keys that may speak for the gates; any when empty.")
    conditions: Unevaluated | None = attribute(None, "A list of expressions that must be true of version, evidence, channel.")
    on_unfit: Literal["warn", "block", "rollback"] = attribute(
        "warn", "What follows when new evidence makes its version unfit: warn, block or rollback."
    )
    approvals: int = attribute(0, "How many people must approve.")
    approvers: tuple[str, ...] = attribute((), "Who may; all approvers of the project when empty.")
    keep: int = attribute(5, "How many earlier assignments stay available for a rollback.")
    keep_last: int = attribute(0, "How many versions are kept that came into it last.")
    keep_for: str = attribute("", "How long a version is kept after it left the channel.")
    retain_at_least: int = attribute(0, "How many versions that came into it and are not revoked are kept.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverConfig:
    """`approver "NAME"`: somebody who may approve promotions with a key of their own."""

    key: str = attribute(REQUIRED, "The file of the public key, beside the project file.")
    user: str = attribute("", "The account on the hosts that build and promote; the name when empty.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityConfig:
    """`security "NAME"`: somebody who may waive findings with a key of their own."""

    key: str = attribute(REQUIRED, "The file of the public key, beside the project file.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionConfig:
    """`retention`: which versions may be deleted; one that any rule keeps is kept."""

    enabled: bool = attribute(True, "False: nothing is ever deleted.")
    keep_last: int = attribute(5, "How many newest versions of each image are kept.")
    keep_for: str = attribute("90d", "How long a version is kept; a number with s, m, h or d.")
    retain_at_least: int = attribute(0, "How many versions of each image that are not revoked are kept, however old.")
    grace: str = attribute("7d", "The time between marking a version and deleting it.")
    disabled: str = attribute("24h", "The time between disabling a copy in a cloud and deregistering it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsUse(AwsAccess):
    """`aws` in `inventory`: one account, in some regions."""

    regions: tuple[str, ...] = attribute((), "All regions that have machines; empty: that of the access.")
    account: str = attribute("", "The account that must answer.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LibvirtUse:
    """`libvirt` in `inventory`: hosts, or definitions of their machines."""

    uris: tuple[str, ...] = attribute((), "Hosts as virsh names them: qemu:///system, qemu+ssh://HOST/system.")
    files: tuple[str, ...] = attribute((), "Names and patterns of domain XML, from the project's directory.")


@dataclass(frozen=True, slots=True, kw_only=True)
class TerraformUse:
    """`terraform` in `inventory`: states."""

    states: tuple[str, ...] = attribute(REQUIRED, "Names and patterns from the project's directory, https://… and s3://….")
    aws: AwsAccess = attribute(AwsAccess(), "How buckets are reached.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedUse:
    """`feed` in `inventory`: a JSON document of any tool."""

    from_: str = attribute(REQUIRED, "A name from the project's directory, https://… or s3://….")
    aws: AwsAccess = attribute(AwsAccess(), "How buckets are reached.")


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryConfig:
    """`inventory "NAME"`: where images are in use; nothing is deleted unless every one of them can be trusted."""

    max_age: Period = attribute(Period(3600), "How old it may be.")
    minimum: int = attribute(1, "The least number of uses; 0 only for a place that may really be empty.")
    at_least: float = attribute(0.7, "How large it must be beside the one before it.")
    aws: AwsUse | None = attribute(None, "An account.", one_of="kind")
    libvirt: LibvirtUse | None = attribute(None, "Hosts.", one_of="kind")
    terraform: TerraformUse | None = attribute(None, "States.", one_of="kind")
    feed: FeedUse | None = attribute(None, "A document.", one_of="kind")


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningConfig:
    """`signing`: the key that signs evidence."""

    key: str = attribute("keys/goldsmith.key", "Private key file; made at first use. The public key stands beside it as .pub.")
    passphrase_env: str = attribute("", "The environment variable that holds the key's passphrase.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConfig:
    """`store`: where bytes are kept."""

    url: str = attribute(
        "file://.goldsmith/store", "file://PATH, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX."
    )
    disks: str = attribute(
        "keep", "keep: disks are stored; remake: their layers are, and disks are made from them when asked for."
    )
    mirrors: tuple[str, ...] = attribute((), "Stores that every registered version is copied to.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryConfig:
    """`registry`: where records are kept, and where signed states of their log are put."""

    url: str = attribute(REQUIRED, "sqlite:///PATH or postgresql://USER@HOST/DATABASE.")
    checkpoints: str = attribute(
        "", "A directory, best where the database's owner cannot write; .goldsmith/checkpoints when empty."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """`cache`: how large the step cache may grow."""

    limit: str = attribute("20GB", "A number with MB or GB.")


HEARD = ("promotion.committed", "promotion.broke_glass", "rollback.committed", "revocation", "channel")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookConfig:
    """`webhook "NAME"`: a web server that hears of changes."""

    url: str = attribute(REQUIRED, "Where events are posted to: an https address.")
    secret_env: str = attribute(
        REQUIRED, "The environment variable with the secret, whsec_ and base64, that they are signed with."
    )
    types: tuple[str, ...] = attribute(HEARD, "Types of events, or their beginnings, as goldsmith audit log shows them.")
    allow_http: bool = attribute(False, "Whether an http address will do.")
    allow_private: bool = attribute(False, "Whether the address may be inside of a network, as 10.0.0.0/8 or 127.0.0.1 is.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowerConfig(AwsAccess):
    """What the blocks of targets that follow a channel share; `region` is required, and says which AMI is meant."""

    image: str = attribute(REQUIRED, "The image.")
    channel: str = attribute(REQUIRED, "The channel of the image that is followed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SsmParameterConfig(FollowerConfig):
    """`ssm_parameter "NAME"`: a parameter of AWS Systems Manager that holds the AMI of a channel."""

    name: str = attribute(REQUIRED, "The parameter's name: /goldsmith/web/prod/ami.")
    data_type: str = attribute("aws:ec2:image", "aws:ec2:image, which AWS validates, or text.")
    move_labels: bool = attribute(False, "Whether labels on the oldest of 100 versions, which block writing, go to the newest.")


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchTemplateConfig(FollowerConfig):
    """`launch_template "NAME"`: an EC2 launch template whose default version starts the AMI of a channel."""

    template: str = attribute(REQUIRED, "Its id, lt-…, or its name.")
