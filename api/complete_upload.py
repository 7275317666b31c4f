"""What happens once the last byte of an upload is here, whoever notices it.

That is the request that brings the byte, or, if the service dies just then, a later HEAD or the
sweep. Every step can be repeated; the file is removed last.
"""

import hashlib
import logging
import os
import time
from datetime import timedelta
from uuid import UUID

from api.problems import RequestError
from api.upload_files import UploadFile, UploadFolder
from board.database import transaction
from board.errors import DuplicateArchiveError, WrongStateError
from board.lifecycle import mark_announced
from board.models import Submission
from board.queue import announce
from board.settings import Settings
from board.storage import Storage
from board.submissions import StoredArchive
from board.uploads import cancel_upload, is_older_than, open_uploads, queue_upload, refuse_upload
from cubes.archive import ArchiveError, inspect_archive
from cubes.tracks import TRACKS

_log = logging.getLogger(__name__)


def complete_upload(
    upload: Submission, file: UploadFile, folder: UploadFolder, storage: Storage
) -> None:
    """Check an archive that has arrived, keep it, queue its submission and wake a worker.

    An archive that cannot be scored ends its submission as `failed`, with the reason.
    """
    if _is_uploading(upload.id):
        try:
            archive = _checked_archive(upload, file)
            _keep(upload, file, archive, storage)
        except (ArchiveError, DuplicateArchiveError) as error:
            with transaction() as session:
                refuse_upload(session, upload.id, error.code, str(error))
        except WrongStateError:
            _log.info("submission %s was withdrawn as its archive arrived", upload.id)
    folder.remove(upload.id)


def _is_uploading(upload_id: UUID) -> bool:
    with transaction() as session:
        upload = session.get(Submission, upload_id)
        return upload is not None and upload.state == "uploading"


def _checked_archive(upload: Submission, file: UploadFile) -> StoredArchive:
    with file.path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    if upload.sha256 not in (None, sha256):
        raise ArchiveError(
            "checksum_mismatch",
            f"The archive arrived with SHA-256 {sha256}, not {upload.sha256} as announced: it "
            "changed while it was uploaded, so upload it again.",
        )
    inspect_archive(file.path, TRACKS[upload.track])
    return StoredArchive(upload.id, sha256, file.offset)


def _keep(upload: Submission, file: UploadFile, archive: StoredArchive, storage: Storage) -> None:
    with storage.stage() as staged:
        os.link(file.path, staged)
        storage.publish(staged, upload.id)
    try:
        with transaction() as session:
            queue_upload(session, upload, archive)
    except DuplicateArchiveError:
        storage.remove(upload.id)
        raise
    if announce(upload.id):
        with transaction() as session:
            mark_announced(session, upload.id)


def tend_uploads(folder: UploadFolder, storage: Storage, settings: Settings) -> None:
    """Complete what was stranded at its end, and give up what nobody continues."""
    with transaction() as session:
        uploads = open_uploads(session)
    for upload in uploads:
        try:
            _tend(upload, folder, storage, settings.orphan_hours)
        except Exception:  # the others must not wait for it
            _log.exception("upload %s cannot be completed now", upload.id)
    _remove_leftovers(folder)


def _tend(upload: Submission, folder: UploadFolder, storage: Storage, hours: float) -> None:
    if folder.offset(upload.id) == upload.size:
        complete_stranded(upload, folder, storage)
    elif _is_abandoned(upload, folder, hours):
        _expire(upload, folder, hours)


def complete_stranded(upload: Submission, folder: UploadFolder, storage: Storage) -> None:
    """Complete an upload whose bytes are all here, unless another request is just doing that."""
    try:
        with folder.locked(upload.id) as file:
            if file.offset == upload.size:
                _log.warning("upload %s had arrived, but not its end: completed now", upload.id)
                complete_upload(upload, file, folder, storage)
            elif not file.offset:
                folder.remove(upload.id)  # completed and removed while the lock was waited for
    except RequestError:
        return


def _is_abandoned(upload: Submission, folder: UploadFolder, hours: float) -> bool:
    idle = folder.seconds_idle(upload.id, time.time())
    if idle is not None:
        return idle >= hours * 3600
    with transaction() as session:
        return is_older_than(session, upload, timedelta(hours=hours))


def _expire(upload: Submission, folder: UploadFolder, hours: float) -> None:
    try:
        with transaction() as session:
            cancel_upload(
                session,
                upload.id,
                "upload_expired",
                f"Nothing of the archive has arrived for {hours:g} hours: upload it again.",
            )
    except WrongStateError:
        return
    folder.remove(upload.id)


def _remove_leftovers(folder: UploadFolder) -> None:
    """Remove files of submissions that are not uploading (any more)."""
    found = folder.ids()
    if found:
        with transaction() as session:
            open_ids: set[UUID] = {upload.id for upload in open_uploads(session)}
        for leftover in set(found) - open_ids:
            folder.remove(leftover)
