"""Copies in other places with what belongs to them, and which cloud an inventory sees; no deletion without a certificate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsmith.registry.migrations.versions.r0001_first_tables import WHOLE

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that older rows leave empty, indexes for questions of use, and a guard."""
    # A reference would make SQLite copy the whole table: artifacts are never removed, so nothing can be left dangling.
    op.add_column("artifact", sa.Column("part_of", WHOLE, nullable=True))
    op.add_column("artifact", sa.Column("since", WHOLE, nullable=False, server_default="0"))
    op.add_column("inventory", sa.Column("platform", sa.Text, nullable=False, server_default=""))
    op.create_index("artifact_external", "artifact", ["external_id"])
    op.create_index("artifact_digest", "artifact", ["digest"])
    op.create_index("inventory_place", "inventory", ["source", "platform", "account", "region", "id"])
    demand_certificates()


def demand_certificates() -> None:
    """Refuse to mark or delete the bytes of a version without the certificate of that stage."""
    certified = """EXISTS (SELECT 1 FROM certificate c WHERE c.digest = NEW.certificate AND c.version = NEW.version
        AND c.stage = CASE NEW.state WHEN 'expiring' THEN 1 ELSE 2 END)"""
    condition = f"NEW.state IN ('expiring','deleting') AND NOT {certified}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER storage_certified BEFORE UPDATE ON storage WHEN {condition} "
            "BEGIN SELECT RAISE(ABORT, 'no certificate allows this'); END"
        )
        return
    refusal = "RAISE EXCEPTION 'no certificate allows this' USING ERRCODE = '23000'"
    body = f"BEGIN IF {condition} THEN {refusal}; END IF; RETURN NEW; END"
    op.execute(f"CREATE FUNCTION storage_certified() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    op.execute("CREATE TRIGGER storage_certified BEFORE UPDATE ON storage FOR EACH ROW EXECUTE FUNCTION storage_certified()")


def downgrade() -> None:
    """Older programs would delete by rules that they do not know: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
