"""Bring back what died: expired leases, unannounced submissions, files without an owner."""

import logging
from datetime import timedelta

from sqlalchemy import Connection, select, text
from sqlalchemy.orm import Session

from board.database import get_engine
from board.models import Reference, Submission
from board.queue import announce
from board.settings import Settings
from board.storage import Storage
from board.submissions import mark_announced, requeue_expired, unannounced
from board.ties import compare_with_leader

_log = logging.getLogger(__name__)

_COMPARISONS = 50  # a fraction of a second, in which the process serves no request
_SWEEP_LOCK = 0x636F736D6F  # any number that is this lock's alone


def sweep(settings: Settings, storage: Storage) -> int:
    """Sweep once, unless another process is sweeping; return how many were announced."""
    with get_engine().connect() as connection:
        if not connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _SWEEP_LOCK}):
            return 0
        try:
            connection.commit()
            return _sweep(connection, settings, storage)
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _SWEEP_LOCK})
            connection.commit()


def _sweep(connection: Connection, settings: Settings, storage: Storage) -> int:
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
    _compare_with_leaders(connection)
    _remove_orphans(connection, storage, settings.orphan_hours * 3600)
    return announced


def _compare_with_leaders(connection: Connection) -> None:
    """Test some more rows of each track against its leader, so that reading a board need not."""
    with Session(connection) as session, session.begin():
        for reference in session.scalars(select(Reference).where(Reference.is_current)):
            compare_with_leader(session, reference, limit=_COMPARISONS)


def _remove_orphans(connection: Connection, storage: Storage, seconds: float) -> None:
    storage.remove_staged_older_than(seconds)
    candidates = storage.archives_older_than(seconds)
    if not candidates:
        return
    with Session(connection) as session, session.begin():
        owned = set(session.scalars(select(Submission.id).where(Submission.id.in_(candidates))))
    for orphan in set(candidates) - owned:
        _log.warning("archive %s belongs to no submission and is removed", orphan)
        storage.remove(orphan)
