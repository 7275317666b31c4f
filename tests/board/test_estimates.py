"""How long a submission will take, and what holds it up."""

from datetime import timedelta

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from board.estimates import estimate_seconds, waiting_reason
from board.lifecycle import claim_submission, finish_submission, release_submission
from board.models import Submission
from tests.board.conftest import make_participant, make_reference, make_submission, report

LEASE = timedelta(seconds=15)


def queued(session: Session, **form: str) -> Submission:
    return make_submission(session, make_participant(session), **form)


def scored_in(session: Session, seconds: float, reference_id: int) -> None:
    """Score a submission so that it took that long."""
    submission = queued(session)
    finish_submission(
        session, claim_submission(session, submission.id, LEASE), reference_id, report(0.5), b""
    )
    shift(session, submission, claimed_at=Submission.finished_at - timedelta(seconds=seconds))


def shift(session: Session, submission: Submission, **times: object) -> None:
    session.execute(update(Submission).where(Submission.id == submission.id).values(**times))
    session.refresh(submission)


def ago(seconds: float) -> object:
    return func.clock_timestamp() - timedelta(seconds=seconds)


def test_without_an_earlier_score_nothing_is_estimated(session: Session) -> None:
    make_reference(session)
    assert estimate_seconds(session, queued(session)) is None


def test_those_before_it_count_and_the_median_tells_how_much(session: Session) -> None:
    reference = make_reference(session)
    for seconds in (1.0, 10.0, 100.0):
        scored_in(session, seconds, reference.id)
    first, second = queued(session), queued(session)
    shift(session, first, queued_at=ago(2))
    shift(session, second, queued_at=ago(1))

    assert estimate_seconds(session, first) == pytest.approx(10)
    assert estimate_seconds(session, second) == pytest.approx(20)


def test_what_is_done_of_a_running_one_is_taken_off(session: Session) -> None:
    reference = make_reference(session)
    scored_in(session, 10, reference.id)
    submission = queued(session)
    claim_submission(session, submission.id, LEASE)
    shift(session, submission, done=submission.total // 2)

    assert estimate_seconds(session, submission) == pytest.approx(5)


class TestWaitingReason:
    def test_a_short_wait_needs_none(self, session: Session) -> None:
        make_reference(session)
        assert waiting_reason(session, queued(session)) is None

    def test_a_queue_that_nobody_serves_is_told(self, session: Session) -> None:
        make_reference(session)
        submission = queued(session)
        shift(session, submission, queued_at=ago(70))
        assert "No worker has taken anything up" in (waiting_reason(session, submission) or "")

    def test_a_long_queue_that_is_served_is_none(self, session: Session) -> None:
        make_reference(session)
        waiting, running = queued(session), queued(session)
        shift(session, waiting, queued_at=ago(70))
        claim_submission(session, running.id, LEASE)
        session.refresh(running)
        assert waiting_reason(session, waiting) is None
        assert waiting_reason(session, running) is None

    def test_another_attempt_is_told_with_its_number(self, session: Session) -> None:
        make_reference(session)
        submission = queued(session)
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        release_submission(session, claim, max_attempts=3)
        session.refresh(submission)
        assert "attempt 2" in (waiting_reason(session, submission) or "")
        claim_submission(session, submission.id, LEASE)
        session.refresh(submission)
        assert "is being scored again (attempt 2)" in (waiting_reason(session, submission) or "")
