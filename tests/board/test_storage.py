"""Archives on disk: whole or not there."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from board.storage import ArchiveMissingError, Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(tmp_path)


def test_what_is_published_can_be_read_and_removed(storage: Storage) -> None:
    archive = uuid4()
    with storage.stage() as staged:
        staged.write_bytes(b"fields")
        storage.publish(staged, archive)

    with storage.archive(archive) as path:
        assert path.read_bytes() == b"fields"
    storage.remove(archive)
    storage.remove(archive)
    with pytest.raises(ArchiveMissingError, match=str(archive)), storage.archive(archive):
        pass


def test_what_is_not_published_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    def cut_upload() -> None:
        with storage.stage() as staged:
            staged.write_bytes(b"half")
            raise RuntimeError("cut")

    with pytest.raises(RuntimeError, match="cut"):
        cut_upload()

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_only_what_is_old_is_swept(storage: Storage, tmp_path: Path) -> None:
    old, new = uuid4(), uuid4()
    for archive in (old, new):
        with storage.stage() as staged:
            staged.write_bytes(b"fields")
            storage.publish(staged, archive)
    abandoned = tmp_path / "staged" / "dead.npz"
    abandoned.write_bytes(b"half")
    fresh = tmp_path / "staged" / "alive.npz"
    fresh.write_bytes(b"half")
    for path in (abandoned, tmp_path / "archives" / f"{old}.npz"):
        os.utime(path, (0, 0))

    assert storage.archives_older_than(3600) == [old]
    assert storage.remove_staged_older_than(3600) == 1
    assert fresh.exists()


def test_a_foreign_file_is_no_archive(storage: Storage, tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "README").write_text("keep me")
    os.utime(tmp_path / "archives" / "README", (0, 0))

    assert storage.archives_older_than(0) == []
