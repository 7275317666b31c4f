"""What must hold after every fault."""

import hashlib
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from api.complete_upload import tend_uploads
from api.upload_files import UploadFolder
from board.database import transaction
from board.models import Score, Submission, SubmissionStatistics
from board.settings import get_settings
from board.storage import open_storage
from board.sweeper import remove_orphans
from tests.faults.world import World

FINAL = ("scored", "failed", "cancelled")


def wait_until_ended(seconds: float = 60.0) -> bool:
    """Tell whether no submission is under way any more, before the time is over."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with transaction() as session:
                if not session.scalar(select(func.count()).where(Submission.state.not_in(FINAL))):
                    return True
        except SQLAlchemyError:
            pass  # the database is away, too
        time.sleep(0.05)
    return False


def outcomes(accepted: list[UUID]) -> dict[str, int]:
    """Return how many of the accepted submissions are in each state, failures by their reason."""
    with transaction() as session:
        found = session.execute(
            select(Submission.state, Submission.reason).where(Submission.id.in_(accepted))
        ).all()
    names = [f"failed: {reason}" if state == "failed" else state for state, reason in found]
    return {name: names.count(name) for name in sorted(set(names))}


def losses(world: World, accepted: dict[UUID, bytes]) -> list[str]:
    """Return a sentence for everything that was lost; call it when nothing is under way."""
    found = []
    with transaction() as session:
        rows = {row.id: row for row in session.scalars(select(Submission))}
        counts = session.execute(
            select(Score.submission_id, func.count()).group_by(Score.submission_id)
        )
        scores = dict(counts.all())
        kept = set(session.scalars(select(SubmissionStatistics.submission_id)))
    for submission_id, archive in accepted.items():
        if submission_id not in rows:
            found.append(f"{submission_id} was accepted and has no row")
        elif rows[submission_id].sha256 != hashlib.sha256(archive).hexdigest():
            found.append(f"{submission_id} has the hash of other bytes")
    for row in rows.values():
        if row.state not in FINAL:
            found.append(f"{row.id} is still {row.state}")
        if row.state == "failed" and not (row.reason and row.message):
            found.append(f"{row.id} failed without a reason")
        if scores.get(row.id, 0) != (row.state == "scored"):
            found.append(f"{row.id} is {row.state} and has {scores.get(row.id, 0)} scores")
        if (row.id in kept) != (row.state == "scored"):
            found.append(f"{row.id} is {row.state}, statistics kept: {row.id in kept}")
        if _sha256(world.data / "archives" / f"{row.id}.npz") != row.sha256:
            found.append(f"the archive of {row.id} is lost or damaged")
    return found + _orphans(world, set(rows))


def _orphans(world: World, owners: set[UUID]) -> list[str]:
    """Sweep once as if the grace period were over, and return what is left without an owner."""
    settings = get_settings().model_copy(update={"orphan_hours": 1e-9})
    storage = open_storage(settings)
    deadline = time.monotonic() + 10
    while True:  # another process that sweeps just now holds the lock
        remove_orphans(settings, storage)
        tend_uploads(UploadFolder(world.data / "uploads"), storage, settings)
        files = [path for path in world.data.rglob("*") if path.is_file()]
        orphans = [path for path in files if path.stem not in {str(owner) for owner in owners}]
        if not orphans or time.monotonic() > deadline:
            return [f"{path.relative_to(world.data)} is an orphan" for path in orphans]
        time.sleep(0.05)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None
