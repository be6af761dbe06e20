"""The first tables: images, versions, evidence, channels, requests, retention and the log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FACTS = (
    "version",
    "closure",
    "version_disk",
    "version_layer",
    "layer_package",
    "evidence",
    "waiver",
    "policy",
    "decision",
    "assignment",
    "approval",
)
MORE_FACTS = ("revocation", "withdrawal", "inventory", "certificate", "event", "checkpoint")
"""Rows that are written once; what takes one back is a row of `withdrawal`."""


def upgrade() -> None:
    """Make every table, index and trigger."""
    images_and_versions()
    bytes_and_builds()
    evidence_and_channels()
    requests()
    revocation_and_retention()
    log_and_deliveries()
    people()
    for table in FACTS + MORE_FACTS:
        append_only(table)
    guard_storage()


def downgrade() -> None:
    """There is nothing before the first tables."""
    raise NotImplementedError("the first revision has no predecessor")


def images_and_versions() -> None:
    """Images, their versions, and who descends from whom."""
    table("image", key(), text("name", unique=True), text("labels"), whole("seq"), whole("retired_seq", null=True))
    table(
        "version",
        key(),
        whole("image", "image.id"),
        whole("number"),
        text("digest", unique=True),
        whole("parent", "version.id", null=True),
        text("manifest"),
        text("inputs_digest"),
        whole("build", null=True),
        text("builder"),
        whole("created_at"),
        whole("seq"),
        sa.UniqueConstraint("image", "number"),
    )
    op.create_index("version_parent", "version", ["parent"])
    table("closure", part("version", "version.id"), part("ancestor", "version.id"), whole("depth"))
    op.create_index("closure_ancestor", "closure", ["ancestor"])
    table("version_disk", part("version", "version.id"), text("architecture", primary_key=True), text("digest"))
    op.create_index("version_disk_digest", "version_disk", ["digest"])
    table("version_layer", part("version", "version.id"), part("position"), text("layer"))
    op.create_index("version_layer_layer", "version_layer", ["layer", "version"])
    table(
        "layer_package",
        text("layer", primary_key=True),
        text("purl_type", primary_key=True),
        text("name", primary_key=True),
        text("version", primary_key=True),
    )
    op.create_index("layer_package_name", "layer_package", ["name", "purl_type", "version"])
    table(
        "storage",
        part("version", "version.id"),
        one_of("state", "present expiring deleting deleted"),
        whole("since"),
        text("certificate", null=True),
    )


def bytes_and_builds() -> None:
    """Blobs, builds, and the artifacts that they left."""
    states = one_of("state", "live condemned sweeping gone damaged")
    table(
        "blob",
        text("digest", primary_key=True),
        whole("size"),
        states,
        whole("generation"),
        whole("touched_at"),
        whole("scrubbed_at", null=True),
    )
    table(
        "version_blob",
        part("version", "version.id"),
        sa.Column("digest", sa.Text, sa.ForeignKey("blob.digest", ondelete="RESTRICT"), primary_key=True),
        text("role"),
    )
    op.create_index("version_blob_digest", "version_blob", ["digest"])
    table(
        "build",
        key(),
        whole("image", "image.id"),
        text("inputs_digest"),
        text("plan"),
        one_of("state", "queued running succeeded failed cancelled lost"),
        whole("generation"),
        text("worker", null=True),
        whole("lease_until", null=True),
        text("job", null=True),
        text("log_blob", null=True),
        whole("version", "version.id", null=True),
    )
    table(
        "artifact",
        key(),
        whole("version", "version.id"),
        text("kind"),
        text("platform"),
        text("account"),
        text("region"),
        text("external_id"),
        text("digest"),
        whole("size"),
        text("bound_by"),
        one_of("state", "planned uploading bound published deprecated disabled gone drifted orphaned"),
        whole("checked_at", null=True),
    )
    op.create_index("artifact_version", "artifact", ["version"])
    # A path or an id may be taken again after what was there is gone; blobs of the store are shared by digest.
    present = sa.text("state <> 'gone' AND external_id <> digest")
    columns = ["platform", "account", "region", "external_id"]
    op.create_index("artifact_place", "artifact", columns, unique=True, sqlite_where=present, postgresql_where=present)


def evidence_and_channels() -> None:
    """Evidence, waivers, policies, and where each channel points and pointed."""
    table(
        "evidence",
        key(),
        whole("version", "version.id"),
        text("disk"),
        text("gate"),
        text("predicate_type"),
        text("statement_digest"),
        text("blob"),
        text("signer"),
        one_of("verdict", "pass warn fail error"),
        text("failing"),
        text("config_digest"),
        whole("issued_at"),
        whole("expires_at", null=True),
        whole("seq"),
        sa.UniqueConstraint("statement_digest", "version", "disk"),
    )
    op.create_index("evidence_newest", "evidence", ["version", "gate", "seq"])
    table(
        "waiver",
        key(),
        text("finding"),
        text("scope"),
        text("reason"),
        text("owner"),
        whole("expires_at"),
        text("statement_digest"),
        whole("seq"),
    )
    table("policy", text("digest", primary_key=True), text("doc"), whole("seq"))
    table("decision", text("digest", primary_key=True), text("doc"), whole("seq"))
    table(
        "channel",
        key(),
        whole("image", "image.id"),
        text("name"),
        whole("generation"),
        sa.Column("version", WHOLE, sa.ForeignKey("version.id", ondelete="RESTRICT"), nullable=True),
        sa.Column("policy", sa.Text, sa.ForeignKey("policy.digest"), nullable=False),
        one_of("state", "open frozen quarantined"),
        text("reason"),
        sa.UniqueConstraint("image", "name"),
    )
    op.create_index("channel_version", "channel", ["version"])
    table(
        "assignment",
        part("channel", "channel.id"),
        part("generation"),
        whole("version", "version.id", null=True),
        one_of("kind", "promote rollback revoke break_glass clear"),
        whole("request", null=True),
        text("decision_digest", null=True),
        whole("expires_at", null=True),
        text("reason"),
        whole("seq"),
    )
    op.create_index("assignment_version", "assignment", ["version"])


def requests() -> None:
    """Requests that are answered once, and the approvals that they wait for."""
    table(
        "request",
        key(),
        text("idem_key", null=True, unique=True),
        text("body_digest"),
        text("kind"),
        text("targets"),
        one_of("state", "open committed refused superseded expired cancelled"),
        text("created_by"),
        whole("expires_at", null=True),
        text("result"),
    )
    table(
        "approval",
        part("request", "request.id"),
        text("approver", primary_key=True),
        text("binds_digest"),
        text("statement_digest"),
        whole("expires_at", null=True),
        whole("seq"),
    )


def revocation_and_retention() -> None:
    """What declares versions unfit, what keeps them, and what proves that they could go."""
    table(
        "revocation",
        key(),
        whole("version", "version.id"),
        whole("effective_at"),
        text("reason"),
        text("actor"),
        one_of("channels", "rollback quarantine leave"),
        whole("seq"),
    )
    op.create_index("revocation_version", "revocation", ["version"])
    kinds = sa.Column(
        "kind", sa.Text, sa.CheckConstraint("kind IN ('revocation','inherited','waiver','approval','hold')"), primary_key=True
    )
    table("withdrawal", kinds, text("target", primary_key=True), text("actor"), text("reason"), whole("seq"))
    table(
        "pin",
        key(),
        whole("version", "version.id"),
        one_of("kind", "lease hold lockfile request"),
        text("holder"),
        whole("until", null=True),
        sa.UniqueConstraint("version", "kind", "holder"),
    )
    table(
        "inventory",
        key(),
        text("source"),
        text("account"),
        text("region"),
        whole("started"),
        whole("finished"),
        whole("complete"),
        whole("refs"),
        text("digest"),
    )
    table(
        "inventory_ref",
        part("inventory", "inventory.id"),
        text("external_id", primary_key=True),
        text("kind", primary_key=True),
        text("place", primary_key=True),
        whole("count"),
    )
    op.create_index("inventory_ref_id", "inventory_ref", ["external_id"])
    table("retention_run", key(), text("policy_digest"), text("mode"), whole("started"), whole("finished", null=True))
    stage = sa.Column("stage", WHOLE, sa.CheckConstraint("stage IN (1,2)"), nullable=False)
    table(
        "certificate",
        text("digest", primary_key=True),
        whole("run", "retention_run.id"),
        whole("version", "version.id"),
        stage,
        text("doc"),
        whole("seq"),
    )


def log_and_deliveries() -> None:
    """The hash-chained log, its head and checkpoints, and what is to be delivered outside."""
    request = text("request")
    table(
        "event",
        part("seq"),
        text("prev"),
        text("hash", unique=True),
        whole("at"),
        text("actor"),
        text("type"),
        text("body"),
        request,
    )
    op.create_index("event_type", "event", ["type", "seq"])
    table("chain_head", part("id"), whole("seq"), text("hash"), whole("at"))
    op.execute(f"INSERT INTO chain_head (id, seq, hash, at) VALUES (1, 0, '{'0' * 64}', 0)")
    table("checkpoint", part("seq"), whole("size"), text("root"), text("statement"), text("published"))
    table(
        "outbox",
        key(),
        whole("seq", "event.seq"),
        text("target"),
        text("payload"),
        one_of("state", "waiting delivered failed"),
        whole("tries"),
        whole("next_at"),
        text("last_error"),
    )
    # A program that is older than the database reads here which one wrote it.
    table("written_by", text("revision", primary_key=True), text("program"))
    table("webhook", key(), text("url"), text("secret_ref"), text("types"), one_of("state", "on off"))


def people() -> None:
    """Who may do what, for a registry behind a server."""
    table(
        "principal",
        key(),
        text("name", unique=True),
        one_of("kind", "user service"),
        text("public_key", null=True),
        whole("disabled_seq", null=True),
    )
    table(
        "binding",
        part("principal", "principal.id"),
        text("role", primary_key=True),
        text("scope", primary_key=True),
        whole("seq"),
    )
    table(
        "token",
        key(),
        whole("principal", "principal.id"),
        text("hash", unique=True),
        text("scope"),
        whole("parent", "token.id", null=True),
        whole("expires_at"),
        whole("last_used", null=True),
        whole("revoked_seq", null=True),
    )


def append_only(name: str) -> None:
    """Refuse every change and removal of the table's rows, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {name}_no_{verb.lower()} BEFORE {verb} ON {name} "
                f"BEGIN SELECT RAISE(ABORT, '{name} is append-only'); END"
            )
        return
    body = f"BEGIN RAISE EXCEPTION '{name} is append-only' USING ERRCODE = '23000'; END"
    op.execute(f"CREATE FUNCTION {name}_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    op.execute(
        f"CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {name}_is_append_only()"
    )


