"""Bring back what died: expired leases, unannounced submissions, files without an owner."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from board.copy_checks import next_copy_check
from board.database import get_engine
from board.keeping import Keeping, is_kept, keeping
from board.lifecycle import mark_announced, requeue_expired, unannounced
from board.models import RealFields, Reference, Submission
from board.queue import announce, announce_copy_check
from board.settings import Settings
from board.storage import Storage
from board.ties import compare_with_leader

_log = logging.getLogger(__name__)

_COMPARISONS = 50  # a fraction of a second, in which the process serves no request

SWEEP_LOCK = 0x636F736D6F
"""Key of the advisory lock that whatever sweeps holds: any number that is this lock's alone."""


def sweep(settings: Settings) -> int:
    """Bring submissions back, unless another process is sweeping; return how many were announced.

    It is cheap: run it every few seconds.
    """
    with _only_sweeper() as connection:
        return 0 if connection is None else _sweep(connection, settings)


def remove_orphans(settings: Settings, storage: Storage) -> int:
    """Remove old files that nothing owns, and archives past their time; return how many of these.

    It lists every archive, which costs time and, in a bucket, money: run it every few minutes.
    """
    with _only_sweeper() as connection:
        if connection is None:
            return 0
        return _remove_orphans(connection, storage, settings.orphan_hours * 3600, keeping(settings))


@contextmanager
def _only_sweeper() -> Iterator[Connection | None]:
    """Hold the lock of all that sweeps; None where another process holds it."""
    with get_engine().connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": SWEEP_LOCK}):
            yield None
            return
        try:
            connection.commit()
            yield connection
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": SWEEP_LOCK})
            connection.commit()


def _sweep(connection: Connection, settings: Settings) -> int:
    with Session(connection) as session, session.begin():
        expired = requeue_expired(session, settings.max_attempts)
    for submission_id in expired:
        _log.warning("submission %s lost its worker and is queued again", submission_id)
    with Session(connection) as session, session.begin():
        waiting = unannounced(session, timedelta(seconds=settings.resend_seconds))
    announced = 0
    for submission_id in waiting:
        if not announce(submission_id):
            break
        announced += 1
        with Session(connection) as session, session.begin():
            mark_announced(session, submission_id)
    _announce_copy_check(connection, settings)
    _compare_with_leaders(connection)
    return announced


def _announce_copy_check(connection: Connection, settings: Settings) -> None:
    """Have the next scored submission searched for copies."""
    after, resend = (
        timedelta(seconds=seconds)
        for seconds in (settings.copy_check_seconds, settings.resend_copy_check_seconds)
    )
    with Session(connection) as session, session.begin():
        submission_id = next_copy_check(session, after, resend, settings.max_attempts)
    if submission_id is not None:
        announce_copy_check(submission_id)


def _compare_with_leaders(connection: Connection) -> None:
    """Test some more rows of each track against its leader, so that reading a board need not."""
    with Session(connection) as session, session.begin():
        for reference in session.scalars(select(Reference).where(Reference.is_current)):
            compare_with_leader(session, reference, limit=_COMPARISONS)


def _remove_orphans(
    connection: Connection, storage: Storage, seconds: float, rules: Keeping
) -> int:
    storage.remove_staged_older_than(seconds)
    candidates = storage.archives_older_than(seconds)
    if not candidates:
        return 0
    with Session(connection) as session, session.begin():
        owned = {
            *session.scalars(
                select(Submission.id).where(Submission.id.in_(candidates), is_kept(rules))
            ),
            *session.scalars(select(RealFields.archive_id)),
        }
    orphans = set(candidates) - owned
    for orphan in orphans:
        _log.warning("archive %s belongs to nothing, or is no longer kept: removed", orphan)
        storage.remove(orphan)
    return len(orphans)
