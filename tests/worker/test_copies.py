"""A submission of copies is flagged, with evidence; what held-out fields say is for the host."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
import redis
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import InvalidRequestError

from api.submissions import submission_body
from board import database, queue, settings
from board.copy_checks import held_out_copies, next_copy_check, record_copies
from board.database import get_engine, transaction
from board.lifecycle import withdraw_submission
from board.models import CopyCheck, RealFields, Submission
from board.participants import create_participant
from board.settings import Settings
from board.storage import DiskStorage, open_storage
from board.submissions import (
    StoredArchive,
    create_submission,
    describe_submission,
    visible_submission,
)
from board.sweeper import remove_orphans, sweep
from cli.build_reference import build_reference, keep_reference
from cubes.archive import write_archive
from cubes.augment import symmetries
from cubes.copies import find_copies, find_duplicates, fingerprint
from cubes.demo import demo_fields
from tests.fields import clumpy
from tests.references import field_source

TRACK = "3d-32"
TURN = symmetries(3)[29]
AT_ONCE = timedelta(0)
AN_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def board(
    database_url: str, broker_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """A board whose training set are three real fields, and its held-out set three others."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", database_url)
        patch.setenv("BROKER_URL", broker_url)
        patch.setenv("COSMOBOARD_DATA", str(tmp_path_factory.mktemp("board")))
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()
        storage = open_storage(settings.get_settings())
        source = field_source(real("train"), real("held-out"))
        keep_reference(build_reference(TRACK, source, storage), storage)
        yield settings.get_settings()
        with get_engine().begin() as connection:
            connection.execute(text('TRUNCATE participants, "references" CASCADE'))
        get_engine().dispose()
        settings.get_settings.cache_clear()
        database.get_engine.cache_clear()


@cache
def real(part: str) -> list[np.ndarray]:
    return list(itertools.islice(demo_fields(TRACK, part), 3))


def innocent() -> list[np.ndarray]:
    """Thirty fields of a generator that copies nothing."""
    return [clumpy(32, 3, seed) for seed in range(30)]


def check_copies(submission_id: UUID) -> None:
    from worker import tasks

    tasks.check_copies(str(submission_id))


def queued(board: Settings, fields: list[np.ndarray], tmp_path: Path) -> UUID:
    """Submit fields as the API does."""
    storage, submission_id = DiskStorage(board.data), uuid4()
    with storage.stage() as staged:
        write_archive(staged, [field.astype(np.float32) for field in fields])
        storage.publish(staged, submission_id)
    with transaction() as session:
        participant = create_participant(session, "ada")
        new = describe_submission({"track": TRACK, "method": "copies"})
        stored = StoredArchive(submission_id, uuid4().hex * 2, 1000)
        create_submission(session, participant, new, stored, 1000)
    return submission_id


def score(submission_id: UUID) -> None:
    from worker import tasks

    tasks.score_submission(str(submission_id))


def submitted(board: Settings, fields: list[np.ndarray], tmp_path: Path) -> UUID:
    submission_id = queued(board, fields, tmp_path)
    score(submission_id)
    return submission_id


def end_search(submission_id: UUID) -> None:
    with transaction() as session:
        record_copies(session, submission_id, [], [])


def long_ago(submission_id: UUID) -> None:
    """Say that the search was announced a quarter of an hour ago."""
    with transaction() as session:
        session.execute(
            update(CopyCheck)
            .where(CopyCheck.submission_id == submission_id)
            .values(announced_at=func.clock_timestamp() - timedelta(minutes=15))
        )


def body(submission_id: UUID):
    with transaction() as session:
        return submission_body(session, visible_submission(session, submission_id, None))


def next_search(after: timedelta = AT_ONCE, resend: timedelta = AN_HOUR) -> UUID | None:
    with transaction() as session:
        return next_copy_check(session, after, resend, 3)


def test_copies_are_flagged_after_the_score_which_stays(board: Settings, tmp_path: Path) -> None:
    fields, (one, two, three), hidden = innocent(), real("train"), real("held-out")
    noise = 1 + 0.2 * np.random.default_rng(0).standard_normal(one.shape)
    fields[1] = np.roll(one, (3, 30, 7), (0, 1, 2))
    fields[3] = np.rot90(two, axes=(0, 2))
    fields[5] = three[:, ::-1]
    fields[7] = np.where(np.arange(32)[:, None, None] < 8, one, fields[7])
    fields[9] = np.maximum(np.roll(TURN(two), (1, 3, 5), (0, 1, 2)) * noise, 0)
    fields[20] = np.roll(fields[19], 9, 1)
    fields[25] = hidden[1]

    submission_id = submitted(board, fields, tmp_path)
    scored = body(submission_id)
    assert scored.copy_search is None
    assert next_search() == submission_id
    check_copies(submission_id)

    searched = body(submission_id)
    assert searched.scores == scored.scores
    assert searched.copy_search.reference == searched.reference
    # Where a field has several originals, training fields are told first.
    found = {copy.field: copy for copy in reversed(searched.copy_search.copies)}
    assert {field: (copy.source, copy.original, copy.kind) for field, copy in found.items()} == {
        1: ("training", 0, "exact"),
        3: ("training", 1, "exact"),
        5: ("training", 2, "exact"),
        7: ("training", 0, "partial"),
        9: ("training", 1, "partial"),
        20: ("submission", 19, "exact"),
    }
    assert found[1].shift == [29, 2, 25]
    assert min(copy.significance for copy in found.values()) > 9
    with transaction() as session:
        [secret] = held_out_copies(session, submission_id)
    assert (secret["field"], secret["original"], secret["source"]) == (25, 1, "held-out")
    assert next_search() is None


