"""A board of its own for each test: a migrated database, emptied afterwards, and factories."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from board import database, settings
from board.models import Participant, Reference, Submission
from board.participants import create_participant
from board.references import NewReference, add_reference
from board.submissions import StoredArchive, create_submission, describe_submission
from scoring.report import Floor, Level, ScoreReport, StatisticScore

LEVEL = Level(0.1, 0.01)
FLOOR = Floor(LEVEL, LEVEL, LEVEL)


@pytest.fixture
def board(
    database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[settings.Settings]:
    """Settings of a board that is empty before and after."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("BROKER_URL", broker_url)
    monkeypatch.setenv("COSMOBOARD_DATA", str(tmp_path))
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()
    yield settings.get_settings()
    with database.get_engine().begin() as connection:
        connection.execute(
            text('TRUNCATE participants, "references", snapshots RESTART IDENTITY CASCADE')
        )
    database.get_engine().dispose()
    settings.get_settings.cache_clear()
    database.get_engine.cache_clear()


@pytest.fixture
def session(board: settings.Settings) -> Iterator[Session]:
    """One transaction on the board, rolled back."""
    with Session(database.get_engine(), expire_on_commit=False) as session:
        yield session


def report(overall: float, d2: float = 0.5) -> ScoreReport:
    """Return a report of the given overall share, all three d² alike."""
    score = StatisticScore(
        d2=d2,
        score=1 / d2 if d2 else None,
        d2_jackknife=None,
        ci95=None,
        floor=0.1,
        floor_spread=0.01,
        scatter_ratio=1.0,
    )
    return ScoreReport(score, score, score, overall, None)


def make_reference(session: Session, track: str = "3d-64", content: str = "a") -> Reference:
    """Make a current reference without fields."""
    return add_reference(
        session,
        NewReference(
            track=track,
            content_hash=content * 64,
            label="made for a test",
            provenance={},
            held_out=b"",
            training=b"",
            floor=FLOOR,
            real_cubes=report(0.9, 0.11),
        ),
    )


def make_participant(session: Session, name: str = "ada") -> Participant:
    """Make a participant."""
    return create_participant(session, name)


def make_submission(
    session: Session, participant: Participant, limit: int = 1000, **form: str
) -> Submission:
    """Queue a submission of an archive that no other has."""
    return create_submission(
        session,
        participant,
        describe_submission({"track": "3d-64", "method": "mine", **form}),
        StoredArchive(uuid4(), uuid4().hex * 2, 1000),
        limit,
    )


def reload(session: Session, submission: Submission) -> Submission:
    """Return the submission as the database has it now."""
    session.refresh(submission)
    return submission


@pytest.fixture
def submission(session: Session) -> Submission:
    make_reference(session)
    return make_submission(session, make_participant(session))
