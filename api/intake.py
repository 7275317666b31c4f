"""From an archive that has arrived to a queued submission."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import anyio

from api.problems import RequestError
from board.database import transaction
from board.errors import BoardError
from board.keeping import keeping, require_room
from board.lifecycle import mark_announced
from board.models import Participant
from board.queue import announce
from board.settings import Settings
from board.storage import Storage
from board.submissions import (
    NewSubmission,
    StoredArchive,
    create_submission,
    require_submittable,
    submission_of_key,
)
from cubes.archive import inspect_archive
from cubes.tracks import TRACKS, Track

_BYTES_PER_VOXEL = 8  # float64, the widest that is kept
_BYTES_PER_FIELD = 1024  # zip and array headers, names
_SLACK = 2**20

_INTAKE = anyio.CapacityLimiter(4)  # an archive's directory may take tens of megabytes

T = TypeVar("T")


@dataclass(frozen=True)
class ReceivedArchive:
    """An archive as it arrived: where it lies, and what its bytes are."""

    path: Path
    sha256: str
    size: int


def archive_limit(track: Track) -> int:
    """Return the most bytes that an archive of the track can need."""
    return track.count * (track.voxels * _BYTES_PER_VOXEL + _BYTES_PER_FIELD) + _SLACK


async def in_intake(work: Callable[[], T]) -> T:
    """Run what looks into an archive in a thread, few at a time."""
    return await anyio.to_thread.run_sync(work, limiter=_INTAKE)


LARGEST_ARCHIVE = max(archive_limit(track) for track in TRACKS.values())
"""Most bytes of any archive: the limit as long as the track is not known."""


def require_size(size: int, track: Track | None) -> None:
    """Refuse an archive of more bytes than its track can need.

    Raises:
        RequestError: `body_too_large`.
    """
    limit = archive_limit(track) if track else LARGEST_ARCHIVE
    if size > limit:
        whose = f"of {track.name} " if track else ""
        raise RequestError(
            "body_too_large",
            f"An archive {whose}has at most {limit} bytes: save float32, compressed.",
        )


def require_space(size: int, storage: Storage) -> None:
    """Refuse what cannot be stored before it is sent.

    Raises:
        RequestError: `storage_full`.
    """
    if size > storage.free_bytes():
        raise RequestError(
            "storage_full", "The service has no space left for archives: try again later."
        )


def require_welcome(
    participant: Participant,
    track: str,
    idempotency_key: str | None,
    settings: Settings,
    size: int,
) -> None:
    """Refuse early what `queue_archive` would refuse once all bytes are here.

    Raises:
        NoReferenceError: If the track cannot be scored.
        QuotaExceededError: If the daily limit is used up, unless the request repeats another.
        StorageLimitError: If `size` bytes are more than the participant may still have kept.
    """
    with transaction() as session:
        if idempotency_key is None or not submission_of_key(session, participant, idempotency_key):
            require_submittable(session, participant, track, settings.daily_limit)
            require_room(session, participant, size, keeping(settings))


def queue_archive(
    participant: Participant,
    new: NewSubmission,
    archive: ReceivedArchive,
    storage: Storage,
    settings: Settings,
) -> UUID:
    """Check an archive's headers, keep it, queue its submission and wake a worker.

    Returns:
        The id of the submission: an earlier one, where the idempotency key was used before.

    Raises:
        ArchiveError: If the archive cannot be scored.
        BoardError: If the submission is refused; nothing of it is kept.
    """
    inspect_archive(archive.path, TRACKS[new.track])
    submission_id = uuid4()
    storage.publish(archive.path, submission_id)
    stored = StoredArchive(submission_id, archive.sha256, archive.size)
    try:
        with transaction() as session:
            queued = create_submission(
                session, participant, new, stored, settings.daily_limit, keeping(settings)
            ).id
    except BoardError:
        storage.remove(submission_id)
        raise
    # Any other error may have struck after the commit: the archive stays until the sweeper knows.
    if queued != submission_id:
        storage.remove(submission_id)
    elif announce(submission_id):
        with transaction() as session:
            mark_announced(session, submission_id)
    return queued
