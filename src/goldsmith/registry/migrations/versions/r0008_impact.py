"""Indexes for questions of impact on very many versions."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Which versions a gate has spoken of, which are in a state, and where a layer is on top of others."""
    op.create_index("evidence_gate", "evidence", ["gate", "version"])
    op.create_index("version_layer_position", "version_layer", ["layer", "position"])
    op.create_index("storage_state", "storage", ["state", "version"])


def downgrade() -> None:
    """Older programs would do without, but a schema never goes back: a backup is the way."""
    raise NotImplementedError("restore a backup of the older schema instead")
