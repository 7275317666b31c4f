"""How long a submission will take, by how long others took of late, and what holds it up."""

from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from board.models import Submission

_LATEST = 20
"""So many of the latest submissions to a track tell how long one takes."""

_PATIENCE = timedelta(minutes=1)
"""A queue from which nothing has been taken for so long has no worker."""


def waiting_reason(session: Session, submission: Submission) -> str | None:
    """Return why a submission that is queued or running is not further, None where all is well."""
    if submission.state not in ("queued", "running"):
        return None
    if submission.state == "running":
        return _again(submission.attempt, "is being scored") if submission.attempt > 1 else None
    if _has_no_worker(session, submission):
        return (
            "No worker has taken anything up for a while: it waits until the host has one running. "
            "Nothing is lost, and there is nothing that you must do."
        )
    return _again(submission.attempt + 1, "is in the queue") if submission.attempt else None


def _again(attempt: int, what: str) -> str:
    return (
        f"The service failed while it was scored before, so it {what} again (attempt {attempt}). "
        "The fault is ours and costs you nothing."
    )


def _has_no_worker(session: Session, submission: Submission) -> bool:
    """Tell whether it could have been taken up for a minute, and no worker did anything since."""
    at_work = select(func.count()).where(
        or_(
            Submission.state == "running",
            Submission.claimed_at > func.clock_timestamp() - _PATIENCE,
            Submission.finished_at > func.clock_timestamp() - _PATIENCE,
        )
    )
    waits_long = select(Submission.queued_at < func.clock_timestamp() - _PATIENCE).where(
        Submission.id == submission.id
    )
    return bool(session.scalar(waits_long)) and not session.scalar(at_work)


def estimate_seconds(session: Session, submission: Submission) -> float | None:
    """Return about how many seconds it takes until the submission is scored.

    Those before it in the queue are shared by as many workers as are at work now. None where the
    submission is neither queued nor running, or nothing has been scored yet.
    """
    if submission.state == "running":
        seconds = _typical_seconds(session, submission.track)
        return None if seconds is None else seconds * (1 - submission.done / submission.total)
    if submission.state != "queued":
        return None
    ahead = session.execute(
        select(Submission.track, func.count())
        .where(Submission.state == "queued", Submission.queued_at <= submission.queued_at)
        .group_by(Submission.track)
    ).all()
    work = 0.0
    for track, count in ahead:
        seconds = _typical_seconds(session, track)
        if seconds is None:
            return None
        work += seconds * count
    workers = session.scalar(select(func.count()).where(Submission.state == "running"))
    return work / max(1, workers or 0)


def _typical_seconds(session: Session, track: str) -> float | None:
    """Return the median time from claim to score of the latest submissions to the track."""
    latest = (
        select((Submission.finished_at - Submission.claimed_at).label("took"))
        .where(Submission.state == "scored", Submission.track == track)
        .order_by(Submission.finished_at.desc())
        .limit(_LATEST)
        .subquery()
    )
    seconds = func.extract("epoch", func.percentile_cont(0.5).within_group(latest.c.took))
    found = session.scalar(select(seconds))
    return None if found is None else float(found)
