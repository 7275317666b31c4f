"""What the page of a scored submission shows: its place, its scores beside others', and why."""

import math
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from markupsafe import Markup
from sqlalchemy.orm import Session

from api import schemas
from api.kept import kept
from api.leaderboard import row_body
from api.pages.bars import Bar, score_bars, share_bar
from api.pages.findings import findings
from api.pages.plots import Plot, statistic_plot
from api.pages.render import STATISTICS, render_part
from api.published import published
from api.statistics import submission_statistics
from board.copy_checks import held_out_copies
from board.database import transaction
from board.errors import NotComparableError, NotFoundError
from board.leaderboard import Row, standings
from board.models import Submission
from board.ties import compare_scores
from scoring.inference import Difference


@dataclass(frozen=True)
class StatisticResult:
    """One statistic of a submission beside that of the training fields, and what that tells."""

    plot: Plot
    findings: list[str]


@dataclass(frozen=True)
class _Scored:
    """A submission with a score; known by the ids of the two."""

    submission_id: UUID
    score_id: int
    submission: Submission = field(compare=False)
    scores: schemas.Scores = field(compare=False)


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
    records = known.ranked()
    own = _as_row(submission)
    leader = real = None
    if known.reference == submission.scores[0].reference.content_hash:
        leader = next((row_body(record) for record in records if record.rank == 1), None)
        real = next((row_body(record) for record in records if record.submission is None), None)
    return {
        "row": next((found for found in records if found.submission == submission.id), None),
        "competing": sum(record.submission is not None for record in records),
        "reference": known.reference,
        "comparison": _compared_with_leader(records, submission) if leader else None,
        "real": real,
        "bars": _bars(own, real, leader),
        "why": _why(_Scored(submission.id, submission.scores[0].id, submission, own.scores)),
        "held_out_copies": held_out_copies(session, submission.id) if to_host else None,
    }


def _as_row(submission: Submission) -> schemas.LeaderboardRow:
    report = published(submission.scores[0].report)
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


def _compared_with_leader(records: list[Row], submission: Submission) -> LeaderComparison | None:
    leader = next((record for record in records if record.rank == 1), None)
    if leader is None or leader.submission in (None, submission.id):
        return None
    scores = (submission.scores[0].id, leader.score_id)
    found = _difference(submission.id, leader.submission, scores)
    if found is None:
        return None
    ratio, low, high = (math.exp(log) for log in (found.value, *found.ci95))
    return LeaderComparison(leader.submission, leader.method, ratio, low, high, found.p)


@kept(1024)
def _difference(a: UUID, b: UUID, scores: tuple[int, int | None]) -> Difference | None:
    """Return how far apart two submissions are, which these scores of theirs tell for ever."""
    try:
        with transaction() as session:
            return compare_scores(session, a, b).log_overall
    except NotComparableError:
        return None


def _bars(
    own: schemas.LeaderboardRow,
    real: schemas.LeaderboardRow | None,
    leader: schemas.LeaderboardRow | None,
) -> dict[str, Bar]:
    others = [row for row in (real, leader) if row is not None]
    overall = share_bar(own.overall, own.overall_ci95, real.overall if real else None)
    return {"overall": overall, **score_bars([own, *others])[0]}


@kept(256)
def _why(scored: _Scored) -> Markup:
    """Return the part of the page that compares statistics; it never changes."""
    try:
        found = submission_statistics(scored.submission, "training")
    except NotFoundError:
        return Markup()
    plots = [
        StatisticResult(
            statistic_plot(name, title, getattr(found, name)),
            findings(getattr(found, name), getattr(scored.scores, name).scatter_ratio),
        )
        for name, title in STATISTICS.items()
    ]
    return render_part("why.html", submission=scored.submission, plots=plots)
