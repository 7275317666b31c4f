"""The life of a submission: every change of its state is one function here.

Each change is one compare-and-set, so that whoever comes second changes nothing. Times are the
database's. `uploading -> queued -> running -> scored | failed | cancelled`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from board.errors import LeaseLostError, WrongStateError
from board.models import Score, Submission, SubmissionStatistics
from board.participants import INFRASTRUCTURE
from scoring.report import ScoreReport


@dataclass(frozen=True)
class Claim:
    """A worker's right to a submission, for as long as it renews the lease."""

    submission_id: UUID
    attempt: int
    track: str


def mark_announced(session: Session, submission_id: UUID) -> None:
    """Note that the broker was told of the submission."""
    session.execute(
        update(Submission)
        .where(Submission.id == submission_id)
        .values(announced_at=func.clock_timestamp())
    )


def claim_submission(session: Session, submission_id: UUID, lease: timedelta) -> Claim | None:
    """Take a queued submission; None where another worker was first, or it is not queued."""
    row = session.execute(
        update(Submission)
        .where(Submission.id == submission_id, Submission.state == "queued")
        .values(
            state="running",
            attempt=Submission.attempt + 1,
            done=0,
            claimed_at=func.clock_timestamp(),
            lease_expires_at=func.clock_timestamp() + lease,
        )
        .returning(Submission.attempt, Submission.track)
    ).one_or_none()
    return Claim(submission_id, row.attempt, row.track) if row else None


def renew_lease(session: Session, claim: Claim, done: int, lease: timedelta) -> None:
    """Say how many fields are done, and keep the submission for another lease.

    Raises:
        LeaseLostError: If it is no longer this worker's.
    """
    _change(
        session,
        claim,
        {"done": done, "lease_expires_at": func.clock_timestamp() + lease},
    )


def finish_submission(
    session: Session,
    claim: Claim,
    reference_id: int,
    report: ScoreReport,
    statistics: bytes,
    preview: bytes | None = None,
) -> None:
    """Record the result: state, score, statistics and preview in one transaction, or nothing.

    Raises:
        LeaseLostError: If it is no longer this worker's; the result is then discarded.
    """
    _change(session, claim, {"done": Submission.total, **_end("scored")})
    add_score(session, claim.submission_id, reference_id, report)
    session.execute(
        insert(SubmissionStatistics)
        .values(
            submission_id=claim.submission_id,
            scorer_version=report.scorer_version,
            statistics=statistics,
            preview=preview,
        )
        .on_conflict_do_nothing()
    )


def add_score(
    session: Session, submission_id: UUID, reference_id: int, report: ScoreReport
) -> None:
    """Append a score; one that is there already stays as it is."""
    session.execute(
        insert(Score)
        .values(
            submission_id=submission_id,
            reference_id=reference_id,
            scorer_version=report.scorer_version,
            report=report.to_dict(),
            overall=report.overall,
            leave_out=report.leave_out.to_dict() if report.leave_out else None,
        )
        .on_conflict_do_nothing()
    )


def fail_submission(session: Session, claim: Claim, reason: str, message: str) -> None:
    """End a submission that cannot be scored, with a stable reason code and a sentence.

    Raises:
        LeaseLostError: If it is no longer this worker's.
    """
    _change(session, claim, {**_end("failed"), "reason": reason, "message": message})


def release_submission(session: Session, claim: Claim, max_attempts: int) -> None:
    """Give a submission back after a fault of ours: queued again, or failed at the last attempt.

    It counts as announced, so that a fault that lasts does not use up all attempts at once.

    Raises:
        LeaseLostError: If it is no longer this worker's.
    """
    announced = {"announced_at": func.clock_timestamp()}
    _change(session, claim, _requeued_or_failed(max_attempts) | announced)


def requeue_expired(session: Session, max_attempts: int) -> Sequence[UUID]:
    """Take submissions from workers whose lease has run out; return those queued again."""
    rows = session.execute(
        update(Submission)
        .where(
            Submission.state == "running",
            Submission.lease_expires_at < func.clock_timestamp(),
        )
        .values(**_requeued_or_failed(max_attempts))
        .returning(Submission.id, Submission.state)
    )
    return [row.id for row in rows if row.state == "queued"]


def unannounced(session: Session, older_than: timedelta, limit: int = 20) -> Sequence[UUID]:
    """Return queued submissions, oldest first, that no worker was told of for so long."""
    return session.scalars(
        select(Submission.id)
        .where(
            Submission.state == "queued",
            or_(
                Submission.announced_at.is_(None),
                Submission.announced_at < func.clock_timestamp() - older_than,
            ),
        )
        .order_by(Submission.queued_at)
        .limit(limit)
    ).all()


def withdraw_submission(session: Session, submission: Submission) -> None:
    """Cancel a submission: it leaves the queue, the worker or the board.

    Raises:
        WrongStateError: If it has already failed or been cancelled.
    """
    row = session.execute(
        update(Submission)
        .where(
            Submission.id == submission.id,
            Submission.state.in_(("uploading", "queued", "running", "scored")),
        )
        .values(**_end("cancelled"), reason="withdrawn", message="Withdrawn by the participant.")
        .returning(Submission.id)
    ).one_or_none()
    if row is None:
        raise WrongStateError(f"Submission {submission.id} has already ended: nothing to withdraw.")


def _change(session: Session, claim: Claim, values: dict[str, Any]) -> None:
    """Change a submission that the worker still holds."""
    row = session.execute(
        update(Submission)
        .where(
            Submission.id == claim.submission_id,
            Submission.state == "running",
            Submission.attempt == claim.attempt,
        )
        .values(**values)
        .returning(Submission.id)
    ).one_or_none()
    if row is None:
        raise LeaseLostError(f"submission {claim.submission_id} is no longer this worker's")


def _end(state: str) -> dict[str, Any]:
    return {"state": state, "lease_expires_at": None, "finished_at": func.clock_timestamp()}


def _requeued_or_failed(max_attempts: int) -> dict[str, Any]:
    again: ColumnElement[bool] = Submission.attempt < max_attempts
    return {
        "state": case((again, "queued"), else_="failed"),
        "lease_expires_at": None,
        "announced_at": None,
        "finished_at": case((again, None), else_=func.clock_timestamp()),
        "reason": case((again, None), else_=INFRASTRUCTURE),
        "message": case(
            (again, None),
            else_=f"The service failed {max_attempts} times to score this submission. The fault "
            "is ours and does not count against your limit: please submit again later.",
        ),
    }
