"""What there is on the board and how long it took, in numbers for a monitor."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Float, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from board.models import Submission

STAGE_BUCKETS = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
"""Seconds that a stage of a submission's life is compared with."""

_STAGES = {
    "uploading": (Submission.created_at, Submission.queued_at),
    "waiting": (Submission.queued_at, Submission.claimed_at),
    "scoring": (Submission.claimed_at, Submission.finished_at),
}


@dataclass(frozen=True)
class UnderWay:
    """How many submissions to a track are in each state before their end.

    `oldest_seconds` is the age of the oldest one that waits for a worker; 0 if none does.
    """

    track: str
    uploading: int
    queued: int
    running: int
    oldest_seconds: float


@dataclass(frozen=True)
class Ended:
    """How many submissions to a track have ended in one way."""

    track: str
    state: str
    reason: str
    count: int


@dataclass(frozen=True)
class StageTimes:
    """How long one stage took those that were scored.

    `at_most` counts those that took at most each of `STAGE_BUCKETS`; `seconds` is their sum.
    """

    track: str
    stage: str
    at_most: tuple[int, ...]
    count: int
    seconds: float


def under_way(session: Session) -> list[UnderWay]:
    """Return what is under way on each track to which anything was ever submitted."""
    counts = [
        func.count().filter(Submission.state == state)
        for state in ("uploading", "queued", "running")
    ]
    oldest = func.min(Submission.queued_at).filter(Submission.state == "queued")
    age = cast(func.extract("epoch", func.clock_timestamp() - oldest), Float)
    rows = session.execute(
        select(Submission.track, *counts, func.coalesce(age, 0.0)).group_by(Submission.track)
    )
    return [
        UnderWay(row[0], uploading=row[1], queued=row[2], running=row[3], oldest_seconds=row[4])
        for row in rows
    ]


def ended(session: Session) -> list[Ended]:
    """Return how submissions have ended, with the reason code of those that were not scored."""
    reason = func.coalesce(Submission.reason, "")
    rows = session.execute(
        select(Submission.track, Submission.state, reason, func.count())
        .where(Submission.state.in_(("scored", "failed", "cancelled")))
        .group_by(Submission.track, Submission.state, reason)
    )
    return [Ended(track, state, why, count) for track, state, why, count in rows]


def stage_times(session: Session) -> list[StageTimes]:
    """Return how long each stage took on each track."""
    return [
        times for stage, ends in _STAGES.items() for times in _times_of_stage(session, stage, *ends)
    ]


def _times_of_stage(
    session: Session,
    stage: str,
    begin: InstrumentedAttribute[Any],
    end: InstrumentedAttribute[Any],
) -> list[StageTimes]:
    took = cast(func.extract("epoch", end - begin), Float)
    rows = session.execute(
        select(
            Submission.track,
            *(func.count().filter(took <= bucket) for bucket in STAGE_BUCKETS),
            func.count(),
            func.sum(took),
        )
        .where(Submission.state == "scored")
        .group_by(Submission.track)
    )
    return [
        StageTimes(track, stage, tuple(at_most), count, seconds)
        for track, *at_most, count, seconds in rows
    ]
