"""What approvals and decisions are signed with, and who owns a revocation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsmith.registry.migrations.versions.r0001_first_tables import append_only, table, text, whole

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of signed decisions, and columns that older rows leave empty."""
    table(
        "summary",
        sa.Column("decision", sa.Text, sa.ForeignKey("decision.digest"), primary_key=True),
        text("statement_digest"),
        text("signer"),
        text("bundle"),
        text("bundle_digest"),
        whole("seq"),
    )
    append_only("summary")
    for name, column in (("approval", "key"), ("approval", "bundle"), ("approval", "bundle_digest"), ("revocation", "owner")):
        op.add_column(name, sa.Column(column, sa.Text, nullable=False, server_default=""))
    op.create_index("request_body", "request", ["body_digest"])
    op.create_index("assignment_decision", "assignment", ["decision_digest"])


def downgrade() -> None:
    """Older programs would not see what approvals were signed with: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
