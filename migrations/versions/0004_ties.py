"""Keep leave-out distances beside each score, and how each score compares with the leader's

Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scores", sa.Column("leave_out", postgresql.JSONB(), nullable=True))
    op.create_table(
        "comparisons",
        sa.Column("leader_id", sa.BigInteger(), nullable=False),
        sa.Column("other_id", sa.BigInteger(), nullable=False),
        sa.Column("p", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leader_id"], ["scores.id"], name=op.f("fk_comparisons_leader_id")
        ),
        sa.ForeignKeyConstraint(["other_id"], ["scores.id"], name=op.f("fk_comparisons_other_id")),
        sa.PrimaryKeyConstraint("leader_id", "other_id", name=op.f("pk_comparisons")),
    )


def downgrade() -> None:
    op.drop_table("comparisons")
    op.drop_column("scores", "leave_out")
