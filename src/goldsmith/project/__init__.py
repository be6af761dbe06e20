"""`goldsmith.hcl` and the pipeline that joins build, gates and registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from goldsmith.rooms import opened_when_asked

if TYPE_CHECKING:
    from goldsmith.project.approval import approve, sign_decisions
    from goldsmith.project.audit import admit_restored, check_checkpoints, checkpoint_if_due, make_checkpoint
    from goldsmith.project.certify import Certificate
    from goldsmith.project.deliveries import check_targets, declare_targets, deliver, what_moves
    from goldsmith.project.exporting import export
    from goldsmith.project.fleet import ImageOutcome, build_fleet, build_template, explain_fleet
    from goldsmith.project.locking import lock_images
    from goldsmith.project.offline import offline_bundle
    from goldsmith.project.pending import all_pending
    from goldsmith.project.project import Project, gate_faults, load_project, project_for, seconds, size_bytes, templates_meant
    from goldsmith.project.receiving import receive
    from goldsmith.project.records import actor, check_names, declare_channels, open_registry
    from goldsmith.project.registration import finish
    from goldsmith.project.retention import clouds, expiry_policy, read_inventories
    from goldsmith.project.scrubbing import scrub_store
    from goldsmith.project.sending import all_sendings, send, sending_of
    from goldsmith.project.session import Request, Session
    from goldsmith.project.state import advisories_directory, cache_directory, is_fleet, state_directory
    from goldsmith.project.verdicts import gate_verdicts, public_key_here, reasons_of
    from goldsmith.project.waiver import waive

__all__ = [
    "Certificate",
    "ImageOutcome",
    "Project",
    "Request",
    "Session",
    "actor",
    "admit_restored",
    "advisories_directory",
    "all_pending",
    "all_sendings",
    "approve",
    "build_fleet",
    "build_template",
    "cache_directory",
    "check_checkpoints",
    "check_names",
    "check_targets",
    "checkpoint_if_due",
    "clouds",
    "declare_channels",
    "declare_targets",
    "deliver",
    "expiry_policy",
    "explain_fleet",
    "export",
    "finish",
    "gate_faults",
    "gate_verdicts",
    "is_fleet",
    "load_project",
    "lock_images",
    "make_checkpoint",
    "offline_bundle",
    "open_registry",
    "project_for",
    "public_key_here",
    "read_inventories",
    "reasons_of",
    "receive",
    "scrub_store",
    "seconds",
    "send",
    "sending_of",
    "sign_decisions",
    "size_bytes",
    "state_directory",
    "templates_meant",
    "waive",
    "what_moves",
]

__getattr__ = opened_when_asked(
    __name__,
    {
        "approval": "approve sign_decisions",
        "audit": "admit_restored check_checkpoints checkpoint_if_due make_checkpoint",
        "certify": "Certificate",
        "deliveries": "check_targets declare_targets deliver what_moves",
        "exporting": "export",
        "fleet": "ImageOutcome build_fleet build_template explain_fleet",
        "locking": "lock_images",
        "offline": "offline_bundle",
        "pending": "all_pending",
        "project": "Project gate_faults load_project project_for seconds size_bytes templates_meant",
        "receiving": "receive",
        "records": "actor check_names declare_channels open_registry",
        "registration": "finish",
        "retention": "clouds expiry_policy read_inventories",
        "scrubbing": "scrub_store",
        "sending": "all_sendings send sending_of",
        "session": "Request Session",
        "state": "advisories_directory cache_directory is_fleet state_directory",
        "verdicts": "gate_verdicts public_key_here reasons_of",
        "waiver": "waive",
    },
)
