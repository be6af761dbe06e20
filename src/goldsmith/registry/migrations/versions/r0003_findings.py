"""Which known vulnerabilities a piece of evidence tells of, for questions of impact."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from goldsmith.registry.migrations.versions.r0001_first_tables import append_only, part, table, text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; evidence from before is not in it until the versions are scanned again."""
    columns = [text(name, primary_key=True) for name in ("vulnerability", "package", "layer")]
    table("finding", part("evidence", "evidence.id"), *columns, sa.Column("purl", sa.Text, nullable=False))
    op.create_index("finding_vulnerability", "finding", ["vulnerability", "evidence"])
    append_only("finding")


def downgrade() -> None:
    """Older programs do not write it: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
