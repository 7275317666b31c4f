"""The life of a submission, one state change at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from board.database import transaction
from board.errors import (
    LeaseLostError,
    NotFoundError,
    WrongStateError,
)
from board.lifecycle import (
    claim_submission,
    fail_submission,
    finish_submission,
    release_submission,
    renew_lease,
    requeue_expired,
    unannounced,
    withdraw_submission,
)
from board.models import Score, Submission, SubmissionStatistics
from board.participants import INFRASTRUCTURE
from board.settings import Settings
from board.submissions import (
    visible_submission,
)
from tests.board.conftest import make_participant, make_reference, make_submission, reload, report

LEASE = timedelta(seconds=15)


def expire(session: Session, submission: Submission) -> None:
    session.execute(
        update(Submission)
        .where(Submission.id == submission.id)
        .values(lease_expires_at=func.clock_timestamp() - timedelta(seconds=1))
    )


class TestClaim:
    def test_is_for_one_worker(self, session: Session, submission: Submission) -> None:
        claim = claim_submission(session, submission.id, LEASE)

        assert claim
        assert (claim.attempt, claim.track) == (1, "3d-64")
        assert claim_submission(session, submission.id, LEASE) is None
        assert reload(session, submission).state == "running"

    def test_is_for_one_of_many_at_once(self, board: Settings) -> None:
        with transaction() as session:
            make_reference(session)
            submission_id = make_submission(session, make_participant(session)).id

        def claim(_: int) -> bool:
            with transaction() as session:
                return claim_submission(session, submission_id, LEASE) is not None

        with ThreadPoolExecutor(10) as pool:
            assert sum(pool.map(claim, range(10))) == 1

    def test_renewal_tells_the_progress_and_prolongs_the_lease(
        self, session: Session, submission: Submission
    ) -> None:
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        before = reload(session, submission).lease_expires_at
        renew_lease(session, claim, 7, LEASE)

        after = reload(session, submission)
        assert after.done == 7
        assert before
        assert after.lease_expires_at
        assert after.lease_expires_at > before

    def test_is_over_once_the_submission_is_withdrawn(
        self, session: Session, submission: Submission
    ) -> None:
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        withdraw_submission(session, submission)

        with pytest.raises(LeaseLostError):
            renew_lease(session, claim, 1, LEASE)


class TestRecovery:
    def test_an_expired_lease_goes_back_to_the_queue_as_a_next_attempt(
        self, session: Session, submission: Submission
    ) -> None:
        claim_submission(session, submission.id, LEASE)
        assert requeue_expired(session, 3) == []
        expire(session, submission)

        assert requeue_expired(session, 3) == [submission.id]
        second = claim_submission(session, submission.id, LEASE)
        assert second
        assert second.attempt == 2

    def test_the_last_attempt_fails_as_our_fault(
        self, session: Session, submission: Submission
    ) -> None:
        for _ in range(3):
            claim_submission(session, submission.id, LEASE)
            expire(session, submission)
            requeue_expired(session, 3)

        failed = reload(session, submission)
        assert (failed.state, failed.reason, failed.attempt) == ("failed", INFRASTRUCTURE, 3)
        assert "does not count against your limit" in (failed.message or "")
        assert failed.finished_at

    def test_a_zombie_changes_nothing(self, session: Session, submission: Submission) -> None:
        reference = make_reference(session)
        zombie = claim_submission(session, submission.id, LEASE)
        assert zombie
        expire(session, submission)
        requeue_expired(session, 3)
        claim_submission(session, submission.id, LEASE)

        for act in (
            lambda: renew_lease(session, zombie, 29, LEASE),
            lambda: finish_submission(session, zombie, reference.id, report(0.5), b"statistics"),
            lambda: fail_submission(session, zombie, "negative", "No."),
            lambda: release_submission(session, zombie, 3),
        ):
            with pytest.raises(LeaseLostError):
                act()
        assert reload(session, submission).state == "running"
        assert session.scalar(select(func.count()).select_from(Score)) == 0

    def test_a_fault_of_ours_queues_it_again(
        self, session: Session, submission: Submission
    ) -> None:
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        release_submission(session, claim, 3)

        again = reload(session, submission)
        assert (again.state, again.lease_expires_at, again.reason) == ("queued", None, None)
        assert unannounced(session, timedelta(seconds=30)) == []

    def test_what_no_worker_was_told_of_is_announced_oldest_first(
        self, session: Session, submission: Submission
    ) -> None:
        later = make_submission(session, submission.participant)
        told = make_submission(session, submission.participant)
        for old, row in enumerate((submission, later)):
            row.queued_at = row.queued_at - timedelta(minutes=2 - old)
        told.announced_at = told.queued_at
        session.flush()

        assert unannounced(session, timedelta(minutes=1)) == [submission.id, later.id]
        told.announced_at = told.queued_at - timedelta(minutes=2)
        session.flush()
        assert told.id in unannounced(session, timedelta(minutes=1))


class TestOutcome:
    def test_a_result_is_state_score_and_statistics_together(
        self, session: Session, submission: Submission
    ) -> None:
        reference = make_reference(session)
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        finish_submission(session, claim, reference.id, report(0.5), b"statistics")

        scored = visible_submission(session, reload(session, submission).id, None)
        assert (scored.state, scored.done, scored.lease_expires_at) == ("scored", 30, None)
        assert [score.overall for score in scored.scores] == [0.5]
        kept = session.get(SubmissionStatistics, submission.id)
        assert kept
        assert kept.statistics == b"statistics"

    def test_a_failure_keeps_its_reason_and_its_sentence(
        self, session: Session, submission: Submission
    ) -> None:
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        fail_submission(session, claim, "negative", "Field 3 is negative.")

        failed = reload(session, submission)
        assert (failed.state, failed.reason) == ("failed", "negative")
        assert failed.message == "Field 3 is negative."

    def test_an_ended_submission_cannot_be_withdrawn(
        self, session: Session, submission: Submission
    ) -> None:
        withdraw_submission(session, submission)

        with pytest.raises(WrongStateError, match="already ended"):
            withdraw_submission(session, submission)

    def test_a_scored_submission_can_be_withdrawn_from_the_board(
        self, session: Session, submission: Submission
    ) -> None:
        reference = make_reference(session)
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        finish_submission(session, claim, reference.id, report(0.5), b"")
        withdraw_submission(session, submission)

        with pytest.raises(NotFoundError):
            visible_submission(session, submission.id, None)
