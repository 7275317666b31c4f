"""Scores against a new reference, from the statistics that are kept."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from board import database, settings
from board.database import get_engine, transaction
from board.errors import NoReferenceError
from board.lifecycle import claim_submission, finish_submission
from board.models import Score, SubmissionStatistics
from board.participants import create_participant
from board.references import add_reference
from board.submissions import StoredArchive, create_submission, describe_submission
from cli.build_reference import demo_reference
from scoring import SetStatistics, compare
from scoring.report import Floor

TRACK = "3d-32"
LEASE = timedelta(minutes=5)


@pytest.fixture(scope="module")
def reference(database_url: str, broker_url: str) -> Iterator[object]:
    """A board with the demo reference of the smallest track."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("BROKER_URL", broker_url)
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()
        new = demo_reference(TRACK)
        with transaction() as session:
            add_reference(session, new)
        yield new
        with get_engine().begin() as connection:
            connection.execute(text('TRUNCATE participants, "references" CASCADE'))
        get_engine().dispose()
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()


def scored(reference, name: str) -> UUID:
    """A scored submission of the training set itself."""
    training = SetStatistics.from_bytes(reference.training)
    held_out = SetStatistics.from_bytes(reference.held_out)
    with transaction() as session:
        current = add_reference(session, reference)
        stored = StoredArchive(uuid4(), uuid4().hex * 2, 1000)
        new = describe_submission({"track": TRACK, "method": name})
        submission = create_submission(
            session, create_participant(session, "ada"), new, stored, 1000
        )
        claim = claim_submission(session, submission.id, LEASE)
        report = compare(held_out, training, floor=reference.floor)
        finish_submission(session, claim, current.id, report, reference.training)
    return submission.id


def scores(submission_id: UUID) -> list[Score]:
    with transaction() as session:
        return list(session.query(Score).filter_by(submission_id=submission_id).order_by(Score.id))


def test_a_new_reference_appends_a_score_and_leaves_the_old_one(reference):
    from worker.rescore import rescore_track

    submission_id = scored(reference, "first")
    training = SetStatistics.from_bytes(reference.training)
    swapped = replace(
        reference, content_hash="f" * 64, held_out=training.take(range(20)).to_bytes()
    )
    with transaction() as session:
        add_reference(session, swapped)

    assert rescore_track(TRACK) == 1
    assert rescore_track(TRACK) == 0

    old, new = scores(submission_id)
    assert new.reference.content_hash == "f" * 64
    expected = compare(training.take(range(20)), training, floor=reference.floor)
    assert new.report["psd"]["d2"] == pytest.approx(expected.psd.d2)
    assert old.reference.content_hash == reference.content_hash
    assert Floor.from_dict(old.reference.floor) == reference.floor


def test_statistics_of_another_scorer_are_left_alone(reference):
    from worker.rescore import rescore_track

    submission_id = scored(reference, "older")
    with transaction() as session:
        session.query(SubmissionStatistics).filter_by(submission_id=submission_id).update(
            {"scorer_version": "0"}
        )
        add_reference(session, replace(reference, content_hash="e" * 64))
    rescore_track(TRACK)
    assert len(scores(submission_id)) == 1


def test_a_track_without_a_reference_cannot_be_re_scored(reference):
    from worker.rescore import rescore_track

    with pytest.raises(NoReferenceError):
        rescore_track("3d-256")
