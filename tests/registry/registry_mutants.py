"""Registries that are wrong in one way each: a check that none of them fails is no check."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from goldsmith.registry import (
    accepted,
    channels,
    expire,
    fitness,
    postgresql,
    promote,
    records,
    requests,
    retention,
    revoke,
    rollback,
    sqlite,
    sweeping,
    trust,
    versions,
    waivers,
)
from goldsmith.registry.blobs import Blob, BlobStore
from goldsmith.registry.canonical import JSON
from goldsmith.registry.chain import Head
from goldsmith.registry.channels import Pointer
from goldsmith.registry.db import Database
from goldsmith.registry.entities import ArtifactFile, Evidence, Request, Version, Waiver
from goldsmith.registry.fitness import Facts, Unmet
from goldsmith.registry.inventory import guards
from goldsmith.registry.keep_rules import RetentionPolicy
from goldsmith.registry.policy import Policy
from goldsmith.registry.registry import Registry
from goldsmith.registry.sweeping import Standing
from goldsmith.registry.transaction import Reader, Transaction

Newest = Mapping[str, Mapping[str, Evidence | None]]
Mutate = Callable[[pytest.MonkeyPatch], None]


def _policy_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(promote, "decide", lambda policy, facts: ())


def _facts_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    """The decision rests on what was read before the writer's lock was held."""
    gather, right = promote.gather, Registry.promote

    def wrong(self: Registry, image: str, channel: str, reference: str, **options: object) -> object:
        with self.database.read() as reader:
            pointer, version = channels.pointer(reader, image, channel), versions.find(reader, reference)
            stale = gather(reader, pointer, version, again=True)
        time.sleep(0.004)
        patch.setattr(promote, "gather", lambda reader, pointer, version, again=False: replace(stale, at=reader.now))
        try:
            return right(self, image, channel, reference, **options)  # type: ignore[arg-type]  # as the caller gave them
        finally:
            patch.setattr(promote, "gather", gather)

    patch.setattr(Registry, "promote", wrong)


def _generation_ignored(patch: pytest.MonkeyPatch) -> None:
    right = Registry.promote

    def wrong(self: Registry, image: str, channel: str, reference: str, **options: object) -> object:
        return right(self, image, channel, reference, **{**options, "if_generation": None})  # type: ignore[arg-type]

    patch.setattr(Registry, "promote", wrong)


def _ancestors_ignored(patch: pytest.MonkeyPatch) -> None:
    def own_only(reader: Reader, version: int) -> str:
        return "revoked" if trust.standing_revocations(reader, version, reader.now) else ""

    for module in (versions, revoke):
        patch.setattr(module, "why_revoked", own_only)


def _descendants_left_behind(patch: pytest.MonkeyPatch) -> None:
    """A revocation moves the channels of the version itself, and leaves those of what was built on it."""
    patch.setattr(revoke, "with_descendants", lambda tx, version: (version,))


def _older_pass_wins(patch: pytest.MonkeyPatch) -> None:
    newest = accepted.newest_evidence

    def any_pass(reader: Reader, version: int) -> Newest:
        passed = {item.gate: item for item in accepted.evidence_of(reader, version) if item.verdict == "pass"}
        found = newest(reader, version)
        return {gate: {disk: passed.get(gate, item) for disk, item in by_disk.items()} for gate, by_disk in found.items()}

    patch.setattr(promote, "newest_evidence", any_pass)


def _expired_evidence_counts(patch: pytest.MonkeyPatch) -> None:
    newest = accepted.newest_evidence

    def eternal(reader: Reader, version: int) -> Newest:
        found = newest(reader, version)
        return {
            gate: {disk: item and replace(item, expires_at=None) for disk, item in by_disk.items()}
            for gate, by_disk in found.items()
        }

    patch.setattr(promote, "newest_evidence", eternal)


def _expired_waiver_counts(patch: pytest.MonkeyPatch) -> None:
    def eternal(reader: Reader, findings: Sequence[str]) -> tuple[Waiver, ...]:
        return tuple(item for item in waivers.standing(reader) if item.finding in findings)

    patch.setattr(waivers, "live", eternal)


