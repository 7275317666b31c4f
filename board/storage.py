"""Archives: staged on the local disk while they arrive, then published to where they are kept.

`open_storage` chooses where that is. Everywhere an archive is whole or not there.
"""

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Protocol
from uuid import UUID, uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from board.settings import Settings, SettingsError

_log = logging.getLogger(__name__)

_CHUNK = 8 * 2**20
_ARCHIVES = "archives"


class ArchiveMissingError(Exception):
    """The archive of a submission is not in the store."""


def _unwatched() -> None:
    pass


class Storage(Protocol):
    """Where archives are kept, each under its id: a submission's, or one of real fields."""

    def stage(self) -> AbstractContextManager[Path]:
        """Give a local path to write an archive to; what is not published is removed."""

    def publish(self, staged: Path, submission_id: UUID) -> None:
        """Make a staged archive the submission's, all of it or nothing, even if power fails."""

    def archive(
        self, submission_id: UUID, watch: Callable[[], None] = _unwatched
    ) -> AbstractContextManager[Path]:
        """Give a local path to read the submission's archive from.

        Args:
            submission_id: Whose archive.
            watch: Called again and again while the archive is fetched, if it has to be; what it
                raises ends that.

        Raises:
            ArchiveMissingError: If there is none.
        """

    def read(self, archive_id: UUID, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes of an archive from `start` to before `stop`, a few megabytes at a time.

        Raises:
            ArchiveMissingError: If there is none.
        """

    def remove(self, submission_id: UUID) -> None:
        """Remove the submission's archive, if there is one."""

    def is_writable(self) -> bool:
        """Tell whether an archive could be taken now."""

    def free_bytes(self) -> int:
        """Return the bytes that can still be staged."""

    def archives_older_than(self, seconds: float) -> list[UUID]:
        """Return the ids of the archives that were published at least so long ago."""

    def remove_staged_older_than(self, seconds: float) -> int:
        """Remove what uploads that died have left behind; return how many files."""


def open_storage(settings: Settings) -> Storage:
    """Return where the settings say that archives are kept.

    That is `settings.storage_url`, with the credentials and the endpoint of the usual `AWS_...`
    variables, or else the data folder.

    Raises:
        SettingsError: The address or one of those variables cannot be used.
    """
    if settings.storage_url is None:
        return DiskStorage(settings.data)
    return BucketStorage(settings.data, _bucket(settings.storage_url, settings.storage_allow_http))


@cache
def _bucket(url: str, allow_http: bool) -> S3Store:
    """Return the bucket, with one pool of connections for this process."""
    try:
        return S3Store.from_url(
            url,
            client_options={
                "allow_http": allow_http,
                "connect_timeout": "5s",
                "read_timeout": "30s",
                "timeout": "1h",
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
        )
    except (BaseError, ValueError) as error:
        raise SettingsError(f"STORAGE_URL cannot be used: {error}") from None


@dataclass(frozen=True)
class _Staging:
    """Archives that arrive, in `staged/` below a folder."""

    folder: Path

    @property
    def _staged(self) -> Path:
        return self.folder / "staged"

    @contextmanager
    def stage(self) -> Iterator[Path]:
        self._staged.mkdir(parents=True, exist_ok=True)
        path = self._staged / f"{uuid4().hex}.npz"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def free_bytes(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def remove_staged_older_than(self, seconds: float) -> int:
        stale = _files_older_than(self._staged, seconds)
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def _can_stage(self) -> bool:
        try:
            return self.free_bytes() > 0 and os.access(self.folder, os.W_OK)
        except OSError:
            return False


@dataclass(frozen=True)
class DiskStorage(_Staging):
    """Archives in `archives/` below the folder where they are staged."""

    @property
    def _archives(self) -> Path:
        return self.folder / _ARCHIVES

    def publish(self, staged: Path, submission_id: UUID) -> None:
        """Rename the staged file, once it is on the disk itself."""
        self._archives.mkdir(parents=True, exist_ok=True)
        sync(staged)
        staged.rename(self._path(submission_id))
        sync(self._archives)

    @contextmanager
    def archive(
        self, submission_id: UUID, watch: Callable[[], None] = _unwatched
    ) -> Iterator[Path]:
        """Give the path of the archive itself."""
        path = self._path(submission_id)
        if not path.is_file():
            raise _missing(submission_id)
        yield path

    def read(self, archive_id: UUID, start: int, stop: int) -> Iterator[bytes]:
        """Yield some of the archive's bytes."""
        try:
            file = self._path(archive_id).open("rb")
        except FileNotFoundError:
            raise _missing(archive_id) from None
        with file:
            file.seek(start)
            while start < stop and (block := file.read(min(_CHUNK, stop - start))):
                start += len(block)
                yield block

    def remove(self, submission_id: UUID) -> None:
        """Remove the submission's archive, if there is one."""
        self._path(submission_id).unlink(missing_ok=True)

    def is_writable(self) -> bool:
        """Tell whether the folder can be written."""
        return self._can_stage()

    def archives_older_than(self, seconds: float) -> list[UUID]:
        """Return the ids of the archives that were published at least so long ago."""
        names = (path.name for path in _files_older_than(self._archives, seconds))
        return [archive for name in names if (archive := _archive_id(name))]

    def _path(self, submission_id: UUID) -> Path:
        return self._archives / _archive_name(submission_id)


@dataclass(frozen=True)
class BucketStorage(_Staging):
    """Archives as objects below `archives/` of a bucket; the folder only stages them."""

    bucket: S3Store

    def publish(self, staged: Path, submission_id: UUID) -> None:
        """Put the archive: the object exists once its last byte has arrived."""
        with _bucket_errors():
            obstore.put(self.bucket, _key(submission_id), staged, chunk_size=_CHUNK)

    @contextmanager
    def archive(
        self, submission_id: UUID, watch: Callable[[], None] = _unwatched
    ) -> Iterator[Path]:
        """Fetch the archive to a staged file, which is removed afterwards."""
        with self.stage() as path:
            with _bucket_errors(), path.open("wb") as file:
                try:
                    found = obstore.get(self.bucket, _key(submission_id))
                except FileNotFoundError:
                    raise _missing(submission_id) from None
                for chunk in found.stream(_CHUNK):
                    watch()
                    file.write(chunk)
            yield path

    def read(self, archive_id: UUID, start: int, stop: int) -> Iterator[bytes]:
        """Yield some of the archive's bytes, as they come from the bucket."""
        with _bucket_errors():
            try:
                found = obstore.get(self.bucket, _key(archive_id), options={"range": (start, stop)})
            except FileNotFoundError:
                raise _missing(archive_id) from None
            for block in found.stream(_CHUNK):
                yield bytes(block)

    def remove(self, submission_id: UUID) -> None:
        """Remove the submission's archive, if there is one."""
        with suppress(FileNotFoundError), _bucket_errors():
            obstore.delete(self.bucket, _key(submission_id))

    def is_writable(self) -> bool:
        """Tell whether archives can be staged and the bucket answers."""
        try:
            with _bucket_errors():
                next(iter(obstore.list(self.bucket, _ARCHIVES, chunk_size=1)), None)
        except OSError as error:
            _log.warning("%s", error)
            return False
        return self._can_stage()

    def archives_older_than(self, seconds: float) -> list[UUID]:
        """Return the ids of the archives that were published at least so long ago."""
        latest = datetime.now(UTC) - timedelta(seconds=seconds)
        with _bucket_errors():
            return [
                archive
                for found in obstore.list(self.bucket, _ARCHIVES, chunk_size=1000)
                for item in found
                if item["last_modified"] <= latest
                and (archive := _archive_id(item["path"].removeprefix(f"{_ARCHIVES}/")))
            ]


def _archive_name(submission_id: UUID) -> str:
    return f"{submission_id}.npz"


def _archive_id(name: str) -> UUID | None:
    """Return whose archive has this name; None where it is no archive's."""
    with suppress(ValueError):
        archive = UUID(name.removesuffix(".npz"))
        return archive if _archive_name(archive) == name else None
    return None


@contextmanager
def _bucket_errors() -> Iterator[None]:
    """Tell what goes wrong with a bucket as what goes wrong with a disk is told, in one line."""
    try:
        yield
    except BaseError as error:
        raise OSError(f"The bucket does not answer: {str(error).splitlines()[0]}") from error


def _key(submission_id: UUID) -> str:
    return f"{_ARCHIVES}/{_archive_name(submission_id)}"


def _missing(submission_id: UUID) -> ArchiveMissingError:
    return ArchiveMissingError(f"the archive {submission_id} is missing")


def _files_older_than(folder: Path, seconds: float) -> list[Path]:
    now = time.time()
    old = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime >= seconds:
                    old.append(path)
    return old


def sync(path: Path) -> None:
    """Put a file, or a folder's list of names, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