def test_what_everybody_sees_does_not_depend_on_held_out_fields(board: Settings) -> None:
    """Two fields alike are duplicates whether or not they are held-out ones."""
    fields = [fingerprint(field) for field in (real("held-out")[0], real("held-out")[0])]
    assert [copy.original for copy in find_duplicates(fields)] == [0]
    assert find_copies(fields, [fingerprint(field) for field in real("train")]) == []


def test_a_generator_that_copies_nothing_is_cleared(board: Settings, tmp_path: Path) -> None:
    submission_id = submitted(board, innocent(), tmp_path)
    check_copies(submission_id)
    assert body(submission_id).copy_search.copies == []
    check_copies(submission_id)
    with transaction() as session:
        assert session.get(CopyCheck, submission_id).attempts == 1


def test_a_search_that_never_ends_is_begun_three_times(board: Settings, tmp_path: Path) -> None:
    submission_id = submitted(board, innocent(), tmp_path)
    DiskStorage(board.data).remove(submission_id)
    for _ in range(3):
        with transaction() as session:
            session.execute(
                update(CopyCheck)
                .where(CopyCheck.submission_id == submission_id)
                .values(announced_at=None)
            )
        assert next_search() == submission_id
        with pytest.raises(Exception, match="is missing"):
            check_copies(submission_id)
    assert next_search() is None
    assert body(submission_id).copy_search is None


def test_what_was_announced_is_not_announced_again_at_once(board: Settings, tmp_path: Path) -> None:
    submission_id = submitted(board, innocent(), tmp_path)
    assert next_search(after=AN_HOUR) is None
    assert next_search() == submission_id
    assert next_search() is None
    long_ago(submission_id)
    assert next_search() is None
    assert next_search(resend=timedelta(minutes=2)) == submission_id
    long_ago(submission_id)
    with transaction() as session:
        withdraw_submission(session, session.get(Submission, submission_id))
    assert next_search(resend=AT_ONCE) is None


def test_one_is_searched_at_a_time(board: Settings, tmp_path: Path) -> None:
    """However many worker processes there are, one at most does not score."""
    one, two = (submitted(board, innocent(), tmp_path) for _ in range(2))
    assert next_search() == one
    assert next_search() is None
    end_search(one)
    assert next_search() == two
    end_search(two)


def test_none_is_searched_while_another_waits_to_be_scored(board: Settings, tmp_path: Path) -> None:
    submission_id = submitted(board, innocent(), tmp_path)
    waiting = queued(board, innocent(), tmp_path)
    assert next_search() is None
    score(waiting)
    assert next_search() == submission_id
    for searched in (submission_id, waiting):
        end_search(searched)


def test_the_sweeper_has_it_searched_behind_all_that_is_to_be_scored(
    board: Settings, tmp_path: Path
) -> None:
    submission_id = submitted(board, innocent(), tmp_path)
    queue._producer.cache_clear()
    sweep(board)
    with redis.Redis.from_url(board.broker_url) as broker:
        last = "cosmoboard\x06\x169"  # where the messages of priority 9 are
        assert not any(str(submission_id).encode() in told for told in broker.lrange(last, 0, -1))
        sweep(board.model_copy(update={"copy_check_seconds": 0.0}))
        [message] = [
            told for told in broker.lrange(last, 0, -1) if str(submission_id).encode() in told
        ]
        broker.delete(last)
    assert queue.COPIES_TASK.encode() in message


def test_what_was_found_among_held_out_fields_cannot_be_read_by_mistake(
    board: Settings, tmp_path: Path
) -> None:
    with transaction() as session:
        check = session.query(CopyCheck).first()
        with pytest.raises(InvalidRequestError, match="raiseload"):
            _ = check.held_out_copies


def test_real_fields_belong_to_their_reference(board: Settings) -> None:
    hasty = board.model_copy(update={"orphan_hours": 1e-9})
    with transaction() as session:
        real_fields = set(session.scalars(select(RealFields.archive_id)))
    remove_orphans(hasty, DiskStorage(board.data))
    assert len(real_fields) == 2
    assert real_fields <= set(DiskStorage(board.data).archives_older_than(0))
