"""Leaderboards frozen for citation: named by the SHA-256 of what they say."""

import hashlib
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, defer

from board.errors import NotFoundError
from board.models import Snapshot


def keep_snapshot(
    session: Session, track: str, content: bytes, provenance: dict[str, Any]
) -> Snapshot:
    """Keep a leaderboard as it stands; one that says the same is kept once.

    Args:
        session: The transaction.
        track: Whose leaderboard.
        content: The whole document.
        provenance: What each row was made of.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    session.execute(
        insert(Snapshot)
        .values(sha256=sha256, track=track, content=content, provenance=provenance)
        .on_conflict_do_nothing(index_elements=[Snapshot.sha256])
    )
    return read_snapshot(session, sha256)


def read_snapshot(session: Session, sha256: str) -> Snapshot:
    """Return the snapshot of that name.

    Raises:
        NotFoundError: If there is none.
    """
    found = session.get(Snapshot, sha256)
    if found is None:
        raise NotFoundError(f"There is no snapshot {sha256[:64]}.")
    return found


def list_snapshots(session: Session) -> Sequence[Snapshot]:
    """Return every snapshot without its content, the latest first."""
    return session.scalars(
        select(Snapshot).options(defer(Snapshot.content)).order_by(Snapshot.created_at.desc())
    ).all()
