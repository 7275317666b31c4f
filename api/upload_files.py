"""The files of uploads under way: each as long as its offset, each with one writer at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from api.problems import RequestError


class UploadFile:
    """The file of one upload, held by the only process and request that may write it."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor

    @property
    def offset(self) -> int:
        """Bytes that have arrived: the file's true size."""
        return os.fstat(self._descriptor).st_size

    def append(self, block: bytes) -> None:
        """Write the next bytes; what is written when an error strikes has arrived.

        Raises:
            RequestError: `upload_gone`, if the file was removed meanwhile.
            OSError: The file cannot be written.
        """
        if not os.fstat(self._descriptor).st_nlink:
            raise gone()
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]


@dataclass(frozen=True)
class UploadFolder:
    """The folder that holds them, each named by the id of its submission."""

    folder: Path

    def offset(self, upload_id: UUID) -> int:
        """Return how many bytes have arrived, also while others are written."""
        try:
            return self._path(upload_id).stat().st_size
        except FileNotFoundError:
            return 0

    @contextmanager
    def locked(self, upload_id: UUID) -> Iterator[UploadFile]:
        """Hold the upload's file, made if there is none, against every other process.

        The kernel lets go of it when this process dies.

        Raises:
            RequestError: `upload_locked`, if another request holds it.
        """
        path = self._path(upload_id)
        descriptor = self._open_locked(path)
        try:
            yield UploadFile(path, descriptor)
        finally:
            os.close(descriptor)

    def _open_locked(self, path: Path) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(descriptor).st_nlink:
                    return descriptor
            except BlockingIOError:
                os.close(descriptor)
                raise RequestError(
                    "upload_locked", "Another request is writing this upload: try again soon."
                ) from None
            os.close(descriptor)  # whoever held it has removed it meanwhile

    def remove(self, upload_id: UUID) -> None:
        """Remove the upload's file, if there is one; who is writing it learns so."""
        self._path(upload_id).unlink(missing_ok=True)

    def seconds_idle(self, upload_id: UUID, now: float) -> float | None:
        """Return for how long nothing has arrived, None where nothing ever has."""
        try:
            return now - self._path(upload_id).stat().st_mtime
        except FileNotFoundError:
            return None

    def ids(self) -> list[UUID]:
        """Return the id of every file."""
        found = []
        with suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                with suppress(ValueError):
                    found.append(UUID(path.name))
        return found

    def _path(self, upload_id: UUID) -> Path:
        return self.folder / str(upload_id)


def gone() -> RequestError:
    """Return the refusal of an upload that was withdrawn or has expired."""
    return RequestError("upload_gone", "This upload was withdrawn or has expired: begin it again.")
