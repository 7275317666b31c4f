"""What becomes a submission, what is refused, and who may see it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from board.database import transaction
from board.errors import (
    DuplicateArchiveError,
    IdempotencyConflictError,
    InvalidSubmissionError,
    NoReferenceError,
    NotFoundError,
    QuotaExceededError,
)
from board.lifecycle import (
    claim_submission,
    finish_submission,
    release_submission,
    withdraw_submission,
)
from board.models import Submission
from board.participants import INFRASTRUCTURE, create_participant
from board.settings import Settings
from board.submissions import (
    StoredArchive,
    create_submission,
    describe_submission,
    own_submission,
    queue_position,
    submissions_of,
    visible_submission,
)
from tests.board.conftest import make_participant, make_reference, make_submission, reload, report

LEASE = timedelta(seconds=15)


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
