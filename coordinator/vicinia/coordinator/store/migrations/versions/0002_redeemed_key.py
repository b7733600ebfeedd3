"""Which channel key redeemed an invitation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "invitation", sa.Column("redeemed_key", sa.LargeBinary(), nullable=False, server_default=sa.text("''"))
    )
