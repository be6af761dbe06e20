"""Who is told of changes: targets outside, and how far each delivery has come."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsmith.registry.migrations.versions.r0001_first_tables import WHOLE, one_of, table, text, whole

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of targets in place of one that was never used, and when a delivery was seen to have arrived."""
    op.drop_table("webhook")
    table(
        "target",
        text("name", primary_key=True),
        one_of("kind", "webhook ssm_parameter launch_template"),
        text("image"),
        text("channel"),
        text("types"),
        one_of("state", "on off"),
        whole("seq"),
    )
    op.add_column("outbox", sa.Column("converged_at", WHOLE, nullable=True))
    op.create_index("outbox_target", "outbox", ["target", "state", "id"])


def downgrade() -> None:
    """Older programs would tell nobody: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
