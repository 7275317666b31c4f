"""Who is on the board, in which order, at which rank."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy.orm import Session

from board.leaderboard import REAL_CUBES, Row, best_rows, leaderboard, ranked, standings
from board.lifecycle import add_score, claim_submission, finish_submission, withdraw_submission
from board.models import Submission
from scoring.report import SCORER_VERSION, ScoreReport
from tests.board.conftest import make_participant, make_reference, make_submission, report

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def row(
    overall: float, participant: str = "ada", method: str = "m", minutes: int = 0, d2: float = 0.5
) -> Row:
    return Row(
        rank=None,
        submission=uuid4(),
        method=method,
        participant=participant,
        baseline=False,
        scored_at=NOON + timedelta(minutes=minutes),
        report=report(overall, d2),
    )


def real_row(overall: float) -> Row:
    return Row(None, None, REAL_CUBES, None, False, NOON, report(overall))


def scored(
    session: Session, name: str, overall: float, reference_id: int, **form: str
) -> Submission:
    submission = make_submission(session, make_participant(session, name), **form)
    claim = claim_submission(session, submission.id, timedelta(seconds=15))
    assert claim
    finish_submission(session, claim, reference_id, report(overall), b"")
    return submission


class TestBestRows:
    def test_keeps_the_best_of_each_participant_and_method(self) -> None:
        low, high = row(0.2), row(0.4, minutes=1)
        other_method, other_participant = row(0.1, method="n"), row(0.1, "bob")

        kept = best_rows([low, high, other_method, other_participant])

        assert set(kept) == {high, other_method, other_participant}

    def test_keeps_the_earlier_of_equals(self) -> None:
        earlier, later = row(0.4), row(0.4, minutes=1)

        assert best_rows([later, earlier]) == [earlier]


class TestRanks:
    def test_equal_values_share_a_rank_and_the_next_is_counted_on(self) -> None:
        rows = [row(0.5, "a"), row(0.9, "b"), row(0.5, "c", minutes=1), row(0.1, "d")]

        placed = ranked(rows, "overall")

        assert [(r.participant, r.rank) for r in placed] == [("b", 1), ("a", 2), ("c", 2), ("d", 4)]

    def test_real_cubes_stand_in_order_without_a_rank(self) -> None:
        placed = ranked([row(0.5, "a"), real_row(0.8), row(0.9, "b")], "overall")

        assert [(r.method, r.rank) for r in placed] == [("m", 1), (REAL_CUBES, None), ("m", 2)]

    def test_a_statistic_ranks_by_its_distance_the_smallest_first(self) -> None:
        placed = ranked([row(0.9, "a", d2=2.0), row(0.1, "b", d2=0.0)], "mass")

        assert [r.participant for r in placed] == ["b", "a"]


class TestBoard:
    def test_is_empty_without_a_reference(self, session: Session) -> None:
        assert leaderboard(session, "3d-64") == []

    def test_shows_scored_submissions_of_the_track_alone(self, session: Session) -> None:
        reference = make_reference(session)
        other = make_reference(session, "3d-32")
        best = scored(session, "ada", 0.5, reference.id)
        scored(session, "bob", 0.6, other.id, track="3d-32")
        make_submission(session, make_participant(session, "eve"))
        gone = scored(session, "joe", 0.7, reference.id)
        withdraw_submission(session, gone)

        rows = leaderboard(session, "3d-64")

        assert [r.submission for r in rows] == [None, best.id]
        assert (rows[0].method, rows[1].rank) == (REAL_CUBES, 1)

    def test_shows_scores_against_the_current_reference_alone(self, session: Session) -> None:
        first = make_reference(session)
        scored(session, "ada", 0.5, first.id)
        second = make_reference(session, content="b")
        assert [r.method for r in leaderboard(session, "3d-64")] == [REAL_CUBES]

        fresh = scored(session, "bob", 0.4, second.id)
        assert [r.submission for r in leaderboard(session, "3d-64")] == [None, fresh.id]

    def test_shows_the_score_of_the_latest_scorer(self, session: Session) -> None:
        reference = make_reference(session)
        submission = scored(session, "ada", 0.5, reference.id)
        old = report(0.5)
        newer = ScoreReport(old.psd, old.mass, old.peak, 0.3, None, SCORER_VERSION + ".1")
        add_score(session, submission.id, reference.id, newer)

        assert leaderboard(session, "3d-64")[1].report.overall == 0.3

    def test_is_made_anew_when_something_has_changed_and_not_before(self, session: Session) -> None:
        reference = make_reference(session)
        first = scored(session, "ada", 0.5, reference.id)
        before = standings(session, "3d-64")
        make_submission(session, make_participant(session, "eve"))
        assert standings(session, "3d-64") is before

        first.hidden = True
        session.flush()
        hidden = standings(session, "3d-64")
        assert [r.submission for r in hidden.rows] == [None]
        first.hidden = False
        session.flush()
        shown = standings(session, "3d-64")
        assert shown.version == before.version
        assert [r.submission for r in shown.rows] == [None, first.id]
        better = ScoreReport(
            *(getattr(report(0.9), name) for name in ("psd", "mass", "peak")), 0.9, None, "9"
        )
        add_score(session, first.id, reference.id, better)
        assert standings(session, "3d-64").ranked()[0].report.overall == 0.9
