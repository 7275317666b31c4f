"""What belongs to a backup, as `manifest.json` tells it."""

import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

MANIFEST, TABLES, ARCHIVES = "manifest.json", "tables", "archives"

_FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BackupError(Exception):
    """A backup cannot be written or restored; the message says why and what to do."""


@dataclass(frozen=True)
class KeptTable:
    """One table: its name, columns and primary key, how many rows, and what its text hashes to."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rows: int
    sha256: str

    def path(self, folder: Path) -> Path:
        """Return where the table is in a backup."""
        return folder / TABLES / f"{self.name}-{self.sha256[:16]}.copy.gz"


@dataclass(frozen=True)
class KeptArchive:
    """The archive of one submission."""

    submission_id: UUID
    sha256: str
    size: int

    def path(self, folder: Path) -> Path:
        """Return where the archive is in a backup."""
        return folder / ARCHIVES / f"{self.submission_id}.npz"


@dataclass(frozen=True)
class Manifest:
    """A whole backup.

    Attributes:
        created_at: When the tables were read.
        version: Of the Cosmoboard that wrote it.
        revision: Of the database's schema.
        tables: In an order in which they can be filled.
        archives: Those that are kept.
        lost: Submissions whose archive should have been there, and what is wrong with it.
    """

    created_at: datetime
    version: str
    revision: str
    tables: tuple[KeptTable, ...]
    archives: tuple[KeptArchive, ...]
    lost: dict[UUID, str]

    def summary(self) -> str:
        """Say what is kept, as the beginning of a sentence."""
        rows = {table.name: table.rows for table in self.tables}
        gigabytes = sum(archive.size for archive in self.archives) / 1e9
        return (
            f"{rows['submissions']} submissions of {rows['participants']} participants and "
            f"{len(self.archives)} archives ({gigabytes:.2f} GB)"
        )

    def to_json(self) -> str:
        """Return the text of the manifest."""
        content = {"format": _FORMAT, **asdict(self), "lost": _by_text(self.lost)}
        return json.dumps(content, indent=1, default=str) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """Read what belongs to the backup in a folder.

    Raises:
        BackupError: There is none, or one that cannot be read.
    """
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text())
        if content["format"] != _FORMAT:
            raise BackupError(
                f"{path} is of another format than this Cosmoboard's: use the version that wrote "
                f"it ({content['version']})."
            )
        return Manifest(
            created_at=datetime.fromisoformat(content["created_at"]),
            version=content["version"],
            revision=content["revision"],
            tables=tuple(map(_table, content["tables"])),
            archives=tuple(map(_archive, content["archives"])),
            lost={UUID(archive): fault for archive, fault in content["lost"].items()},
        )
    except FileNotFoundError:
        raise BackupError(
            f"There is no complete backup in {folder}: it has no {MANIFEST}."
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BackupError(f"{path} is damaged ({error}).") from None


def _table(content: dict[str, Any]) -> KeptTable:
    names = [content["name"], *content["columns"], *content["key"]]
    if not all(map(_NAME.fullmatch, names)) or not _SHA256.fullmatch(content["sha256"]):
        raise ValueError("a table has an impossible name or checksum")
    columns, key = tuple(content["columns"]), tuple(content["key"])
    return KeptTable(content["name"], columns, key, int(content["rows"]), content["sha256"])


def _archive(content: dict[str, Any]) -> KeptArchive:
    if not _SHA256.fullmatch(content["sha256"]):
        raise ValueError("an archive has an impossible checksum")
    return KeptArchive(UUID(content["submission_id"]), content["sha256"], int(content["size"]))


def _by_text(lost: dict[UUID, str]) -> dict[str, str]:
    return {str(archive): fault for archive, fault in lost.items()}