def _withdrawn_waiver_counts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(waivers, "_STANDING", "1 = 1")


def _key_ignored(patch: pytest.MonkeyPatch) -> None:
    """A call that is repeated under its key is carried out again."""
    patch.setattr(requests, "answer_of", lambda reader, key, body: None)
    patch.setattr(requests, "remember_answer", lambda tx, key, body, result: None)


def _no_writers_lock(patch: pytest.MonkeyPatch) -> None:
    right = sqlite._engine
    patch.setattr(sqlite, "_engine", lambda path, begin, pragmas: right(path, "BEGIN", pragmas))
    patch.setattr(postgresql, "_lock_first", lambda engine: None)


def _last_hash_selected(patch: pytest.MonkeyPatch) -> None:
    """The chain goes on from whatever event is the newest, and nobody holds its head meanwhile."""
    _no_writers_lock(patch)
    right = Transaction.event

    def loose(self: Transaction, type: str, data: Mapping[str, JSON], request: str = "") -> int:
        row = self.first("SELECT seq, hash, at FROM event ORDER BY seq DESC LIMIT 1")
        if row is not None:
            self._head = Head(row.whole("seq"), row.text("hash"), row.whole("at"))
        return right(self, type, data, request)

    patch.setattr(Transaction, "event", loose)


def _rollback_without_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rollback, "_why_not", lambda reader, pointer, version: "")


def _check_then_delete(patch: pytest.MonkeyPatch) -> None:
    """Retention carries out a plan that it made before it held the writer's lock."""
    plan, right = retention.make_plan, Registry.expire

    def wrong(self: Registry, policy: RetentionPolicy, **options: object) -> object:
        with self.database.read() as reader:
            stale = retention.make_plan(reader, policy)
        time.sleep(0.004)
        patch.setattr(expire, "make_plan", lambda tx, policy, image, inventories: stale)
        try:
            return right(self, policy, **options)  # type: ignore[arg-type]  # as the caller gave them
        finally:
            patch.setattr(expire, "make_plan", plan)

    patch.setattr(Registry, "expire", wrong)


def _living_children_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(retention, "KEPT", -1)
    patch.setattr(retention, "LEAVING", -1)
    patch.setattr(expire, "_has_living_descendant", lambda tx, item: False)


def _size_guard_off(patch: pytest.MonkeyPatch) -> None:
    """An inventory that was cut short passes for one of a fleet that has shrunk."""
    patch.setattr(guards, "_of_size", lambda reading, earlier: ())


def _event_after_commit(patch: pytest.MonkeyPatch) -> None:
    right = Transaction.event

    def late(self: Transaction, type: str, data: Mapping[str, JSON], request: str = "") -> int:
        self.connection.commit()
        return right(self, type, data, request)

    patch.setattr(Transaction, "event", late)


def _row_before_blob(patch: pytest.MonkeyPatch) -> None:
    """A version is recorded before its bytes are in the store."""
    right = records.register

    def early(database: object, store: BlobStore, registration: records.Registration, actor: str) -> Version:
        sources: list[ArtifactFile] = []

        def promised(store: BlobStore, item: ArtifactFile, digest: str, standing: Standing | None) -> Blob:
            sources.append(item)
            return Blob(digest, item.path.stat().st_size)

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(records, "_stored", promised)
            version = right(database, store, registration, actor)  # type: ignore[arg-type]  # as the caller gave it
        for item in sources:
            store.put(item.path)
        return version

    patch.setattr(records, "register", early)


def _unlink_before_commit(patch: pytest.MonkeyPatch) -> None:
    right, sweep = sweeping.collect, sweeping.sweep

    def wrong(database: Database, store: BlobStore, actor: str, **options: int) -> sweeping.Collected:
        def at_once(tx: Transaction, before: int) -> tuple[str, ...]:
            digests = sweep(tx, before)
            for digest in digests:
                store.bury(digest)
            return digests

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(sweeping, "sweep", at_once)
            return right(database, store, actor, **options)

    patch.setattr(expire, "collect", wrong)


