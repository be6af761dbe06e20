"""Since when a blob is in its state, and the name by which a store knows whose it is."""

from __future__ import annotations

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

from goldsmith.registry.migrations.versions.r0001_first_tables import WHOLE, part, table, text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Blobs that are condemned wait from now on; every registry gets a name of its own."""
    op.add_column("blob", sa.Column("since", WHOLE, nullable=False, server_default="0"))
    op.execute("UPDATE blob SET since = touched_at")
    op.create_index("blob_state", "blob", ["state", "since"])
    table("identity", part("id"), text("name"))
    op.execute(f"INSERT INTO identity (id, name) VALUES (1, '{uuid4().hex}')")


def downgrade() -> None:
    """Older programs would delete what is condemned at once: a backup is the way back."""
    raise NotImplementedError("restore a backup of the older schema instead")
