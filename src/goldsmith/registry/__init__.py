"""The registry: versions, evidence, channels, promotion, retention and the log of it all.

SQLAlchemy is loaded when a registry is opened, not when this is imported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.rooms import opened_when_asked

if TYPE_CHECKING:
    from goldsmith.registry.blobs import BlobStore
    from goldsmith.registry.canonical import JSON, digest_of, digest_of_bytes
    from goldsmith.registry.check import CheckReport
    from goldsmith.registry.copies import Copy, CopyPlace
    from goldsmith.registry.entities import (
        Approval,
        ArtifactFile,
        ArtifactRecord,
        Assignment,
        Channel,
        Evidence,
        ImageSummary,
        KnownVulnerability,
        Labels,
        LoggedEvent,
        OnChannels,
        Package,
        Part,
        Request,
        Revocation,
        Scope,
        Target,
        VerifiedStatement,
        Version,
        VersionDetail,
        Waiver,
    )
    from goldsmith.registry.expire import Expired, Outlook
    from goldsmith.registry.impact import Impact, Struck, Use
    from goldsmith.registry.inventory.accepted import Inventory
    from goldsmith.registry.inventory.reading import Limits, Place, Reading, Reference, Source
    from goldsmith.registry.keep_rules import KeepRule, RetentionPolicy
    from goldsmith.registry.offer import Offer, offers
    from goldsmith.registry.outbox import TargetDeclaration, TargetState
    from goldsmith.registry.promote import ChannelMoved, Order, WaitsForApproval
    from goldsmith.registry.push import Pushed
    from goldsmith.registry.registry import Registry, open_registry
    from goldsmith.registry.release import Release
    from goldsmith.registry.removal import Cloud, Left
    from goldsmith.registry.replay import LogReport
    from goldsmith.registry.resolve import Resolved
    from goldsmith.registry.retention import ExpirePlan, Expiring, Kept
    from goldsmith.registry.scrub import Mender, OtherStore, ScrubReport
    from goldsmith.registry.store_urls import check_store_url, open_store
    from goldsmith.registry.targets.contract import Delivered

__all__ = [
    "JSON",
    "Approval",
    "ArtifactFile",
    "ArtifactRecord",
    "Assignment",
    "BlobStore",
    "Channel",
    "ChannelMoved",
    "CheckReport",
    "Cloud",
    "Copy",
    "CopyPlace",
    "Delivered",
    "Evidence",
    "ExpirePlan",
    "Expired",
    "Expiring",
    "ImageSummary",
    "Impact",
    "Inventory",
    "KeepRule",
    "Kept",
    "KnownVulnerability",
    "Labels",
    "Left",
    "Limits",
    "LogReport",
    "LoggedEvent",
    "Mender",
    "Offer",
    "OnChannels",
    "Order",
    "OtherStore",
    "Outlook",
    "Package",
    "Part",
    "Place",
    "Pushed",
    "Reading",
    "Reference",
    "Registry",
    "Release",
    "Request",
    "Resolved",
    "RetentionPolicy",
    "Revocation",
    "Scope",
    "ScrubReport",
    "Source",
    "Struck",
    "Target",
    "TargetDeclaration",
    "TargetState",
    "Use",
    "VerifiedStatement",
    "Version",
    "VersionDetail",
    "WaitsForApproval",
    "Waiver",
    "check_store_url",
    "digest_of",
    "digest_of_bytes",
    "offers",
    "open_registry",
    "open_store",
]


__getattr__ = opened_when_asked(
    __name__,
    {
        "blobs": "BlobStore",
        "canonical": "JSON digest_of digest_of_bytes",
        "check": "CheckReport",
        "copies": "Copy CopyPlace",
        "entities": (
            "OnChannels KnownVulnerability Target Request Approval ArtifactFile ArtifactRecord Assignment Channel "
            "Evidence ImageSummary Labels LoggedEvent Package Part Revocation Scope VerifiedStatement Version "
            "VersionDetail Waiver"
        ),
        "expire": "Expired Outlook",
        "impact": "Impact Struck Use",
        "inventory.accepted": "Inventory",
        "inventory.reading": "Limits Place Reading Reference Source",
        "keep_rules": "KeepRule RetentionPolicy",
        "offer": "Offer offers",
        "outbox": "TargetDeclaration TargetState",
        "promote": "ChannelMoved Order WaitsForApproval",
        "push": "Pushed",
        "registry": "Registry open_registry",
        "release": "Release",
        "removal": "Cloud Left",
        "replay": "LogReport",
        "resolve": "Resolved",
        "retention": "ExpirePlan Expiring Kept",
        "scrub": "Mender OtherStore ScrubReport",
        "store_urls": "check_store_url open_store",
        "targets.contract": "Delivered",
    },
)