def sweeping_rescued(patch: pytest.MonkeyPatch) -> None:
    """Bytes that are just being deleted, or were since they were seen, count as stored."""
    patch.setattr(sweeping, "_may_be_lost", lambda now, before: False)


def _clock_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    """What PostgreSQL's now() does: the time of the transaction's first breath, before it waited for others."""
    gather = promote.gather

    def early(reader: Reader, pointer: Pointer, version: Version, *, again: bool = False) -> Facts:
        facts = gather(reader, pointer, version, again=again)
        return replace(facts, at=facts.at - 1_000_000)

    patch.setattr(promote, "gather", early)


def _approvals_outlive_a_move(patch: pytest.MonkeyPatch) -> None:
    """A request serves for the same version whatever has become of the channel meanwhile."""

    def any_of(reader: Reader, targets: Sequence[Mapping[str, JSON]]) -> Request | None:
        wanted = {(item["image"], item["channel"], item["version"]) for item in targets}
        rows = reader.rows("SELECT id FROM request WHERE kind = 'promotion' ORDER BY id")
        found = [requests.show(reader, row.whole("id")) for row in rows]
        fit = [
            item
            for item in found
            if {(target["image"], target["channel"], target["version"]) for target in item.targets} == wanted
        ]
        return max(fit, key=lambda item: len(item.approvals), default=None)

    patch.setattr(requests, "standing", any_of)
    patch.setattr(requests, "close", lambda tx, request, result: None)


def _one_approval_is_enough(patch: pytest.MonkeyPatch) -> None:
    right = fitness._of_approvals

    def lenient(policy: Policy, facts: Facts) -> list[Unmet]:
        return [] if facts.approvals else right(policy, facts)

    patch.setattr(fitness, "_of_approvals", lenient)


def _glass_breaks_everything(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(promote, "NEVER_BROKEN", ())


_MOVES = ("promote", "prove_anew")
_REVOCATIONS = ("promote", "revoke", "restore")
_WAIVERS = ("promote", "prove_anew", "waive", "withdraw_waiver")
_RETENTION = ("promote", "build", "expire", "pin")

RACING: Mapping[str, tuple[Mutate, Sequence[str]]] = {
    "policy ignored": (_policy_ignored, _MOVES),
    "facts read before the writer's lock": (_facts_before_the_lock, (*_MOVES, "revoke", "restore")),
    "clock read before the writer's lock": (_clock_before_the_lock, _MOVES),
    "demanded generation ignored": (_generation_ignored, ("promote_what_was_seen",)),
    "revoked ancestors ignored": (_ancestors_ignored, _REVOCATIONS),
    "channels of descendants left behind": (_descendants_left_behind, _REVOCATIONS),
    "an older pass wins": (_older_pass_wins, _MOVES),
    "expired evidence counts": (_expired_evidence_counts, _MOVES),
    "an expired waiver counts": (_expired_waiver_counts, _WAIVERS),
    "a withdrawn waiver counts": (_withdrawn_waiver_counts, _WAIVERS),
    "the key of a call ignored": (_key_ignored, ("promote", "promote_twice")),
    "no writer's lock": (_no_writers_lock, (*_MOVES, "revoke", "restore")),
    "the last hash selected": (_last_hash_selected, (*_MOVES, "revoke", "restore")),
    "rollback to anything": (_rollback_without_check, (*_REVOCATIONS, "roll_back")),
    "approvals outlive a move": (_approvals_outlive_a_move, ("ask", "approve")),
    "one approval is enough": (_one_approval_is_enough, ("ask", "approve")),
    "broken glass passes by a revocation": (_glass_breaks_everything, ("break_glass", "revoke", "restore")),
    "check, then delete": (_check_then_delete, _RETENTION),
    "living children ignored": (_living_children_ignored, _RETENTION),
    "inventory size guard off": (_size_guard_off, _RETENTION),
}
"""Seen by racing processes that do these acts."""

DYING: Mapping[str, tuple[Mutate, str]] = {
    "event after the commit": (_event_after_commit, "promote"),
    "row before the bytes": (_row_before_blob, "register"),
    "bytes gone before the commit": (_unlink_before_commit, "expire"),
}
"""Seen only when this act dies at the wrong moment."""
