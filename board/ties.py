"""Which submissions cannot be told apart from the leader, and how any two of them compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session, undefer

from board.errors import NotComparableError
from board.models import Comparison, Reference, Score, Submission
from scoring import report
from scoring.report import Floor, LeaveOut, holm

SIGNIFICANCE = 0.05
"""Rows whose adjusted p-value is above this are tied with the leader."""


@dataclass(frozen=True)
class Contest:
    """The scores that compete on a reference: the leader's, and the others, best first."""

    leader: int
    others: tuple[int, ...]


def contest(session: Session, reference_id: int) -> Contest | None:
    """Return the best score of each participant and method, by id; None where there is none."""
    latest = (
        select(
            Score.id,
            Score.overall,
            Score.created_at,
            Submission.participant_id,
            Submission.method,
        )
        .join(Submission, Score.submission_id == Submission.id)
        .where(
            Score.reference_id == reference_id,
            Submission.state == "scored",
            ~Submission.hidden,
        )
        .ext(distinct_on(Submission.id))
        .order_by(Submission.id, Score.id.desc())
        .subquery()
    )
    best = (
        select(latest.c.id, latest.c.overall, latest.c.created_at)
        .ext(distinct_on(latest.c.participant_id, latest.c.method))
        .order_by(
            latest.c.participant_id,
            latest.c.method,
            latest.c.overall.desc(),
            latest.c.created_at,
        )
    )
    rows = sorted(session.execute(best), key=lambda row: (-row.overall, row.created_at, row.id))
    if not rows:
        return None
    return Contest(leader=rows[0].id, others=tuple(row.id for row in rows[1:]))


def compare_with_leader(session: Session, reference: Reference, limit: int) -> int:
    """Compare scores with the leader's that are not yet, best first; return how many were."""
    competing = contest(session, reference.id)
    if competing is None:
        return 0
    known = _p_values(session, competing.leader)
    missing = [score_id for score_id in competing.others if score_id not in known][:limit]
    if not missing:
        return 0
    leave_outs = _leave_outs(session, [competing.leader, *missing])
    floors = _floors(reference)
    values = [
        {
            "leader_id": competing.leader,
            "other_id": score_id,
            "p": report.compare_submissions(
                leave_outs[competing.leader], leave_outs[score_id], floors
            ).log_overall.p,
        }
        for score_id in missing
        if {competing.leader, score_id} <= leave_outs.keys()
    ]
    if values:
        session.execute(insert(Comparison).values(values).on_conflict_do_nothing())
    return len(values)


def tied_with_leader(session: Session, competing: Contest) -> dict[int, bool | None]:
    """Tell of each score whether it is tied with the leader's, None where not yet compared.

    P-values are adjusted for the number of rows by Holm's method; one that is not known yet
    counts as no difference.
    """
    known = _p_values(session, competing.leader)
    adjusted = holm([known.get(score_id, 1.0) for score_id in competing.others])
    ties: dict[int, bool | None] = {
        score_id: p > SIGNIFICANCE if score_id in known else None
        for score_id, p in zip(competing.others, adjusted, strict=True)
    }
    return ties | {competing.leader: True}


def compare_scores(session: Session, a: UUID, b: UUID) -> report.Comparison:
    """Compare two scored submissions by their latest scores against one reference.

    Raises:
        NotComparableError: If they were never scored against the same reference.
    """
    scores = session.scalars(
        select(Score)
        .where(Score.submission_id.in_((a, b)), Score.leave_out.is_not(None))
        .order_by(Score.id.desc())
        .options(undefer(Score.leave_out))
    ).all()
    for first in scores:
        for second in scores:
            if (
                (first.submission_id, second.submission_id) == (a, b)
                and first.reference_id == second.reference_id
                and first.scorer_version == second.scorer_version
            ):
                return report.compare_submissions(
                    LeaveOut.from_dict(first.leave_out or {}),
                    LeaveOut.from_dict(second.leave_out or {}),
                    _floors(first.reference),
                )
    raise NotComparableError(
        "These two were never scored against the same held-out fields by the same scorer: "
        "ask the host to re-score their track."
    )


def _p_values(session: Session, leader: int) -> dict[int, float]:
    rows = session.execute(
        select(Comparison.other_id, Comparison.p).where(Comparison.leader_id == leader)
    )
    return {row.other_id: row.p for row in rows}


def _leave_outs(session: Session, score_ids: Sequence[int]) -> dict[int, LeaveOut]:
    rows = session.execute(
        select(Score.id, Score.leave_out).where(
            Score.id.in_(score_ids), Score.leave_out.is_not(None)
        )
    )
    return {score_id: LeaveOut.from_dict(values) for score_id, values in rows}


def _floors(reference: Reference) -> tuple[float, float, float]:
    floor = Floor.from_dict(reference.floor)
    return floor.psd.mean, floor.mass.mean, floor.peak.mean
