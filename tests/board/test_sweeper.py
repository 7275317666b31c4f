"""What the sweeper brings back, with a real broker."""

import os
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import redis
from sqlalchemy import func, text, update

from board import queue
from board.database import get_engine, transaction
from board.lifecycle import claim_submission
from board.models import Submission
from board.settings import Settings
from board.storage import DiskStorage, Storage
from board.sweeper import remove_orphans, sweep
from tests.board.conftest import make_participant, make_reference, make_submission


@pytest.fixture
def broker(board: Settings) -> Iterator[redis.Redis]:
    queue._producer.cache_clear()
    with redis.Redis.from_url(board.broker_url) as broker:
        broker.flushall()
        yield broker
        broker.flushall()
    queue._producer().close()
    queue._producer.cache_clear()


@pytest.fixture
def storage(board: Settings) -> Storage:
    return DiskStorage(board.data)


def queued_submission() -> UUID:
    with transaction() as session:
        make_reference(session)
        return make_submission(session, make_participant(session)).id


def test_announces_what_no_worker_was_told_of_once(board: Settings, broker: redis.Redis) -> None:
    submission = queued_submission()

    assert sweep(board) == 1
    assert sweep(board) == 0
    messages = broker.lrange("cosmoboard", 0, -1)
    assert len(messages) == 1
    assert queue.SCORE_TASK in messages[0].decode()
    with transaction() as session:
        row = session.get(Submission, submission)
        assert row
        assert row.announced_at


def test_brings_back_a_submission_whose_worker_died(board: Settings, broker: redis.Redis) -> None:
    submission = queued_submission()
    with transaction() as session:
        claim_submission(session, submission, timedelta(seconds=15))
    assert sweep(board) == 0
    with transaction() as session:
        session.execute(
            update(Submission).values(
                lease_expires_at=func.clock_timestamp() - timedelta(seconds=1)
            )
        )

    assert sweep(board) == 1
    with transaction() as session:
        row = session.get(Submission, submission)
        assert row
        assert (row.state, row.attempt) == ("queued", 1)


def test_leaves_the_work_to_another_that_is_sweeping(board: Settings, broker: redis.Redis) -> None:
    queued_submission()
    from board.sweeper import SWEEP_LOCK

    with get_engine().connect() as other:
        other.execute(text("SELECT pg_advisory_lock(:key)"), {"key": SWEEP_LOCK})
        assert sweep(board) == 0
    get_engine().dispose()
    assert sweep(board) == 1


def test_keeps_what_cannot_be_announced_for_the_next_sweep(
    board: Settings, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued_submission()
    nobody = board.model_copy(update={"broker_url": "redis://127.0.0.1:1/0"})
    monkeypatch.setattr(queue, "get_settings", lambda: nobody)
    queue._producer.cache_clear()
    assert sweep(board) == 0

    monkeypatch.undo()
    queue._producer.cache_clear()
    os.environ.update(DATABASE_URL=board.database_url, BROKER_URL=board.broker_url)
    assert sweep(board) == 1


def test_removes_old_files_without_a_row_and_no_others(
    board: Settings, storage: Storage, broker: redis.Redis
) -> None:
    owned, orphan, young = queued_submission(), uuid4(), uuid4()
    for archive in (owned, orphan, young):
        with storage.stage() as staged:
            staged.write_bytes(b"fields")
            storage.publish(staged, archive)
    for archive in (owned, orphan):
        os.utime(board.data / "archives" / f"{archive}.npz", (0, 0))
    assert remove_orphans(board, storage) == 1

    left = {path.stem for path in (board.data / "archives").iterdir()}
    assert left == {str(owned), str(young)}
