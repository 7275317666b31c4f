"""Create participants, references, submissions and scores

Revises: nothing
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "participants",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("is_host", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("is_baseline", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participants")),
        sa.UniqueConstraint("name", name=op.f("uq_participants_name")),
    )
    op.create_table(
        "references",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("content_hash", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("scorer_version", sa.String(), nullable=False),
        sa.Column("floor", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("real_cubes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("held_out", sa.LargeBinary(), nullable=False),
        sa.Column("training", sa.LargeBinary(), nullable=False),
        sa.Column("is_current", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_references")),
        sa.UniqueConstraint("track", "content_hash", name=op.f("uq_references_track_content_hash")),
    )
    op.create_index(
        "uq_references_current_track",
        "references",
        ["track"],
        unique=True,
        postgresql_where=sa.text("is_current"),
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("track", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("parameters", sa.String(), nullable=True),
        sa.Column("training_compute", sa.String(), nullable=True),
        sa.Column("extra_data", sa.String(), nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(state = 'running') = (lease_expires_at IS NOT NULL)",
            name=op.f("ck_submissions_lease"),
        ),
        sa.CheckConstraint(
            "state <> 'failed' OR reason IS NOT NULL", name=op.f("ck_submissions_reason")
        ),
        sa.CheckConstraint(
            "state IN ('uploading', 'queued', 'running', 'scored', 'failed', 'cancelled')",
            name=op.f("ck_submissions_state"),
        ),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name=op.f("fk_submissions_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submissions")),
        sa.UniqueConstraint(
            "participant_id",
            "idempotency_key",
            name=op.f("uq_submissions_participant_id_idempotency_key"),
        ),
    )
    op.create_index(
        "ix_submissions_created_at_id", "submissions", ["created_at", "id"], unique=False
    )
    op.create_index(
        "ix_submissions_participant_id_track_created_at",
        "submissions",
        ["participant_id", "track", "created_at"],
        unique=False,
    )
    op.create_index(
        "ix_submissions_waiting",
        "submissions",
        ["queued_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.create_index(
        "uq_submissions_live_archive",
        "submissions",
        ["participant_id", "track", "sha256"],
        unique=True,
        postgresql_where=sa.text("state NOT IN ('failed', 'cancelled')"),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("participant_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["participant_id"], ["participants.id"], name=op.f("fk_tokens_participant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("sha256", name=op.f("uq_tokens_sha256")),
    )
    op.create_index(op.f("ix_tokens_participant_id"), "tokens", ["participant_id"], unique=False)
    op.create_table(
        "scores",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("reference_id", sa.Integer(), nullable=False),
        sa.Column("scorer_version", sa.String(), nullable=False),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("overall", sa.Double(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["reference_id"], ["references.id"], name=op.f("fk_scores_reference_id")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_scores_submission_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_scores")),
        sa.UniqueConstraint(
            "submission_id",
            "reference_id",
            "scorer_version",
            name=op.f("uq_scores_submission_id_reference_id_scorer_version"),
        ),
    )
    op.create_index(
        "ix_scores_reference_id_overall", "scores", ["reference_id", "overall"], unique=False
    )
    op.create_table(
        "submission_statistics",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("scorer_version", sa.String(), nullable=False),
        sa.Column("statistics", sa.LargeBinary(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submissions.id"],
            name=op.f("fk_submission_statistics_submission_id"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_submission_statistics")),
    )


def downgrade() -> None:
    op.drop_table("submission_statistics")
    op.drop_index("ix_scores_reference_id_overall", table_name="scores")
    op.drop_table("scores")
    op.drop_index(op.f("ix_tokens_participant_id"), table_name="tokens")
    op.drop_table("tokens")
    op.drop_index(
        "uq_submissions_live_archive",
        table_name="submissions",
        postgresql_where=sa.text("state NOT IN ('failed', 'cancelled')"),
    )
    op.drop_index(
        "ix_submissions_waiting",
        table_name="submissions",
        postgresql_where=sa.text("state IN ('queued', 'running')"),
    )
    op.drop_index("ix_submissions_participant_id_track_created_at", table_name="submissions")
    op.drop_index("ix_submissions_created_at_id", table_name="submissions")
    op.drop_table("submissions")
    op.drop_index(
        "uq_references_current_track",
        table_name="references",
        postgresql_where=sa.text("is_current"),
    )
    op.drop_table("references")
    op.drop_table("participants")
