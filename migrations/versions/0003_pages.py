"""Keep what the pages show: previews, sessions, hidden submissions, snapshots of the board

Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission_statistics", sa.Column("preview", sa.LargeBinary(), nullable=True))
    op.add_column("references", sa.Column("training_preview", sa.LargeBinary(), nullable=True))
    op.add_column(
        "submissions",
        sa.Column("hidden", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column("tokens", sa.Column("session_of", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("fk_tokens_session_of"), "tokens", "tokens", ["session_of"], ["id"])
    op.create_index(op.f("ix_tokens_session_of"), "tokens", ["session_of"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_snapshots")),
    )


def downgrade() -> None:
    op.drop_table("snapshots")
    op.execute("DELETE FROM tokens WHERE session_of IS NOT NULL")
    op.drop_index(op.f("ix_tokens_session_of"), table_name="tokens")
    op.drop_constraint(op.f("fk_tokens_session_of"), "tokens", type_="foreignkey")
    op.drop_column("tokens", "session_of")
    op.drop_column("submissions", "hidden")
    op.drop_column("references", "training_preview")
    op.drop_column("submission_statistics", "preview")
