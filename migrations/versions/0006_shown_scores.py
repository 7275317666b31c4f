"""Indices that hold all that tells whether a leaderboard has changed.

Revision ID: 0006
Revises: 0005
"""

from alembic import op
from sqlalchemy import text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_submissions_shown",
        "submissions",
        ["id"],
        postgresql_where=text("state = 'scored' AND NOT hidden"),
    )
    op.create_index(
        "ix_scores_reference_id_submission_id_id", "scores", ["reference_id", "submission_id", "id"]
    )


def downgrade() -> None:
    op.drop_index("ix_scores_reference_id_submission_id_id", "scores")
    op.drop_index("ix_submissions_shown", "submissions")
