"""The task on a real board: claim, evaluate, record."""

import threading
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from sqlalchemy import func, text, update

from board import database, settings
from board.database import get_engine, transaction
from board.lifecycle import requeue_expired, withdraw_submission
from board.models import Submission
from board.participants import INFRASTRUCTURE, create_participant
from board.references import add_reference
from board.settings import Settings
from board.storage import DiskStorage
from board.submissions import (
    StoredArchive,
    create_submission,
    describe_submission,
    visible_submission,
)
from cli.build_reference import demo_reference
from cubes.archive import write_archive
from cubes.demo import demo_fields

TRACK = "3d-32"


@pytest.fixture(scope="module")
def board(
    database_url: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A board with the demo reference of the smallest track."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("BROKER_URL", broker_url)
        patch.setenv("COSMOBOARD_DATA", str(tmp_path_factory.mktemp("board")))
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()
        with transaction() as session:
            add_reference(session, demo_reference(TRACK))
        yield settings.get_settings()
        with get_engine().begin() as connection:
            connection.execute(text('TRUNCATE participants, "references" CASCADE'))
        get_engine().dispose()
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archives") / "train.npz"
    write_archive(path, demo_fields(TRACK, "train"))
    return path


def queue_archive(board: Settings, content: bytes) -> UUID:
    """Queue an archive as the API does, but unchecked."""
    storage, submission_id = DiskStorage(board.data), uuid4()
    with storage.stage() as staged:
        staged.write_bytes(content)
        storage.publish(staged, submission_id)
    with transaction() as session:
        participant = create_participant(session, "ada")
        new = describe_submission({"track": TRACK, "method": "train"})
        stored = StoredArchive(submission_id, uuid4().hex * 2, len(content))
        create_submission(session, participant, new, stored, 1000)
    return submission_id


def outcome(submission_id: UUID) -> Submission:
    with transaction() as session:
        host = create_participant(session, "host", is_host=True)
        return visible_submission(session, submission_id, host)


def score(submission_id: UUID) -> None:
    from worker.tasks import score_submission

    score_submission(str(submission_id))


def test_scores_an_archive_as_the_board_scores_the_training_set(
    board: Settings, archive: Path
) -> None:
    submission_id = queue_archive(board, archive.read_bytes())
    score(submission_id)

    scored = outcome(submission_id)
    assert (scored.state, scored.attempt, scored.done) == ("scored", 1, 30)
    assert scored.scores[0].report["psd"]["d2"] == pytest.approx(
        scored.scores[0].reference.real_cubes["psd"]["d2"], rel=1e-6
    )


def test_does_nothing_the_second_time(board: Settings, archive: Path) -> None:
    submission_id = queue_archive(board, archive.read_bytes())
    score(submission_id)
    score(submission_id)

    scored = outcome(submission_id)
    assert (scored.attempt, len(scored.scores)) == (1, 1)


def test_two_workers_with_the_same_message_score_it_once(board: Settings, archive: Path) -> None:
    submission_id = queue_archive(board, archive.read_bytes())
    workers = [threading.Thread(target=score, args=(submission_id,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    scored = outcome(submission_id)
    assert (scored.state, scored.attempt, len(scored.scores)) == ("scored", 1, 1)


def test_a_bad_archive_fails_with_a_reason_and_the_next_is_scored(
    board: Settings, archive: Path, tmp_path: Path
) -> None:
    fields = np.stack(list(demo_fields(TRACK, "train")))
    fields[29, 5, 6, 7] = np.nan
    np.savez(tmp_path / "nan.npz", fields=fields)
    bad = queue_archive(board, (tmp_path / "nan.npz").read_bytes())
    good = queue_archive(board, archive.read_bytes())
    score(bad)
    score(good)

    failed = outcome(bad)
    assert (failed.state, failed.reason) == ("failed", "not_finite")
    assert "Field 29" in (failed.message or "")
    assert "(5, 6, 7)" in (failed.message or "")
    assert outcome(good).state == "scored"


def test_past_its_deadline_a_submission_fails_as_too_slow(
    board: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submission_id = queue_archive(board, archive.read_bytes())
    hasty = board.model_copy(
        update={"deadline_seconds": 1e-9, "deadline_seconds_per_megavoxel": 0.0}
    )
    monkeypatch.setattr("worker.tasks.get_settings", lambda: hasty)
    score(submission_id)

    failed = outcome(submission_id)
    assert (failed.state, failed.reason) == ("failed", "too_slow")


def test_a_fault_of_ours_is_tried_three_times_and_then_told(board: Settings) -> None:
    submission_id = queue_archive(board, b"will be gone")
    DiskStorage(board.data).remove(submission_id)

    for attempt in (1, 2):
        score(submission_id)
        assert (outcome(submission_id).state, outcome(submission_id).attempt) == ("queued", attempt)
    score(submission_id)
    failed = outcome(submission_id)
    assert (failed.state, failed.reason, failed.attempt) == ("failed", INFRASTRUCTURE, 3)


def test_a_worker_that_lost_its_lease_discards_its_result(
    board: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker import tasks

    submission_id = queue_archive(board, archive.read_bytes())
    evaluate = tasks.evaluate_archive

    def evaluate_too_long(*args, **kwargs):  # type: ignore[no-untyped-def]
        evaluation = evaluate(*args, **kwargs)
        with transaction() as session:
            session.execute(
                update(Submission)
                .where(Submission.id == submission_id)
                .values(lease_expires_at=func.clock_timestamp() - text("interval '1 s'"))
            )
            requeue_expired(session, 3)
        return evaluation

    monkeypatch.setattr(tasks, "evaluate_archive", evaluate_too_long)
    score(submission_id)
    assert outcome(submission_id).state == "queued"

    monkeypatch.undo()
    score(submission_id)
    scored = outcome(submission_id)
    assert (scored.state, scored.attempt, len(scored.scores)) == ("scored", 2, 1)


def test_a_withdrawn_submission_is_let_go(
    board: Settings, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from worker import tasks

    submission_id = queue_archive(board, archive.read_bytes())
    evaluate = tasks.evaluate_archive

    def evaluate_while_withdrawn(*args, **kwargs):  # type: ignore[no-untyped-def]
        with transaction() as session:
            submission = session.get(Submission, submission_id)
            assert submission
            withdraw_submission(session, submission)
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(tasks, "evaluate_archive", evaluate_while_withdrawn)
    score(submission_id)

    assert outcome(submission_id).state == "cancelled"
    assert outcome(submission_id).scores == []
