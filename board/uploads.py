"""Submissions whose archive is still arriving: `uploading -> queued | failed | cancelled`.

The bytes lie outside the database, in a file named by the submission's id.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from board.errors import IdempotencyConflictError, WrongStateError
from board.keeping import Keeping, require_room
from board.models import Participant, Submission
from board.participants import lock_participant
from board.submissions import (
    NewSubmission,
    StoredArchive,
    insert_submission,
    refuse_duplicate,
    require_submittable,
    submission_of_key,
)


def open_upload(
    session: Session,
    participant: Participant,
    new: NewSubmission,
    size: int,
    sha256: str | None,
    daily_limit: int,
    rules: Keeping | None = None,
) -> Submission:
    """Begin a submission whose archive of `size` bytes is to be uploaded piece by piece.

    It counts against the daily limit from now on. With an idempotency key that was used before for
    an archive of that size, returns that submission.

    Args:
        session: The transaction.
        participant: Who submits.
        new: What they say of it.
        size: Bytes of the archive.
        sha256: What its SHA-256 will be, where the participant knows.
        daily_limit: Submissions a day.
        rules: How much the participant's archives may take; None for any space.

    Raises:
        DuplicateArchiveError: If the participant has these bytes on this track already.
        IdempotencyConflictError: If the key was used for another archive.
        NoReferenceError: If the track cannot be scored.
        QuotaExceededError: If the daily limit is used up.
        StorageLimitError: If the participant's archives take too much space.
    """
    lock_participant(session, participant.id)
    earlier = submission_of_key(session, participant, new.idempotency_key)
    if earlier is not None:
        if (earlier.track, earlier.size) != (new.track, size):
            raise IdempotencyConflictError(
                f"This Idempotency-Key was used for submission {earlier.id}, of another archive or "
                "track: use a new key for each submission."
            )
        return earlier
    if sha256 is not None:
        refuse_duplicate(session, participant.id, new.track, sha256)
    require_submittable(session, participant, new.track, daily_limit)
    if rules is not None:
        require_room(session, participant, size, rules)
    return insert_submission(
        session, participant, new, id=uuid4(), state="uploading", sha256=sha256, size=size
    )


def queue_upload(session: Session, upload: Submission, archive: StoredArchive) -> None:
    """Queue a submission whose archive has arrived; announce it after the commit.

    Raises:
        DuplicateArchiveError: If the participant has these bytes on this track already.
        WrongStateError: If it is not uploading any more.
    """
    lock_participant(session, upload.participant_id)
    refuse_duplicate(
        session, upload.participant_id, upload.track, archive.sha256, but=archive.submission_id
    )
    _end_upload(
        session,
        upload.id,
        state="queued",
        sha256=archive.sha256,
        queued_at=func.clock_timestamp(),
    )


def refuse_upload(session: Session, upload_id: UUID, reason: str, message: str) -> None:
    """End a submission whose archive, now that it has arrived, cannot be scored.

    Raises:
        WrongStateError: If it is not uploading any more.
    """
    _end_upload(
        session,
        upload_id,
        state="failed",
        reason=reason,
        message=message,
        finished_at=func.clock_timestamp(),
    )


def cancel_upload(session: Session, upload_id: UUID, reason: str, message: str) -> None:
    """Give an unfinished upload up.

    Raises:
        WrongStateError: If it is not uploading any more.
    """
    _end_upload(
        session,
        upload_id,
        state="cancelled",
        reason=reason,
        message=message,
        finished_at=func.clock_timestamp(),
    )


def open_uploads(session: Session) -> Sequence[Submission]:
    """Return every submission that is uploading, oldest first."""
    return session.scalars(
        select(Submission).where(Submission.state == "uploading").order_by(Submission.created_at)
    ).all()


def is_older_than(session: Session, upload: Submission, age: timedelta) -> bool:
    """Tell whether the upload was begun at least so long ago, by the database's clock."""
    return bool(
        session.scalar(
            select(Submission.created_at <= func.clock_timestamp() - age).where(
                Submission.id == upload.id
            )
        )
    )


def _end_upload(session: Session, upload_id: UUID, **values: Any) -> None:
    row = session.execute(
        update(Submission)
        .where(Submission.id == upload_id, Submission.state == "uploading")
        .values(**values)
        .returning(Submission.id)
    ).one_or_none()
    if row is None:
        raise WrongStateError(f"Submission {upload_id} is not uploading any more.")
