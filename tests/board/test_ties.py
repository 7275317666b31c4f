"""Who cannot be told apart from the leader."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy.orm import Session

from board.errors import NotComparableError
from board.leaderboard import leaderboard
from board.lifecycle import claim_submission, finish_submission
from board.models import Reference, Submission
from board.ties import compare_scores, compare_with_leader, contest, tied_with_leader
from scoring.report import LeaveOut
from tests.board.conftest import make_participant, make_reference, make_submission, report

FIELDS = 30


def leave_out(d2: float, seed: int, noise: float = 0.02) -> LeaveOut:
    """Distances about `d2`, that move by a little when any one field is left out."""
    rng = np.random.default_rng(seed)

    def without() -> tuple[tuple[float, ...], ...]:
        moved = d2 * (1 + noise / FIELDS * rng.standard_normal((FIELDS, 3)))
        return tuple(tuple(float(value) for value in row) for row in moved)

    return LeaveOut((d2, d2, d2), without(), without())


def scored(
    session: Session, reference: Reference, name: str, d2: float, seed: int, noise: float = 0.02
) -> Submission:
    """Score a submission of this distance in all three statistics; floors are 0.1."""
    submission = make_submission(session, make_participant(session, name))
    claim = claim_submission(session, submission.id, timedelta(seconds=15))
    assert claim
    found = replace(report(min(1, 0.1 / d2), d2), leave_out=leave_out(d2, seed, noise))
    finish_submission(session, claim, reference.id, found, b"")
    return submission


def ties(session: Session) -> dict[str | None, bool | None]:
    return {row.participant: row.tied_with_leader for row in leaderboard(session, "3d-64")}


def test_rows_within_their_errors_are_tied_and_others_are_not(session: Session) -> None:
    reference = make_reference(session)
    for seed, (name, d2) in enumerate({"ada": 0.5, "bob": 0.505, "eve": 5.0}.items()):
        scored(session, reference, name, d2, seed, noise=0.5)
    assert compare_with_leader(session, reference, limit=10) == 2

    assert ties(session) == {"ada": True, "bob": True, "eve": False, None: None}


def test_a_row_that_was_not_compared_yet_is_not_said_to_be_tied(session: Session) -> None:
    reference = make_reference(session)
    for seed, name in enumerate(("ada", "bob", "eve")):
        scored(session, reference, name, 0.5 + seed / 10, seed)

    assert ties(session) == {"ada": True, "bob": None, "eve": None, None: None}
    assert compare_with_leader(session, reference, limit=1) == 1
    assert ties(session)["bob"] is not None
    assert ties(session)["eve"] is None
    assert compare_with_leader(session, reference, limit=10) == 1
    assert compare_with_leader(session, reference, limit=10) == 0


def test_a_new_leader_is_compared_anew(session: Session) -> None:
    reference = make_reference(session)
    scored(session, reference, "ada", 0.5, 0)
    scored(session, reference, "bob", 0.6, 1)
    compare_with_leader(session, reference, limit=10)
    scored(session, reference, "eve", 0.3, 2)

    assert ties(session) == {"eve": True, "ada": None, "bob": None, None: None}
    assert compare_with_leader(session, reference, limit=10) == 2
    assert ties(session) == {"eve": True, "ada": False, "bob": False, None: None}


def test_more_rows_ask_for_more_evidence(session: Session) -> None:
    reference = make_reference(session)
    scored(session, reference, "ada", 0.5, 0, noise=0.5)
    close = scored(session, reference, "bob", 0.62, 1, noise=0.5)
    compare_with_leader(session, reference, limit=10)
    competing = contest(session, reference.id)
    assert competing
    alone = compare_scores(session, competing_submission(session, "ada"), close.id).log_overall.p
    assert 0.005 < alone < 0.05  # the premise: alone it is told apart, among many it is not
    assert tied_with_leader(session, competing)[competing.others[0]] is False

    for seed in range(2, 22):
        scored(session, reference, f"p{seed}", 0.5, seed, noise=0.5)
    compare_with_leader(session, reference, limit=100)
    assert ties(session)["bob"] is True


def competing_submission(session: Session, name: str) -> UUID:
    [row] = [row for row in leaderboard(session, "3d-64") if row.participant == name]
    assert row.submission
    return row.submission


def test_any_two_scored_submissions_compare_and_the_sign_says_which_is_better(
    session: Session,
) -> None:
    reference = make_reference(session)
    good = scored(session, reference, "ada", 0.2, 0)
    poor = scored(session, reference, "bob", 2.0, 1)

    forth = compare_scores(session, good.id, poor.id)
    back = compare_scores(session, poor.id, good.id)

    assert forth.log_overall.value == pytest.approx(np.log(10))
    assert forth.log_overall.p < 0.001
    assert back.log_overall.value == pytest.approx(-np.log(10))
    assert forth.psd.value < 0


def test_scores_against_different_references_do_not_compare(session: Session) -> None:
    first = scored(session, make_reference(session), "ada", 0.2, 0)
    second = scored(session, make_reference(session, content="b"), "bob", 0.2, 1)

    for a, b in ((first.id, second.id), (first.id, uuid4())):
        with pytest.raises(NotComparableError, match="re-score"):
            compare_scores(session, a, b)


def test_a_score_without_leave_out_distances_is_left_open(session: Session) -> None:
    reference = make_reference(session)
    scored(session, reference, "ada", 0.5, 0)
    old = make_submission(session, make_participant(session, "bob"))
    claim = claim_submission(session, old.id, timedelta(seconds=15))
    assert claim
    finish_submission(session, claim, reference.id, report(0.1, 1.0), b"")

    assert compare_with_leader(session, reference, limit=10) == 0
    assert ties(session)["bob"] is None
