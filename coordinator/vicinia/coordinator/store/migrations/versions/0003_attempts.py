"""Several attempts at one run, and who began a statement that waits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("run", sa.Column("attempt", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.drop_index("run_job", "run")
    op.create_index("run_job", "run", ["job_hash", "number", "attempt"], unique=True)
    op.add_column("tray", sa.Column("begun_by", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_index("tray_begun_by", "tray", ["begun_by"], unique=False)
