"""What the page of a scored submission shows: its place, its scores beside others', and why."""

import math
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from api import schemas
from api.bars import Bar, score_bars, share_bar
from api.findings import findings
from api.leaderboard import ranked_rows
from api.plots import Plot, statistic_plot
from api.render import STATISTICS
from api.statistics import submission_statistics
from board.copy_checks import held_out_copies
from board.errors import NotComparableError, NotFoundError
from board.leaderboard import standings
from board.models import Submission
from board.ties import compare_scores


@dataclass(frozen=True)
class StatisticResult:
    """One statistic of a submission beside that of the training fields, and what that tells."""

    plot: Plot
    findings: list[str]


@dataclass(frozen=True)
class LeaderComparison:
    """The overall of a submission in units of the leader's, its 95 % interval and p-value."""

    leader: UUID
    method: str
    ratio: float
    low: float
    high: float
    p: float


def result_of(session: Session, submission: Submission, *, to_host: bool) -> dict[str, Any]:
    """Return what the page of a scored submission is made of, by its names there."""
    known = standings(session, submission.track)
    rows = ranked_rows(known)
    own = _as_row(submission)
    leader = next((row for row in rows if row.rank == 1), None)
    real = next((row for row in rows if row.submission is None), None)
    if known.reference != submission.scores[0].reference.content_hash:
        leader = real = None
    return {
        "row": next((row for row in rows if row.submission == submission.id), None),
        "competing": sum(row.submission is not None for row in rows),
        "reference": known.reference,
        "comparison": _comparison(session, submission.id, leader),
        "real": real,
        "bars": _bars(own, real, leader),
        "plots": _statistics(submission, own.scores),
        "held_out_copies": held_out_copies(session, submission.id) if to_host else None,
    }


def _as_row(submission: Submission) -> schemas.LeaderboardRow:
    report = submission.scores[0].report
    return schemas.LeaderboardRow(
        rank=None,
        submission=submission.id,
        method=submission.method,
        participant=submission.participant.name,
        baseline=submission.participant.is_baseline,
        overall=report["overall"],
        overall_ci95=report["overall_ci95"],
        tied_with_leader=None,
        scores=schemas.Scores.model_validate(report),
    )


def _comparison(
    session: Session, submission_id: UUID, leader: schemas.LeaderboardRow | None
) -> LeaderComparison | None:
    if leader is None or leader.submission in (None, submission_id):
        return None
    try:
        found = compare_scores(session, submission_id, leader.submission).log_overall
    except NotComparableError:
        return None
    ratio, low, high = (math.exp(log) for log in (found.value, *found.ci95))
    return LeaderComparison(leader.submission, leader.method, ratio, low, high, found.p)


def _bars(
    own: schemas.LeaderboardRow,
    real: schemas.LeaderboardRow | None,
    leader: schemas.LeaderboardRow | None,
) -> dict[str, Bar]:
    others = [row for row in (real, leader) if row is not None]
    overall = share_bar(own.overall, own.overall_ci95, real.overall if real else None)
    return {"overall": overall, **score_bars([own, *others])[0]}


def _statistics(submission: Submission, scores: schemas.Scores) -> list[StatisticResult]:
    try:
        found = submission_statistics(submission, "training")
    except NotFoundError:
        return []
    return [
        StatisticResult(
            statistic_plot(name, title, getattr(found, name)),
            findings(getattr(found, name), getattr(scores, name).scatter_ratio),
        )
        for name, title in STATISTICS.items()
    ]
