"""Who stands where on a track."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from board.models import Comparison, CopyCheck, Participant, Reference, Score, Submission
from board.references import current_reference
from board.ties import Contest, tied_with_leader
from scoring.report import ScoreReport

SortKey = Literal["overall", "psd", "mass", "peak"]

REAL_CUBES = "Real cubes (training set)"
"""The method of the row that shows how well real fields score."""


ScoreKey = tuple[int, UUID]
"""Ids of a score and of its submission."""

_SHOWN = (Submission.state == literal("scored", literal_execute=True), ~Submission.hidden)
"""Which submissions are on the board, as the index of them has it."""


@dataclass(frozen=True)
class Row:
    """One line of the leaderboard.

    `rank` is None for the real cubes, which show the floor and do not compete. `submission` and
    `participant` are None there too. `copies` tells that some of its fields look copied.
    """

    rank: int | None
    submission: UUID | None
    method: str
    participant: str | None
    baseline: bool
    scored_at: datetime
    report: ScoreReport
    score_id: int | None = None
    tied_with_leader: bool | None = None
    copies: bool = False
    url: str | None = None
    parameters: str | None = None
    training_compute: str | None = None
    extra_data: str | None = None


@dataclass(frozen=True, eq=False)
class Standings:
    """Who stands where on a track, for as long as nothing changes there.

    Equal to nothing but itself, so that what was made of it can be kept by it.

    Attributes:
        track: Name of the track.
        reference: Content hash of the held-out fields; None where nothing can be scored yet.
        version: Changes whenever the rows may have.
        rows: The rows without ranks, in no order.
        scored: A row of every score that may be on the board, by its id and its submission's.
    """

    track: str
    reference: str | None
    version: str
    rows: tuple[Row, ...]
    scored: Mapping[ScoreKey, Row]

    def ranked(self, sort: SortKey = "overall") -> list[Row]:
        """Return the rows, best first."""
        return _ranked(self, sort)


@lru_cache(maxsize=16)
def _ranked(known: Standings, sort: SortKey) -> list[Row]:
    return ranked(known.rows, sort)


_latest: dict[str, Standings] = {}
_latest_lock = threading.Lock()


def leaderboard(session: Session, track: str, sort: SortKey = "overall") -> list[Row]:
    """Return the track's rows, best first; empty where nothing can be scored yet."""
    return standings(session, track).ranked(sort)


def standings(session: Session, track: str) -> Standings:
    """Return where the track's submissions stand, made anew only where something has changed."""
    version = _version(session, track)
    if version is None:
        return Standings(track, None, "", (), {})
    with _latest_lock:
        known = _latest.get(track)
        if known is None or known.version != version:
            known = _latest[track] = _standings(session, track, version, known)
    return known


def _standings(session: Session, track: str, version: str, before: Standings | None) -> Standings:
    reference = current_reference(session, track)
    scored = scored_rows(session, reference, before.scored if before else {})
    rows = with_ties(session, best_rows(list(scored.values())))
    real = _real_cubes_row(reference)
    return Standings(track, reference.content_hash, version, (real, *rows), scored)


def _version(session: Session, track: str) -> str | None:
    """Return a digest of what a leaderboard is made of: scores come and go, but never change.

    None where nothing can be scored yet. It is asked for at every visit: two indices hold all of
    it.
    """
    found = session.execute(_VERSION, {"track": track}).one_or_none()
    return None if found is None else "-".join(str(part) for part in found)


_VERSION = select(
    Reference.id,
    Reference.content_hash,
    select(
        func.concat_ws(
            "-", func.count(), func.bit_xor(func.uuid_hash_extended(Submission.id, Score.id))
        )
    )
    .join_from(Score, Submission, Score.submission_id == Submission.id)
    .where(Score.reference_id == Reference.id, *_SHOWN)
    .scalar_subquery(),
    select(func.count()).select_from(Comparison).scalar_subquery(),
    select(func.count(CopyCheck.checked_at)).scalar_subquery(),
).where(Reference.track == bindparam("track"), Reference.is_current)


