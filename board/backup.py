"""A board in a folder: its tables and its archives, as they were at one moment.

    manifest.json        what belongs to the backup; written last
    tables/              each table as PostgreSQL's COPY text, gzipped, named by its content
    archives/            each archive under its submission's id

A second backup into the same folder adds what is new. The older one stays whole until the new
manifest replaces its own. A restore puts the archives first and then all tables in one
transaction, so that a board is either empty or complete.
"""

import fcntl
import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TypeVar
from uuid import UUID

from board.backup_manifest import (
    ARCHIVES,
    MANIFEST,
    TABLES,
    BackupError,
    KeptArchive,
    KeptTable,
    Manifest,
    read_manifest,
)
from board.backup_tables import Tables, filling, kept_tables, require_empty, snapshot
from board.storage import ArchiveMissingError, Storage, sync

Progress = Callable[[str, int, int], None]
"""Called with what is being done, and how many of how many are."""

MISSING, DAMAGED = "missing", "damaged"
"""What may be wrong with an archive that should be there."""

_BLOCK = 2**20

T = TypeVar("T")


def write_backup(database_url: str, storage: Storage, folder: Path, progress: Progress) -> Manifest:
    """Write a board into a folder, or bring the backup there up to date; it may be serving.

    The tables are read in one snapshot, then the archives that it names. What is being uploaded is
    left out.

    Raises:
        BackupError: The folder holds another board's backup, or cannot be used.
    """
    for part in (folder, folder / TABLES, folder / ARCHIVES):
        part.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(folder):
        for left in folder.rglob("*.part"):
            left.unlink()
        earlier = read_manifest(folder) if (folder / MANIFEST).exists() else None
        created_at = datetime.now(UTC)
        with snapshot(database_url) as board:
            known = board.archives()
            if earlier:
                _require_same_board(earlier, {archive.submission_id for archive, _ in known})
            revision = board.revision()
            tables = tuple(
                _keep_table(board, *table, folder)
                for table in _counted("tables", tuple(kept_tables()), progress)
            )
        archives, lost = [], {}
        for archive, needed in _counted("archives", known, progress):
            fault = _keep_archive(storage, archive, folder)
            if fault is None:
                archives.append(archive)
            elif needed or fault == DAMAGED:
                lost[archive.submission_id] = fault
        manifest = Manifest(
            created_at, version("cosmoboard"), revision, tables, tuple(archives), lost
        )
        with _temporary(folder) as new:
            new.write_text(manifest.to_json())
            _settle(new, folder / MANIFEST)
        for path in (folder / TABLES).iterdir():
            if path not in {table.path(folder) for table in tables}:
                path.unlink()
        return manifest


def restore_backup(
    database_url: str, storage: Storage, folder: Path, progress: Progress
) -> Manifest:
    """Fill an empty board with a backup; after a failure or a kill, do it again.

    Raises:
        BackupError: The backup is damaged or of a newer Cosmoboard, or the board is not empty.
    """
    manifest = read_manifest(folder)
    require_empty(database_url, manifest.revision)
    for table in _counted("checking", manifest.tables, progress):
        if _sha256(_unpacked(folder, table)) != table.sha256:
            raise BackupError(f"{table.path(folder)} is damaged.")
    for archive in _counted("archives", manifest.archives, progress):
        _bring_back(storage, archive, folder)
    with filling(database_url, manifest.revision) as board:
        for table in _counted("tables", manifest.tables, progress):
            board.copy_in(table, _unpacked(folder, table))
            if _sha256(board.copy_out(table.name, table.columns, table.key)) != table.sha256:
                raise BackupError(f"The table {table.name} did not come back as it was.")
    return manifest


def _counted(what: str, items: Sequence[T], progress: Progress) -> Iterator[T]:
    """Yield the items, and tell before each how many went before."""
    for done, item in enumerate(items):
        progress(what, done, len(items))
        yield item
    progress(what, len(items), len(items))


def _require_same_board(earlier: Manifest, known: set[UUID]) -> None:
    """Submissions are never deleted: a board knows all that an earlier backup of it holds."""
    for archive in earlier.archives:
        if archive.submission_id not in known:
            raise BackupError(
                "The folder holds the backup of another board: this one has never had submission "
                f"{archive.submission_id}. Choose another folder."
            )


def _keep_table(
    board: Tables, name: str, columns: tuple[str, ...], key: tuple[str, ...], folder: Path
) -> KeptTable:
    """Write a table under a name made of its content."""
    digest, rows = hashlib.sha256(), 0
    with _temporary(folder / TABLES) as path:
        with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
            for block in board.copy_out(name, columns, key):
                digest.update(block)
                rows += block.count(b"\n")
                file.write(block)
        table = KeptTable(name, columns, key, rows, digest.hexdigest())
        _settle(path, table.path(folder))
    return table


def _keep_archive(storage: Storage, archive: KeptArchive, folder: Path) -> str | None:
    """Copy an archive and return what is wrong with it; one that is there was checked before."""
    target = archive.path(folder)
    if target.exists():
        return None
    try:
        with storage.archive(archive.submission_id) as source, _temporary(target.parent) as path:
            if _copy(source, path) != archive.sha256:
                return DAMAGED
            _settle(path, target)
    except (ArchiveMissingError, FileNotFoundError):
        return MISSING
    return None


def _bring_back(storage: Storage, archive: KeptArchive, folder: Path) -> None:
    """Publish an archive of the backup, unless the store has it already."""
    if _is_kept(storage, archive):
        return
    source = archive.path(folder)
    with storage.stage() as staged:
        try:
            sha256 = _copy(source, staged)
        except FileNotFoundError:
            raise BackupError(f"{source} is missing from the backup.") from None
        if sha256 != archive.sha256:
            raise BackupError(f"{source} is damaged.")
        storage.publish(staged, archive.submission_id)


def _is_kept(storage: Storage, archive: KeptArchive) -> bool:
    try:
        with storage.archive(archive.submission_id) as path, path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == archive.sha256
    except ArchiveMissingError:
        return False


def _unpacked(folder: Path, table: KeptTable) -> Iterator[bytes]:
    path = table.path(folder)
    try:
        with gzip.open(path, "rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except FileNotFoundError:
        raise BackupError(f"{path} is missing from the backup.") from None
    except (EOFError, OSError, zlib.error) as error:
        raise BackupError(f"{path} is damaged ({error}).") from None


def _sha256(blocks: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()


def _copy(source: Path, target: Path) -> str:
    """Copy a file and return the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as written:
        while block := read.read(_BLOCK):
            digest.update(block)
            written.write(block)
    return digest.hexdigest()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise BackupError(f"Another backup is being written into {folder}.") from None
    finally:
        os.close(descriptor)


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """Give a path for a file that is made in steps."""
    with NamedTemporaryFile(dir=folder, suffix=".part", delete=False) as file:
        path = Path(file.name)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _settle(path: Path, target: Path) -> None:
    """Give a finished file its name, once it is on the disk itself."""
    sync(path)
    path.replace(target)
    sync(target.parent)
