"""The tables."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

STATES = ("uploading", "queued", "running", "scored", "failed", "cancelled")
"""Every state of a submission, in the order of its life."""


PARTS = ("training", "held-out")
"""The two halves of a reference."""


class Base(DeclarativeBase):
    """Base of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(none_as_null=True),
    }


class Participant(Base):
    """A person or group that submits, or the host."""

    __tablename__ = "participants"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    is_host: Mapped[bool] = mapped_column(server_default=text("false"))
    is_baseline: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Token(Base):
    """A bearer token, known only by its SHA-256.

    One that is the `session_of` another is what a browser holds after signing in with that one: it
    ends when that one does, and no other client can use it. One that is `read_only` changes
    nothing: it is for monitors.
    """

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participants.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    read_only: Mapped[bool] = mapped_column(server_default=text("false"))
    session_of: Mapped[int | None] = mapped_column(ForeignKey("tokens.id"), index=True)

    participant: Mapped[Participant] = relationship(lazy="joined")


class Reference(Base):
    """One version of a track's held-out real fields, as statistics; never rewritten.

    `held_out` and `training` are `SetStatistics` in bytes. `real_cubes` is the report of the
    training set scored against the held-out set: the board's "real cubes" row, and
    `training_preview` what the pages show of its fields. `provenance` tells the seeds or names of
    the held-out cubes: it and `held_out` raise when they are read, but for those who ask
    `board.references` for them.
    """

    __tablename__ = "references"
    __table_args__ = (
        UniqueConstraint("track", "content_hash"),
        Index(
            "uq_references_current_track",
            "track",
            unique=True,
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    track: Mapped[str]
    content_hash: Mapped[str]
    label: Mapped[str]
    provenance: Mapped[dict[str, Any]] = mapped_column(deferred=True, deferred_raiseload=True)
    scorer_version: Mapped[str]
    floor: Mapped[dict[str, Any]]
    real_cubes: Mapped[dict[str, Any]]
    held_out: Mapped[bytes] = mapped_column(deferred=True, deferred_raiseload=True)
    training: Mapped[bytes] = mapped_column(deferred=True)
    training_preview: Mapped[bytes | None] = mapped_column(deferred=True)
    is_current: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RealFields(Base):
    """The fields of one half of a reference, kept in the store as an archive of that id.

    The training half is for everybody; the held-out half never leaves the board.
    """

    __tablename__ = "real_fields"
    __table_args__ = (
        CheckConstraint(f"part IN {PARTS}", name="part"),
        UniqueConstraint("reference_id", "part"),
    )

    archive_id: Mapped[UUID] = mapped_column(primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"))
    part: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)


class Submission(Base):
    """One archive that a participant has sent, and how far it has come.

    `attempt` counts claims; with `lease_expires_at` it fences a worker that was given up.
    `announced_at` is when the broker was last told of it. While it is uploading, `sha256` is what
    the participant says that it will be, if anything. The host may have it hidden from the board.
    """

    __tablename__ = "submissions"
    __table_args__ = (
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("(state = 'running') = (lease_expires_at IS NOT NULL)", name="lease"),
        CheckConstraint("state <> 'failed' OR reason IS NOT NULL", name="reason"),
        CheckConstraint(
            "sha256 IS NOT NULL OR state IN ('uploading', 'failed', 'cancelled')", name="sha256"
        ),
        UniqueConstraint("participant_id", "idempotency_key"),
        Index(
            "uq_submissions_live_archive",
            "participant_id",
            "track",
            "sha256",
            unique=True,
            postgresql_where=text("state NOT IN ('failed', 'cancelled')"),
        ),
        Index(
            "ix_submissions_participant_id_track_created_at",
            "participant_id",
            "track",
            "created_at",
        ),
        Index(
            "ix_submissions_waiting",
            "queued_at",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
        Index("ix_submissions_created_at_id", "created_at", "id"),
        Index(
            "ix_submissions_shown", "id", postgresql_where=text("state = 'scored' AND NOT hidden")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    participant_id: Mapped[int] = mapped_column(ForeignKey("participants.id"))
    track: Mapped[str]
    method: Mapped[str]
    description: Mapped[str | None]
    url: Mapped[str | None]
    parameters: Mapped[str | None]
    training_compute: Mapped[str | None]
    extra_data: Mapped[str | None]
    idempotency_key: Mapped[str | None]

    state: Mapped[str]
    hidden: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None]
    message: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(server_default=text("0"))
    done: Mapped[int] = mapped_column(server_default=text("0"))
    total: Mapped[int]
    sha256: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger)

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    queued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    announced_at: Mapped[datetime | None]
    claimed_at: Mapped[datetime | None]
    lease_expires_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    participant: Mapped[Participant] = relationship(lazy="joined")
    scores: Mapped[list["Score"]] = relationship(order_by="Score.id.desc()", lazy="raise")


class SubmissionStatistics(Base):
    """The per-field statistics of a submission, kept for ever so that it can be re-scored.

    `preview` is what the pages show of its fields.
    """

    __tablename__ = "submission_statistics"

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    scorer_version: Mapped[str]
    statistics: Mapped[bytes]
    preview: Mapped[bytes | None] = mapped_column(deferred=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Score(Base):
    """A submission's report against one reference, by one version of the scorer.

    `leave_out` tells of single held-out fields: it is for comparisons alone and never shown.
    """

    __tablename__ = "scores"
    __table_args__ = (
        UniqueConstraint("submission_id", "reference_id", "scorer_version"),
        Index("ix_scores_reference_id_overall", "reference_id", "overall"),
        Index("ix_scores_reference_id_submission_id_id", "reference_id", "submission_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submissions.id"))
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"))
    scorer_version: Mapped[str]
    report: Mapped[dict[str, Any]]
    overall: Mapped[float]
    leave_out: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    reference: Mapped[Reference] = relationship(lazy="joined")


class CopyCheck(Base):
    """The search of a scored submission for copies of real fields and of its own.

    `reference_id` is whose fields are searched. `copies` are those of training fields or of the
    submission's other fields, `held_out_copies` those of held-out fields, which are for the host
    alone and raise when they are read, but through `board.copy_checks`. Both are NULL until the
    search has ended. `attempts` counts its beginnings, `announced_at` is when the broker was last
    told of it.
    """

    __tablename__ = "copy_checks"
    __table_args__ = (
        Index(
            "ix_copy_checks_waiting",
            "announced_at",
            postgresql_where=text("checked_at IS NULL"),
        ),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    reference_id: Mapped[int] = mapped_column(ForeignKey("references.id"))
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    announced_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    copies: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    held_out_copies: Mapped[list[dict[str, Any]] | None] = mapped_column(
        JSONB(none_as_null=True), deferred=True, deferred_raiseload=True
    )


class Comparison(Base):
    """How probable a difference as that of another score from the leader's is by chance."""

    __tablename__ = "comparisons"

    leader_id: Mapped[int] = mapped_column(ForeignKey("scores.id"), primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("scores.id"), primary_key=True)
    p: Mapped[float]


class Snapshot(Base):
    """A track's leaderboard as it stood at one time, for citation; never rewritten.

    `content` is the JSON document whose SHA-256 names it, `provenance` where its rows come from.
    """

    __tablename__ = "snapshots"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    track: Mapped[str]
    content: Mapped[bytes]
    provenance: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
