"""The search of scored submissions for copies: what is still to be searched, and what was found.

It comes after the score, which it does not change, and is brought back like a submission: the
table knows what waits, the broker only wakes workers. What was found among held-out fields is for
the host alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from board.models import CopyCheck, Reference, Submission
from board.references import StoredFields, stored_fields

Evidence = list[dict[str, Any]]
"""One object a copy, as `cubes.copies.Copy` makes it."""

_UNDER_WAY = timedelta(minutes=1)
"""For so long a search that was announced is awaited; most take a quarter of it."""


@dataclass(frozen=True)
class CopySearch:
    """A search to be made: the submission's archive, and those of the fields that it may hold."""

    submission_id: UUID
    track: str
    training: StoredFields
    held_out: StoredFields


@dataclass(frozen=True)
class FoundCopies:
    """What a search has found of training fields and of the submission's own, for everybody."""

    checked_at: datetime
    reference: str
    copies: Evidence


def open_copy_check(session: Session, submission_id: UUID, reference_id: int) -> bool:
    """Note that a scored submission is to be searched, and tell whether it can be.

    It cannot where the fields of the reference are not kept.
    """
    training = stored_fields(session, reference_id, "training")
    held_out = stored_fields(session, reference_id, "held-out")
    if training is None or held_out is None:
        return False
    session.execute(
        insert(CopyCheck)
        .values(submission_id=submission_id, reference_id=reference_id)
        .on_conflict_do_nothing()
    )
    return True


def begin_copy_check(session: Session, submission_id: UUID, max_attempts: int) -> CopySearch | None:
    """Count another beginning of a search; None where there is nothing to be searched any more."""
    row = session.execute(
        update(CopyCheck)
        .where(
            CopyCheck.submission_id == submission_id,
            CopyCheck.checked_at.is_(None),
            CopyCheck.attempts < max_attempts,
            Submission.id == CopyCheck.submission_id,
            Submission.state == "scored",
        )
        .values(attempts=CopyCheck.attempts + 1, announced_at=func.clock_timestamp())
        .returning(CopyCheck.reference_id, Submission.track)
    ).one_or_none()
    if row is None:
        return None
    training = stored_fields(session, row.reference_id, "training")
    held_out = stored_fields(session, row.reference_id, "held-out")
    if training is None or held_out is None:
        return None
    return CopySearch(submission_id, row.track, training, held_out)


def record_copies(
    session: Session, submission_id: UUID, copies: Evidence, held_out_copies: Evidence
) -> None:
    """Record what a search has found; one that was recorded before stays as it is."""
    session.execute(
        update(CopyCheck)
        .where(CopyCheck.submission_id == submission_id, CopyCheck.checked_at.is_(None))
        .values(copies=copies, held_out_copies=held_out_copies, checked_at=func.clock_timestamp())
    )


def next_copy_check(
    session: Session, after: timedelta, resend: timedelta, max_attempts: int
) -> UUID | None:
    """Return the submission that is to be searched next, and count it as announced from now on.

    None while another search is under way, or a submission waits to be scored: a search takes a
    worker process many times as long as a score does, and must not hold up any.

    Args:
        session: The board.
        after: How long ago it must have been scored.
        resend: How long ago it must have been announced, if it was.
        max_attempts: What was begun so often is given up.
    """
    now = func.clock_timestamp()
    open_checks = (
        CopyCheck.checked_at.is_(None),
        CopyCheck.attempts < max_attempts,
        Submission.state == "scored",
    )
    of_submission = Submission.id == CopyCheck.submission_id
    is_busy = or_(
        exists().where(Submission.state == "queued"),
        exists().where(*open_checks, of_submission, CopyCheck.announced_at >= now - _UNDER_WAY),
    )
    due = (
        select(CopyCheck.submission_id)
        .join(Submission, of_submission)
        .where(
            *open_checks,
            Submission.finished_at <= now - after,
            or_(CopyCheck.announced_at.is_(None), CopyCheck.announced_at < now - resend),
        )
        .order_by(Submission.finished_at)
        .limit(1)
    )
    if session.scalar(select(is_busy)):
        return None
    return session.scalar(
        update(CopyCheck)
        .where(CopyCheck.submission_id == due.scalar_subquery())
        .values(announced_at=now)
        .returning(CopyCheck.submission_id)
    )


def found_copies(session: Session, submission_id: UUID) -> FoundCopies | None:
    """Return what everybody may know of a submission's copies; None where it is not searched."""
    row = session.execute(
        select(CopyCheck.checked_at, CopyCheck.copies, Reference.content_hash)
        .join(Reference, Reference.id == CopyCheck.reference_id)
        .where(CopyCheck.submission_id == submission_id, CopyCheck.checked_at.is_not(None))
    ).one_or_none()
    return FoundCopies(row.checked_at, row.content_hash, row.copies) if row else None


def held_out_copies(session: Session, submission_id: UUID) -> Evidence | None:
    """Return the copies of held-out fields, None where they were not sought: for the host alone."""
    return session.scalar(
        select(CopyCheck.held_out_copies).where(CopyCheck.submission_id == submission_id)
    )
