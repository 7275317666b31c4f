"""The life of a submission, one state change at a time."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from board.database import transaction
from board.errors import (
    DuplicateArchiveError,
    IdempotencyConflictError,
    InvalidSubmissionError,
    LeaseLostError,
    NoReferenceError,
    NotFoundError,
    QuotaExceededError,
    WrongStateError,
)
from board.models import Score, Submission, SubmissionStatistics
from board.participants import INFRASTRUCTURE, create_participant
from board.settings import Settings
from board.submissions import (
    StoredArchive,
    claim_submission,
    create_submission,
    describe_submission,
    fail_submission,
    finish_submission,
    own_submission,
    queue_position,
    release_submission,
    renew_lease,
    requeue_expired,
    submissions_of,
    unannounced,
    visible_submission,
    withdraw_submission,
)
from tests.board.conftest import make_participant, make_reference, make_submission, report

LEASE = timedelta(seconds=15)


def expire(session: Session, submission: Submission) -> None:
    session.execute(
        update(Submission)
        .where(Submission.id == submission.id)
        .values(lease_expires_at=func.clock_timestamp() - timedelta(seconds=1))
    )


def reload(session: Session, submission: Submission) -> Submission:
    session.refresh(submission)
    return submission


@pytest.fixture
def submission(session: Session) -> Submission:
    make_reference(session)
    return make_submission(session, make_participant(session))


class TestDescription:
    def test_keeps_what_was_given_and_leaves_out_what_is_blank(self) -> None:
        new = describe_submission({"track": "3d-64", "method": " My model ", "url": "  "})

        assert (new.track, new.method, new.url) == ("3d-64", "My model", None)

    @pytest.mark.parametrize(
        ("form", "sentence"),
        [
            ({"method": "m"}, "'track' is missing"),
            ({"track": "3d-64"}, "'method' is missing"),
            ({"track": "3d-64", "method": "   "}, "'method' is missing"),
            ({"track": "3d-65", "method": "m"}, "no track '3d-65'; there are 3d-256, 3d-64"),
            ({"track": "3d-64", "method": "m" * 101}, "at most 100 characters"),
            ({"track": "3d-64", "method": "a\nb"}, "one line of printable"),
            ({"track": "3d-64", "method": "a\u202eb"}, "one line of printable"),
            (
                {"track": "3d-64", "method": "m", "url": "javascript:alert(1)"},
                "must start with https",
            ),
            ({"track": "3d-64", "method": "m", "description": "x" * 5001}, "at most 5000"),
            ({"track": "3d-64", "method": "m", "description": "\x00"}, "NUL"),
            ({"track": "3d-64", "method": "m", "colour": "red"}, "no field 'colour'"),
        ],
    )
    def test_refuses_what_the_page_could_not_show(
        self, form: dict[str, str], sentence: str
    ) -> None:
        with pytest.raises(InvalidSubmissionError, match=sentence):
            describe_submission(form)


class TestCreation:
    def test_queues_the_archive_with_the_count_of_its_track(self, submission: Submission) -> None:
        assert (submission.state, submission.attempt, submission.total) == ("queued", 0, 30)

    def test_needs_a_reference(self, session: Session) -> None:
        with pytest.raises(NoReferenceError, match="3d-64"):
            make_submission(session, make_participant(session))

    def test_refuses_the_same_bytes_on_the_same_track_and_names_the_first(
        self, session: Session, submission: Submission
    ) -> None:
        make_reference(session, "3d-32")
        again = StoredArchive(uuid4(), submission.sha256, submission.size)
        form = {"track": "3d-64", "method": "other"}

        with pytest.raises(DuplicateArchiveError) as refusal:
            create_submission(
                session, submission.participant, describe_submission(form), again, 100
            )
        assert refusal.value.existing == submission.id

        form["track"] = "3d-32"
        elsewhere = create_submission(
            session, submission.participant, describe_submission(form), again, 100
        )
        assert elsewhere.id == again.submission_id

    def test_takes_the_same_bytes_again_once_the_first_is_withdrawn(
        self, session: Session, submission: Submission
    ) -> None:
        withdraw_submission(session, submission)
        again = StoredArchive(uuid4(), submission.sha256, submission.size)
        new = describe_submission({"track": "3d-64", "method": "mine"})

        assert create_submission(session, submission.participant, new, again, 100).state == "queued"

    def test_an_idempotency_key_gives_the_first_submission_back(self, session: Session) -> None:
        make_reference(session)
        ada = make_participant(session)
        new = replace(
            describe_submission({"track": "3d-64", "method": "mine"}), idempotency_key="k1"
        )
        sent = [StoredArchive(uuid4(), sha, 10) for sha in ("a" * 64, "a" * 64, "b" * 64)]

        first = create_submission(session, ada, new, sent[0], 100)

        assert create_submission(session, ada, new, sent[1], 100).id == first.id
        with pytest.raises(IdempotencyConflictError, match=str(first.id)):
            create_submission(session, ada, new, sent[2], 100)


class TestQuota:
    def test_counts_each_participant_and_track_alone(self, session: Session) -> None:
        make_reference(session)
        make_reference(session, "3d-32")
        ada, bob = make_participant(session), make_participant(session, "bob")
        make_submission(session, ada, limit=1)

        with pytest.raises(
            QuotaExceededError, match="daily limit of 1 submissions to 3d-64"
        ) as refusal:
            make_submission(session, ada, limit=1)
        assert 1 <= refusal.value.retry_after <= 24 * 3600
        make_submission(session, ada, limit=1, track="3d-32")
        make_submission(session, bob, limit=1)

    def test_is_free_again_at_midnight_utc(self, session: Session) -> None:
        make_reference(session)
        ada = make_participant(session)
        earlier = make_submission(session, ada, limit=1)
        session.execute(
            text(
                "UPDATE submissions SET created_at = "
                "date_trunc('day', now(), 'UTC') - interval '1 second' WHERE id = :id"
            ),
            {"id": earlier.id},
        )

        make_submission(session, ada, limit=1)

    def test_does_not_count_what_was_withdrawn_before_a_worker_took_it(
        self, session: Session, submission: Submission
    ) -> None:
        withdraw_submission(session, submission)

        make_submission(session, submission.participant, limit=1)

    def test_counts_what_was_withdrawn_later(
        self, session: Session, submission: Submission
    ) -> None:
        claim_submission(session, submission.id, LEASE)
        withdraw_submission(session, submission)

        with pytest.raises(QuotaExceededError):
            make_submission(session, submission.participant, limit=1)

    def test_does_not_count_our_own_failures(
        self, session: Session, submission: Submission
    ) -> None:
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        release_submission(session, claim, max_attempts=1)

        assert reload(session, submission).reason == INFRASTRUCTURE
        make_submission(session, submission.participant, limit=1)

    def test_cannot_be_raced(self, board: Settings) -> None:
        with transaction() as session:
            make_reference(session)
            ada = make_participant(session)

        def submit(_: int) -> bool:
            try:
                with transaction() as session:
                    make_submission(session, ada, limit=5)
            except QuotaExceededError:
                return False
            return True

        with ThreadPoolExecutor(20) as pool:
            accepted = list(pool.map(submit, range(60)))

        assert sum(accepted) == 5


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


class TestVisibility:
    def test_what_is_not_scored_is_its_owners_and_the_hosts(
        self, session: Session, submission: Submission
    ) -> None:
        stranger = make_participant(session, "bob")
        host = create_participant(session, "host", is_host=True)

        for asker in (None, stranger):
            with pytest.raises(NotFoundError):
                visible_submission(session, submission.id, asker)
        for asker in (submission.participant, host):
            assert visible_submission(session, submission.id, asker).id == submission.id

    def test_a_scored_submission_is_anyones_to_see_and_its_owners_to_change(
        self, session: Session, submission: Submission
    ) -> None:
        reference = make_reference(session)
        claim = claim_submission(session, submission.id, LEASE)
        assert claim
        finish_submission(session, claim, reference.id, report(0.5), b"")
        stranger = make_participant(session, "bob")

        assert visible_submission(session, submission.id, stranger).id == submission.id
        with pytest.raises(NotFoundError, match="not yours"):
            own_submission(session, submission.id, stranger)


class TestLists:
    def test_pages_follow_one_another_without_gap_or_overlap(self, session: Session) -> None:
        make_reference(session)
        ada = make_participant(session)
        for _ in range(5):
            make_submission(session, ada)
        make_submission(session, make_participant(session, "bob"))

        seen = []
        last = None
        while page := submissions_of(session, ada, last, 2):
            seen += [row.id for row in page]
            last = page[-1].id

        assert len(seen) == len(set(seen)) == 5

    def test_a_foreign_page_token_is_refused(
        self, session: Session, submission: Submission
    ) -> None:
        with pytest.raises(InvalidSubmissionError, match="page token"):
            submissions_of(session, make_participant(session, "bob"), submission.id, 2)

    def test_the_place_in_the_queue_counts_those_before(self, session: Session) -> None:
        make_reference(session)
        ada = make_participant(session)
        first, second = make_submission(session, ada), make_submission(session, ada)
        first.queued_at = first.queued_at - timedelta(minutes=1)
        session.flush()

        assert (queue_position(session, first), queue_position(session, second)) == (1, 2)
        claim_submission(session, first.id, LEASE)
        assert queue_position(session, reload(session, first)) is None
        assert queue_position(session, second) == 1
