"""Keep the real fields of a reference, and what the search for copies of them finds

Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "real_fields",
        sa.Column("archive_id", sa.Uuid(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("part IN ('training', 'held-out')", name=op.f("ck_real_fields_part")),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["references.id"], name=op.f("fk_real_fields_reference_id")
        ),
        sa.PrimaryKeyConstraint("archive_id", name=op.f("pk_real_fields")),
        sa.UniqueConstraint("reference_id", "part", name=op.f("uq_real_fields_reference_id_part")),
    )
    op.create_table(
        "copy_checks",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("copies", postgresql.JSONB(), nullable=True),
        sa.Column("held_out_copies", postgresql.JSONB(), nullable=True),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["references.id"], name=op.f("fk_copy_checks_reference_id")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_copy_checks_submission_id")
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_copy_checks")),
    )
    op.create_index(
        "ix_copy_checks_waiting",
        "copy_checks",
        ["announced_at"],
        unique=False,
        postgresql_where=sa.text("checked_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("ix_copy_checks_waiting", table_name="copy_checks")
    op.drop_table("copy_checks")
    op.drop_table("real_fields")