def guard_storage() -> None:
    """Refuse to mark or delete the bytes of a version that a channel or a live pin names."""
    used = "EXISTS (SELECT 1 FROM channel c WHERE c.version = NEW.version)"
    pins = "SELECT 1 FROM pin p WHERE p.version = NEW.version AND (p.until IS NULL OR p.until > NEW.since)"
    condition = f"{used} OR EXISTS ({pins})"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER storage_guard BEFORE UPDATE ON storage "
            f"WHEN NEW.state IN ('expiring','deleting') AND ({condition}) "
            "BEGIN SELECT RAISE(ABORT, 'a channel or a pin names this version'); END"
        )
        return
    body = (
        f"BEGIN IF NEW.state IN ('expiring','deleting') AND ({condition}) "
        "THEN RAISE EXCEPTION 'a channel or a pin names this version' USING ERRCODE = '23000'; "
        "END IF; RETURN NEW; END"
    )
    op.execute(f"CREATE FUNCTION storage_guard() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    op.execute("CREATE TRIGGER storage_guard BEFORE UPDATE ON storage FOR EACH ROW EXECUTE FUNCTION storage_guard()")


def table(name: str, *columns: SchemaItem) -> None:
    """A table; STRICT in SQLite, so that a column holds what it says."""
    op.create_table(name, *columns, sqlite_strict=True)


def key() -> sa.Column[int]:
    """A number that the database gives; never given twice, because such rows are never removed."""
    return sa.Column("id", WHOLE, sa.Identity(), primary_key=True)


def part(name: str, target: str = "") -> sa.Column[int]:
    """A whole number that belongs to the primary key."""
    return sa.Column(name, WHOLE, *([sa.ForeignKey(target)] if target else []), primary_key=True, autoincrement=False)


def whole(name: str, target: str = "", *, null: bool = False) -> sa.Column[int]:
    """A whole number; times are microseconds since 1970."""
    return sa.Column(name, WHOLE, *([sa.ForeignKey(target)] if target else []), nullable=null)


def text(name: str, *, null: bool = False, unique: bool = False, primary_key: bool = False) -> sa.Column[str]:
    """Text; documents are canonical JSON."""
    return sa.Column(name, sa.Text, nullable=null, unique=unique or None, primary_key=primary_key)


def one_of(name: str, values: str) -> sa.Column[str]:
    """Text from a closed set."""
    allowed = ",".join(f"'{value}'" for value in values.split())
    return sa.Column(name, sa.Text, sa.CheckConstraint(f"{name} IN ({allowed})"), nullable=False)
