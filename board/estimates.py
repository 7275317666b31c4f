"""How long a submission will take, by how long others took of late."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from board.models import Submission

_LATEST = 20
"""So many of the latest submissions to a track tell how long one takes."""


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
