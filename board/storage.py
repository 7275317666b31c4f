"""Archives on disk: staged under a name of their own, then published under the submission's id."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4


class ArchiveMissingError(Exception):
    """The archive of a submission is not in the store."""


@dataclass(frozen=True)
class Storage:
    """The archives below one folder: `staged/` while they arrive, `archives/` once whole."""

    folder: Path

    @property
    def _staged(self) -> Path:
        return self.folder / "staged"

    @property
    def _archives(self) -> Path:
        return self.folder / "archives"

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """Give a path to write an archive to; what is not published is removed."""
        self._staged.mkdir(parents=True, exist_ok=True)
        path = self._staged / f"{uuid4().hex}.npz"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def publish(self, staged: Path, submission_id: UUID) -> None:
        """Make a staged archive the submission's, all of it or nothing, even if power fails."""
        self._archives.mkdir(parents=True, exist_ok=True)
        _sync(staged)
        staged.rename(self._path(submission_id))
        _sync(self._archives)

    @contextmanager
    def archive(self, submission_id: UUID) -> Iterator[Path]:
        """Give a local path to read the submission's archive from.

        Raises:
            ArchiveMissingError: If there is none.
        """
        path = self._path(submission_id)
        if not path.is_file():
            raise ArchiveMissingError(f"the archive of submission {submission_id} is missing")
        yield path

    def remove(self, submission_id: UUID) -> None:
        """Remove the submission's archive, if there is one."""
        self._path(submission_id).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        """Return the bytes that can still be stored."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    def archives_older_than(self, seconds: float) -> list[UUID]:
        """Return the ids of the archives that were published at least so long ago."""
        return [
            UUID(path.stem)
            for path in _files_older_than(self._archives, seconds)
            if _is_uuid(path.stem)
        ]

    def remove_staged_older_than(self, seconds: float) -> int:
        """Remove what uploads that died have left behind; return how many files."""
        stale = _files_older_than(self._staged, seconds)
        for path in stale:
            path.unlink(missing_ok=True)
        return len(stale)

    def _path(self, submission_id: UUID) -> Path:
        return self._archives / f"{submission_id}.npz"


def _files_older_than(folder: Path, seconds: float) -> list[Path]:
    now = time.time()
    old = []
    with suppress(FileNotFoundError):
        for path in folder.iterdir():
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime >= seconds:
                    old.append(path)
    return old


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _sync(path: Path) -> None:
    """Put a file, or a folder's list of names, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