def scored_rows(
    session: Session, reference: Reference, known: Mapping[ScoreKey, Row]
) -> dict[ScoreKey, Row]:
    """Return a row for each submission's latest score against the reference.

    Scores never change, so that those of `known` need not be read again.
    """
    shown = session.execute(
        select(Score.id, Submission.id, func.jsonb_array_length(CopyCheck.copies))
        .join_from(Score, Submission, Score.submission_id == Submission.id)
        .outerjoin(CopyCheck, CopyCheck.submission_id == Submission.id)
        .where(Score.reference_id == reference.id, *_SHOWN)
        .ext(distinct_on(Submission.id))
        .order_by(Submission.id, Score.id.desc())
    ).all()
    new = [
        score_id for score_id, submission_id, _ in shown if (score_id, submission_id) not in known
    ]
    rows = {**known, **(_read_rows(session, new) if new else {})}
    return {
        (score_id, submission_id): replace(rows[score_id, submission_id], copies=bool(copies))
        for score_id, submission_id, copies in shown
    }


def _read_rows(session: Session, score_ids: Sequence[int]) -> dict[ScoreKey, Row]:
    query = (
        select(
            Score.id.label("score_id"),
            Score.created_at,
            Score.report,
            Submission.id,
            Submission.method,
            Submission.url,
            Submission.parameters,
            Submission.training_compute,
            Submission.extra_data,
            Participant.name,
            Participant.is_baseline,
        )
        .join(Submission, Score.submission_id == Submission.id)
        .join(Participant, Submission.participant_id == Participant.id)
        .where(Score.id == func.any(score_ids))
    )
    return {
        (found.score_id, found.id): Row(
            rank=None,
            submission=found.id,
            method=found.method,
            participant=found.name,
            baseline=found.is_baseline,
            scored_at=found.created_at,
            report=ScoreReport.from_dict(found.report),
            score_id=found.score_id,
            url=found.url,
            parameters=found.parameters,
            training_compute=found.training_compute,
            extra_data=found.extra_data,
        )
        for found in session.execute(query)
    }


def best_rows(rows: Sequence[Row]) -> list[Row]:
    """Keep the best row of each participant and method, the earlier one of equals."""
    best: dict[tuple[str | None, str], Row] = {}
    for row in sorted(rows, key=lambda row: row.scored_at):
        key = row.participant, row.method
        if key not in best or _overall(row) > _overall(best[key]):
            best[key] = row
    return list(best.values())


def ranked(rows: Sequence[Row], sort: SortKey) -> list[Row]:
    """Order rows, best first, and rank those that compete; equal values share a rank."""
    value = _VALUES[sort]
    ordered = sorted(rows, key=lambda row: (-value(row), row.submission is not None, row.scored_at))
    placed: list[Row] = []
    competing = 0
    rank, previous = 0, None
    for row in ordered:
        if row.submission is None:
            placed.append(row)
            continue
        competing += 1
        if value(row) != previous:
            rank, previous = competing, value(row)
        placed.append(replace(row, rank=rank))
    return placed


def with_ties(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Mark the rows that cannot be told apart from the leader in overall."""
    if not rows:
        return []
    best_first = sorted((-_overall(row), row.scored_at, row.score_id or 0) for row in rows)
    leader, *others = [score_id for _, _, score_id in best_first]
    ties = tied_with_leader(session, Contest(leader, tuple(others)))
    return [replace(row, tied_with_leader=ties[row.score_id or 0]) for row in rows]


def _real_cubes_row(reference: Reference) -> Row:
    return Row(
        rank=None,
        submission=None,
        method=REAL_CUBES,
        participant=None,
        baseline=False,
        scored_at=reference.created_at,
        report=ScoreReport.from_dict(reference.real_cubes),
    )


def _overall(row: Row) -> float:
    return row.report.overall or 0.0


_VALUES: dict[SortKey, Callable[[Row], float]] = {
    "overall": _overall,
    "psd": lambda row: -row.report.psd.d2,
    "mass": lambda row: -row.report.mass.d2,
    "peak": lambda row: -row.report.peak.d2,
}
