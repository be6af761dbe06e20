"""What waivers are signed with, and how a checkpoint is continued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns that older rows leave empty: waivers were never granted before."""
    for table, column in (("waiver", "signer"), ("waiver", "bundle"), ("waiver", "bundle_digest"), ("checkpoint", "frontier")):
        op.add_column(table, sa.Column(column, sa.Text, nullable=False, server_default=""))
    op.create_index("waiver_finding", "waiver", ["finding"])


def downgrade() -> None:
    """Older programs would not count waivers: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
