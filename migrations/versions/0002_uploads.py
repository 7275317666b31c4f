"""Let an archive arrive piece by piece, its SHA-256 not known before the end

Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.alter_column("submissions", "sha256", existing_type=sa.String(), nullable=True)
    op.create_check_constraint(
        op.f("ck_submissions_sha256"),
        "submissions",
        "sha256 IS NOT NULL OR state IN ('uploading', 'failed', 'cancelled')",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("ck_submissions_sha256"), "submissions", type_="check")
    op.execute("DELETE FROM submissions WHERE sha256 IS NULL")
    op.alter_column("submissions", "sha256", existing_type=sa.String(), nullable=False)
