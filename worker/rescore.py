"""Score a track's submissions against its current reference, from the statistics that are kept."""

import logging
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from board.database import transaction
from board.lifecycle import add_score
from board.models import Reference, Score, Submission, SubmissionStatistics
from board.references import current_reference, held_out_statistics
from scoring import SCORER_VERSION, Floor, SetStatistics, compare

_log = logging.getLogger(__name__)


def rescore_track(track: str) -> int:
    """Append what is missing: a score of each scored submission against the current reference.

    Earlier scores stay. Archives are not read; a submission whose statistics another version of the
    scorer has made is left out.

    Returns:
        How many scores were appended.

    Raises:
        NoReferenceError: If the track has no reference.
    """
    with transaction() as session:
        reference = current_reference(session, track)
        held_out = SetStatistics.from_bytes(held_out_statistics(session, reference.id))
        missing = _without_score(session, reference)
    floor = Floor.from_dict(reference.floor)
    for submission_id in missing:
        with transaction() as session:
            packed = session.scalars(
                select(SubmissionStatistics.statistics).where(
                    SubmissionStatistics.submission_id == submission_id
                )
            ).one()
        report = compare(held_out, SetStatistics.from_bytes(packed), floor=floor)
        with transaction() as session:
            add_score(session, submission_id, reference.id, report)
        _log.info("submission %s re-scored: overall %.3f", submission_id, report.overall)
    return len(missing)


def _without_score(session: Session, reference: Reference) -> list[UUID]:
    scored = select(Score.submission_id).where(
        Score.reference_id == reference.id, Score.scorer_version == SCORER_VERSION
    )
    return list(
        session.scalars(
            select(Submission.id)
            .join(SubmissionStatistics, SubmissionStatistics.submission_id == Submission.id)
            .where(
                Submission.track == reference.track,
                Submission.state == "scored",
                SubmissionStatistics.scorer_version == SCORER_VERSION,
                Submission.id.not_in(scored),
            )
            .order_by(Submission.created_at)
        )
    )
