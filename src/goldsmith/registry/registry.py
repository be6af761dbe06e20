"""The registry of a project: one database and one blob store, opened together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from goldsmith.evidence.bundle import SignedStatement
from goldsmith.evidence.statement import Statement
from goldsmith.hcl.diagnostics import Diagnostic
from goldsmith.registry import (
    channels,
    checkpoints,
    copies,
    intake,
    living,
    outbox,
    overview,
    pins,
    records,
    requests,
    revoke,
    rollback,
    summary,
    versions,
    waivers,
)
from goldsmith.registry import labels as labelling
from goldsmith.registry import promote as promotion
from goldsmith.registry import resolve as resolution
from goldsmith.registry.blobs import BlobStore
from goldsmith.registry.canonical import JSON
from goldsmith.registry.copies import Copy, CopyPlace, Key
from goldsmith.registry.db import Database
from goldsmith.registry.engine_urls import engine_of
from goldsmith.registry.entities import (
    Approval,
    ArtifactFile,
    ArtifactRecord,
    Assignment,
    Channel,
    Evidence,
    ImageSummary,
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
from goldsmith.registry.local_store import LocalStore
from goldsmith.registry.ownership import claim
from goldsmith.registry.store_urls import open_store
from goldsmith.registry.transaction import Clock
from goldsmith.registry.transfer import Progress, copy_blob, quiet

if TYPE_CHECKING:
    from goldsmith.registry import check, expire, impact, push, replay, retention, scrub
    from goldsmith.registry import release as releases
    from goldsmith.registry.inventory import accepted
    from goldsmith.registry.inventory.reading import Reading
    from goldsmith.registry.keep_rules import RetentionPolicy
    from goldsmith.registry.offer import Offer
    from goldsmith.registry.targets.contract import Delivered, Destination


def open_registry(url: str, store: Path | str, *, clock: Clock | None = None, migrate: bool = False) -> Registry:
    """Open the registry at `sqlite:///PATH` or `postgresql://…` with the blob store at `store`; an empty one is made.

    `store` is a directory, or a URL that `open_store` takes.

    Opening an up-to-date database compares one number. `clock` stands in for the database's (microseconds since 1970).
    Raises `UserError` for another kind of URL, for a database that a newer program wrote, and for one of an older schema
    on a server unless `migrate` asks for the change.
    """
    blobs = LocalStore(store) if isinstance(store, Path) else open_store(store)
    return Registry(Database(engine_of(url), clock, migrate=migrate), blobs)


class Registry:
    """Remembers versions, what is proven about them, and where channels point; it alone moves channels and frees bytes.

    Each changing method is one change: kept as a whole with its event in the log, or not at all. `actor` is who acts.
    A `reference` is `web`, `web:41`, `web@prod` or `sha256:…`; one that names nothing raises `UserError` with near names.
    Methods may be called from several threads and processes at once.
    """

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self.database = database
        self.blobs = blobs

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ── versions and evidence ─────────────────────────────────────────────────────────────────────────────────────────

    def register(
        self,
        image: str,
        document: Mapping[str, JSON],
        *,
        artifacts: Sequence[ArtifactFile],
        packages: Mapping[str, Sequence[Package]],
        builder: str,
        actor: str,
        parts: Sequence[ArtifactFile] = (),
        remade: Sequence[Part] = (),
    ) -> Version:
        """Store the artifacts and other parts, then record the version: see `records.register`."""
        registration = records.Registration(
            image=image, document=document, artifacts=artifacts, packages=packages, builder=builder, parts=parts, remade=remade
        )
        return records.register(self.database, self.blobs, registration, actor)

    def label(self, version: Version, labels: Labels, actor: str) -> None:
        """Say what a version is called and labelled: see `labels.label`."""
        labelling.label(self.database, version, labels, actor)

    def attest(self, version: Version, statement: VerifiedStatement, bundle: bytes, actor: str) -> Evidence:
        """Accept evidence whose signature the caller has verified: see `intake.attest`."""
        return intake.attest(self.database, self.blobs, version, statement, bundle, actor)

    def images(self) -> tuple[ImageSummary, ...]:
        """Every image at a glance, by name."""
        with self.database.read() as reader:
            return overview.images(reader)

    def versions(self, image: str) -> tuple[Version, ...]:
        """All versions of an image, the newest first; deleted ones too."""
        with self.database.read() as reader:
            return versions.of_image(reader, image)

    def show(self, reference: str) -> VersionDetail:
        """Everything about a version, fit or not."""
        with self.database.read() as reader:
            return overview.show(reader, reference)

    def resolve(self, reference: str) -> Version:
        """The version to use. Raises `Refused` for a channel that is empty or whose version is revoked."""
        with self.database.read() as reader:
            return resolution.resolve_version(reader, reference)

    def resolve_channel(self, image: str, channel: str) -> resolution.Resolved:
        """What a channel points at now, with its artifacts: see `resolve.resolve`."""
        with self.database.read() as reader:
            return resolution.resolve(reader, image, channel)

    def resolve_channel_at(
        self, image: str, channel: str, *, time: int | None = None, event: int | None = None
    ) -> resolution.Resolved:
        """What a channel pointed at, at a time (microseconds since 1970) or after an event: see `resolve.resolve_at`."""
        with self.database.read() as reader:
            return resolution.resolve_at(reader, image, channel, time=time, event=event)

    def resolve_move(self, move: Assignment) -> resolution.Resolved:
        """What a channel points at after a move, which may be one that was only tried."""
        with self.database.read() as reader:
            return resolution.resolve_move(reader, move)

    def with_artifact(self, artifact: str) -> tuple[tuple[Version, ArtifactRecord], ...]:
        """The versions that have an artifact of this id or digest: see `resolve.holding`."""
        with self.database.read() as reader:
            return resolution.holding(reader, artifact)

    def scope(self, text: str) -> Scope:
        """Where a waiver is to count: `*`, `web`, `web@prod`, `web:41` or a digest. Raises `UserError`."""
        with self.database.read() as reader:
            return waivers.scope_of(reader, text)

    def waive(self, waiver: Waiver, *, actor: str) -> Waiver:
        """Record a waiver whose signature the caller has verified: see `waivers.grant`."""
        with self.database.write(actor) as tx:
            return waivers.grant(tx, waiver)

    def withdraw_waiver(self, waiver: int, reason: str, *, actor: str) -> Waiver:
        """Take a waiver back; channels that rest on it are held to their policies anew: see `living.hold_waived`."""
        with self.database.write(actor) as tx:
            withdrawn = waivers.withdraw(tx, waiver, reason)
            living.hold_waived(tx, withdrawn)
            return withdrawn

    def waivers(self) -> tuple[Waiver, ...]:
        """The waivers that nobody withdrew, the oldest first; those whose time is over too."""
        with self.database.read() as reader:
            return waivers.standing(reader)

    # ── channels ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def declare_channel(self, image: str, name: str, policy: Mapping[str, JSON], actor: str) -> Channel:
        """Make a channel or give it another policy; it does not move."""
        with self.database.write(actor) as tx:
            return channels.declare(tx, image, name, policy)

    def channels(self, image: str) -> tuple[Channel, ...]:
        """The channels of an image, by name."""
        with self.database.read() as reader:
            return channels.of_image(reader, image)

    def history(self, image: str, channel: str) -> tuple[Assignment, ...]:
        """Every move of a channel, the newest first."""
        with self.database.read() as reader:
            return channels.history(reader, image, channel)

    def promote(
        self,
        image: str,
        channel: str,
        reference: str,
        *,
        if_generation: int | None = None,
        reason: str = "",
        again: bool = False,
        dry_run: bool = False,
        actor: str,
    ) -> Assignment:
        """Move one channel: see `promote_all`."""
        target = Target(image=image, channel=channel, reference=reference, if_generation=if_generation)
        order = promotion.Order(reason=reason, again=again)
        return self.promote_all([target], order, dry_run=dry_run, actor=actor)[0]

    def promote_all(
        self, targets: Sequence[Target], order: promotion.Order, *, dry_run: bool = False, actor: str
    ) -> tuple[Assignment, ...]:
        """Move channels to versions, all or none, if every policy is met now: see `promote.promote`. A refusal is an event."""
        with self.database.write(actor, dry_run=dry_run) as tx:
            assignments = promotion.promote(tx, targets, order)
        return tuple(replace(item, moved=item.moved and not dry_run) for item in assignments)

    def assigned(self, image: str, channel: str, *, time: int | None = None, event: int | None = None) -> Assignment:
        """Where a channel pointed at a time (microseconds since 1970) or after an event. Raises `Refused` when nowhere."""
        with self.database.read() as reader:
            return channels.assigned(reader, image, channel, time, event)

    def demands(self, image: str, channel: str) -> int:
        """How many things the policy of a channel asks for."""
        with self.database.read() as reader:
            return channels.pointer(reader, image, channel).policy.demands

    def request(self, request: int) -> Request:
        """A promotion that waits, or waited, for approvals."""
        with self.database.read() as reader:
            return requests.show(reader, request)

    def requests(self) -> tuple[Request, ...]:
        """The promotions that wait for approvals."""
        with self.database.read() as reader:
            return requests.waiting(reader)

    def approve(self, request: int, approval: Approval, *, actor: str) -> Request:
        """Record an approval whose signature the caller has verified: see `requests.approve`."""
        with self.database.write(actor) as tx:
            return requests.approve(tx, request, approval)

    def freeze(self, image: str, channel: str, reason: str, *, actor: str) -> Channel:
        """Let only rollbacks and revocations move a channel."""
        with self.database.write(actor) as tx:
            return channels.freeze(tx, image, channel, reason)

    def thaw(self, image: str, channel: str, reason: str = "", *, actor: str) -> Channel:
        """Open a frozen or quarantined channel again."""
        with self.database.write(actor) as tx:
            return channels.thaw(tx, image, channel, reason)

    def overdue(self, image: str, channel: str) -> str:
        """Why a channel whose glass was broken should long be mended, or an empty string."""
        with self.database.read() as reader:
            return promotion.overdue(reader, image, channel)

    def unsigned(self) -> tuple[str, ...]:
        """The decisions that moved a channel and have no signed summary yet."""
        with self.database.read() as reader:
            return summary.unsigned(reader)

    def summary_of(self, decision: str) -> Statement:
        """What is to be signed about a decision: see `summary.statement_of`."""
        with self.database.read() as reader:
            return summary.statement_of(reader, decision)

    def bundle_of_decision(self, decision: str) -> str | None:
        """The signed summary of a decision; None while it is pending."""
        with self.database.read() as reader:
            return summary.bundle_of(reader, decision)

    def record_summary(self, decision: str, signed: SignedStatement, *, actor: str) -> None:
        """Keep the signed summary of a decision."""
        with self.database.write(actor) as tx:
            summary.record(tx, decision, signed)

    def released(self, reference: str) -> releases.Release:
        """All that proves where a channel points, of one state of the log: see `release.release`."""
        from goldsmith.registry import release as releases

        with self.database.read() as reader:
            return releases.release(reader, *releases.channel_of(reader, reference))

    def unmet(self, image: str, channel: str) -> tuple[Diagnostic, ...]:
        """What the version that a channel holds lacks of the channel's policy now; nothing for an empty channel."""
        with self.database.read() as reader:
            return promotion.unmet_now(reader, image, channel)

    def hold_channels(self, *, actor: str) -> int:
        """Do what policies say of versions that time has made unfit: see `living.hold`. Gives how many channels those were."""
        with self.database.read() as reader:
            unfit = living.unfit(reader)
        for channel in unfit:
            with self.database.write(actor) as tx:
                living.hold(tx, channels.pointer_by_id(tx, channel))
        return len(unfit)

    def undo(self, request: int, *, reason: str = "", dry_run: bool = False, actor: str) -> tuple[Assignment, ...]:
        """Take back a promotion as a whole: see `rollback.undo`."""
        with self.database.write(actor, dry_run=dry_run) as tx:
            assignments = rollback.undo(tx, request, reason=reason)
        return tuple(replace(item, moved=not dry_run) for item in assignments)

    def empty(self, image: str, channel: str, reason: str, *, dry_run: bool = False, actor: str) -> Assignment:
        """Take a channel off its version without giving it another: see `rollback.empty`."""
        with self.database.write(actor, dry_run=dry_run) as tx:
            return rollback.empty(tx, image, channel, reason=reason)

    def rollback(
        self,
        image: str,
        channel: str,
        *,
        to: str | None = None,
        reason: str = "",
        freeze: bool = False,
        dry_run: bool = False,
        actor: str,
    ) -> Assignment:
        """Move a channel back to its newest earlier version that is still fit: see `rollback.rollback`.

        With `freeze` it is held there in the same change; that needs a reason.
        """
        with self.database.write(actor, dry_run=dry_run) as tx:
            assignment = rollback.rollback(tx, image, channel, to=to, reason=reason)
            if freeze:
                channels.freeze(tx, image, channel, reason)
        return replace(assignment, moved=not dry_run)

    # ── revocation ────────────────────────────────────────────────────────────────────────────────────────────────────

    def revoke(
        self,
        reference: str,
        reason: str,
        *,
        owner: str = "",
        effective_at: int | None = None,
        channels: OnChannels = "rollback",
        dry_run: bool = False,
        actor: str,
    ) -> Revocation:
        """Declare a version and all its descendants unfit and take channels off them: see `revoke.revoke`."""
        with self.database.write(actor, dry_run=dry_run) as tx:
            return revoke.revoke(tx, reference, reason, owner=owner, effective_at=effective_at, on_channels=channels)

    def carry_out_revocations(self, *, dry_run: bool = False, actor: str) -> tuple[Revocation, ...]:
        """Take channels off what scheduled revocations have made unfit meanwhile: see `revoke.carry_out`."""
        with self.database.write(actor, dry_run=dry_run) as tx:
            return revoke.carry_out(tx)

    def impact(self, query: str) -> impact.Impact:
        """What a vulnerability, a package or a version reaches: see `impact.impact`."""
        from goldsmith.registry import impact

        with self.database.read() as reader:
            return impact.impact(reader, query)

    def withdraw(self, reference: str, reason: str, *, actor: str) -> Version:
        """Take back the revocations of a version; channels stay where they are."""
        with self.database.write(actor) as tx:
            return revoke.withdraw(tx, reference, reason)

    def exempt(self, reference: str, reason: str, *, actor: str) -> Version:
        """Free one descendant from the revocations of its ancestors."""
        with self.database.write(actor) as tx:
            return revoke.exempt(tx, reference, reason)

    # ── retention ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def pin(self, reference: str, kind: pins.PinKind, holder: str, until: int | None = None, *, actor: str) -> Version:
        """Keep a version from being deleted, until a time (microseconds since 1970) or until it is released."""
        with self.database.write(actor) as tx:
            return pins.pin(tx, reference, kind, holder, until)

    def release(self, reference: str, kind: pins.PinKind, holder: str, *, actor: str) -> Version:
        """Take a pin away."""
        with self.database.write(actor) as tx:
            return pins.release(tx, reference, kind, holder)

    def expire_plan(
        self, policy: RetentionPolicy, *, readings: Sequence[Reading] | None = None, image: str | None = None, actor: str = ""
    ) -> retention.ExpirePlan:
        """What `expire` would do now, and what keeps the rest. Changes nothing.

        With readings, which are None for who does not want to look, it goes the same way as `expire` and refuses as it does.
        """
        from goldsmith.registry import retention
        from goldsmith.registry.inventory import accepted

        if readings is None:
            with self.database.read() as reader:
                return retention.measured(reader, self.blobs, retention.make_plan(reader, policy, image))
        with self.database.write(actor, dry_run=True) as tx:
            plan = retention.make_plan(tx, policy, image, accepted.accept(tx, readings))
        with self.database.read() as reader:
            return retention.measured(reader, self.blobs, plan)

    def expire(
        self,
        policy: RetentionPolicy,
        *,
        outlook: expire.Outlook | None = None,
        image: str | None = None,
        actor: str,
    ) -> expire.Expired:
        """Mark what nothing keeps, and delete what was marked a grace period ago: see `expire.expire`."""
        from goldsmith.registry import expire

        return expire.expire(self.database, self.blobs, policy, outlook or expire.Outlook(), image, actor)

    def record_inventories(
        self, readings: Sequence[Reading], *, forget: Sequence[str] = (), actor: str
    ) -> tuple[accepted.Inventory, ...]:
        """Note which images are in use. Raises `Refused` when one of the readings may not be trusted.

        `forget` names sources: those of their places that are not read here are looked at no more.
        """
        from goldsmith.registry.inventory import accepted

        with self.database.write(actor) as tx:
            found = accepted.accept(tx, readings, is_all=False)
            for source in forget:
                accepted.forget(tx, source, readings)
            return found

    def inventories(self) -> tuple[accepted.Inventory, ...]:
        """The newest inventory of each place."""
        from goldsmith.registry.inventory import accepted

        with self.database.read() as reader:
            return accepted.newest(reader)

    def add_copy(self, reference: str, place: CopyPlace, *, actor: str) -> Copy:
        """Note where a version has a copy outside of the store: see `copies.add`."""
        with self.database.write(actor) as tx:
            return copies.add(tx, reference, place)

    def lose_copy(self, reference: str, external_id: str, *, actor: str) -> Copy:
        """Note that a copy was deleted by other means."""
        with self.database.write(actor) as tx:
            return copies.lost(tx, reference, external_id)

    def copies(self, reference: str) -> tuple[Copy, ...]:
        """The copies of a version that are not gone."""
        with self.database.read() as reader:
            return copies.of_version(reader, versions.find(reader, reference).id)

    def copied_ids(self) -> Mapping[Key, Sequence[str]]:
        """The ids of all copies that are not gone, by platform, account and region."""
        with self.database.read() as reader:
            return copies.known_ids(reader)

    # ── deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────

    def declare_targets(self, targets: Sequence[outbox.TargetDeclaration], actor: str) -> None:
        """Say who is to be told of changes, in place of who was: see `outbox.declare`."""
        with self.database.read() as reader:
            if outbox.declared(reader) == tuple(targets):
                return
        with self.database.write(actor) as tx:
            outbox.declare(tx, targets)

    def targets(self) -> tuple[outbox.TargetState, ...]:
        """How each target stands."""
        with self.database.read() as reader:
            return outbox.states(reader)

    def deliver(self, targets: Mapping[str, Destination], actor: str) -> Iterator[Delivered]:
        """Try everything that is due: see `deliver.deliver`."""
        from goldsmith.registry import deliver

        return deliver.deliver(self.database, targets, actor)

    def drifted(self, targets: Mapping[str, Destination], actor: str) -> Iterator[Delivered]:
        """Have what holds something else than its channel delivered again: see `deliver.drifted`."""
        from goldsmith.registry import deliver

        return deliver.drifted(self.database, targets, actor)

    def retry_deliveries(self, actor: str) -> None:
        """Have everything that waits, or was given up, tried now."""
        with self.database.write(actor) as tx:
            outbox.retry(tx)

    # ── the store ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def scrub(
        self, *, menders: Sequence[scrub.Mender] = (), due_only: bool = False, progress: Progress = quiet, actor: str
    ) -> scrub.ScrubReport:
        """Read every blob again, and fetch what was spoilt from the places that are given: see `scrub.scrub`."""
        from goldsmith.registry import scrub

        return scrub.scrub(self.database, self.blobs, actor, menders=menders, due_only=due_only, progress=progress)

    def with_blob(self, digest: str) -> tuple[VersionDetail, ...]:
        """The versions that a blob belongs to, and that are not deleted."""
        with self.database.read() as reader:
            return overview.with_blob(reader, digest)

    def push(self, reference: str, target: BlobStore, progress: Callable[[Part], Progress] = lambda part: quiet) -> push.Pushed:
        """Copy a version and what it was built on to another store: see `push.push`."""
        from goldsmith.registry import push

        return push.push(self.database, self.blobs, target, reference, progress)

    def fetch(self, offer: Offer, source: BlobStore, progress: Callable[[Part], Progress] = lambda part: quiet) -> None:
        """Bring the blobs of a version that another store offers into this one's; `register` comes next."""
        claim(self.database, self.blobs)
        for part in offer.parts:
            copy_blob(source, self.blobs, part.digest, disk=offer.disk if part.role == "raw" else "", progress=progress(part))

    def write_index(self, *, actor: str) -> int:
        """Rebuild `index.json` of the store, for other tools; gives the number of versions in it."""
        from goldsmith.registry import push

        claim(self.database, self.blobs)
        describe = partial(records.describe, self.database, self.blobs, actor=actor)
        return push.write_index(self.database, self.blobs, describe)

    def note_model_call(self, call: Mapping[str, JSON], *, actor: str) -> int:
        """Write down that a model was asked, by whom, for what and what it took. Gives the event's number."""
        with self.database.write(actor) as tx:
            return tx.event("model.called", call)

    # ── the database itself ───────────────────────────────────────────────────────────────────────────────────────────

    def back_up(self, target: Path) -> int:
        """Write one state of the database to a new file; gives the number of its events: see `backup.back_up`."""
        from goldsmith.registry import backup

        return backup.back_up(self.database, target)

    def restore(self, source: Path) -> replay.LogReport:
        """Fill this empty registry from a backup: see `backup.restore`."""
        from goldsmith.registry import backup

        return backup.restore(source, self.database)

    def check(self, *, deep: bool = False) -> check.CheckReport:
        """Look for damage in the database, its log, its tables and its blobs; `deep` reads all bytes."""
        from goldsmith.registry import check

        return check.check(self.database, self.blobs, deep=deep)

    # ── audit ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def events(self, after: int = 0, limit: int = 1000) -> tuple[LoggedEvent, ...]:
        """Entries of the log after a number, the oldest first."""
        with self.database.read() as reader:
            return overview.events(reader, after, limit)

    def verify_chain(self) -> replay.LogReport:
        """Check the whole log and hold every table against it."""
        from goldsmith.registry import replay

        with self.database.read() as reader:
            return replay.verify(reader)

    def checkpoint(self) -> checkpoints.Checkpoint:
        """The log as it is, to be signed."""
        with self.database.read() as reader:
            return checkpoints.checkpoint(reader)

    def checkpoint_is_due(self) -> bool:
        """Whether the log should be signed again: see `checkpoints.is_due`."""
        with self.database.read() as reader:
            return checkpoints.is_due(reader)

    def published_checkpoints(self) -> tuple[checkpoints.Published, ...]:
        """Every checkpoint that the log tells of, the oldest first."""
        with self.database.read() as reader:
            return checkpoints.published(reader)

    def admitted_roots(self) -> frozenset[str]:
        """The roots of checkpoints that this log does not have, as somebody said on purpose."""
        with self.database.read() as reader:
            return checkpoints.admitted(reader)

    def hash_at(self, size: int) -> str:
        """The hash of an event by its number; empty when there is none."""
        with self.database.read() as reader:
            return checkpoints.hash_at(reader, size)

    def suspend(self, why: Diagnostic) -> None:
        """Refuse every change through this object from now on, until `admit`."""
        self.database.suspended = why

    def admit(self, roots: Collection[str], reason: str, *, actor: str) -> None:
        """Go on without what these checkpoints were signed over: see `checkpoints.admit`."""
        suspended, self.database.suspended = self.database.suspended, None
        try:
            with self.database.write(actor) as tx:
                checkpoints.admit(tx, roots, reason)
        except BaseException:
            self.database.suspended = suspended
            raise

    def roots(self, sizes: Collection[int]) -> Mapping[int, str]:
        """The Merkle root of the log at each size that it had."""
        with self.database.read() as reader:
            return checkpoints.roots(reader, sizes)

    def record_checkpoint(self, made: checkpoints.Checkpoint, bundle: bytes, published: str, *, actor: str) -> None:
        """Note a checkpoint that was signed and put outside."""
        with self.database.write(actor) as tx:
            checkpoints.record(tx, made, bundle, published)
