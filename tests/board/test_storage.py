"""Archives on disk and in a bucket: whole or not there, under the same interface."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from board.settings import Settings, SettingsError
from board.storage import ArchiveMissingError, BucketStorage, DiskStorage, Storage, open_storage
from cli.launch.endpoints import HOST, free_port
from tests.buckets import local_bucket

MANY = os.urandom(20 * 2**20)
"""An archive that is put in several parts, and fetched in several chunks."""

UNHYPHENATED = "8d6834ccdfaf41041d4f8ddd3bb1a9c0"
"""An id, but not as archives are named."""


def settings(data: Path, storage_url: str | None = None) -> Settings:
    return Settings(
        database_url="postgresql://u@db/board",
        broker_url="redis://broker/0",
        data=data,
        storage_url=storage_url,
    )


@pytest.fixture(scope="module")
def bucket_url() -> Iterator[str]:
    with local_bucket() as url:
        yield url


@pytest.fixture
def disk(tmp_path: Path) -> Storage:
    return open_storage(settings(tmp_path))


@pytest.fixture
def bucket(tmp_path: Path, bucket_url: str) -> Storage:
    """A storage below a prefix that no other test has."""
    return open_storage(settings(tmp_path, f"{bucket_url}/{uuid4().hex}/board"))


@pytest.fixture(params=["disk", "bucket"])
def storage(request: pytest.FixtureRequest) -> Storage:
    return request.getfixturevalue(request.param)


def keep(storage: Storage, content: bytes = b"fields") -> UUID:
    """Publish an archive."""
    archive = uuid4()
    with storage.stage() as staged:
        staged.write_bytes(content)
        storage.publish(staged, archive)
    return archive


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_the_settings_say_where_archives_are_kept(disk: Storage, bucket: Storage) -> None:
    assert isinstance(disk, DiskStorage)
    assert isinstance(bucket, BucketStorage)


@pytest.mark.parametrize("content", [b"fields", MANY], ids=["small", "many-parts"])
def test_what_is_published_can_be_read_and_removed(storage: Storage, content: bytes) -> None:
    archive = keep(storage, content)

    with storage.archive(archive) as path:
        assert path.read_bytes() == content
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

    assert files(tmp_path) == []
    assert storage.archives_older_than(0) == []


def test_a_bucket_leaves_nothing_on_the_disk(bucket: Storage, tmp_path: Path) -> None:
    with bucket.archive(keep(bucket)):
        pass
    assert files(tmp_path) == []


def test_a_fetch_is_watched_and_can_be_ended(bucket: Storage, tmp_path: Path) -> None:
    archive = keep(bucket, MANY)
    chunks = []
    with bucket.archive(archive, lambda: chunks.append(None)):
        assert len(chunks) > 1

    def give_up() -> None:
        raise TimeoutError("taken away")

    with pytest.raises(TimeoutError, match="taken away"), bucket.archive(archive, give_up):
        pass
    assert files(tmp_path) == []


def test_only_what_is_old_is_swept(storage: Storage, tmp_path: Path) -> None:
    archives = {keep(storage), keep(storage)}
    (tmp_path / "staged" / "dead.npz").write_bytes(b"half")
    (tmp_path / "staged" / "alive.npz").write_bytes(b"half")
    os.utime(tmp_path / "staged" / "dead.npz", (0, 0))

    assert set(storage.archives_older_than(0)) == archives
    assert storage.archives_older_than(3600) == []
    assert storage.remove_staged_older_than(3600) == 1
    assert [path.name for path in (tmp_path / "staged").iterdir()] == ["alive.npz"]


def test_the_age_of_an_archive_on_disk_is_that_of_its_file(disk: Storage, tmp_path: Path) -> None:
    old, _ = keep(disk), keep(disk)
    os.utime(tmp_path / "archives" / f"{old}.npz", (0, 0))

    assert disk.archives_older_than(3600) == [old]


def foreign_file(folder: Path, _: str, name: str) -> None:
    (folder / "archives").mkdir(exist_ok=True)
    (folder / "archives" / name).write_text("keep me")


def foreign_object(_: Path, url: str, name: str) -> None:
    put = f"{os.environ['AWS_ENDPOINT_URL']}/{url.removeprefix('s3://')}/archives/{name}"
    httpx.put(put, content=b"keep me").raise_for_status()


@pytest.mark.parametrize(
    "name", ["README", "readme.npz", f"{UNHYPHENATED}.npz", str(UUID(UNHYPHENATED))]
)
@pytest.mark.parametrize("put", [foreign_file, foreign_object])
def test_a_foreign_file_is_no_archive(
    put: Callable[[Path, str, str], None], name: str, tmp_path: Path, bucket_url: str
) -> None:
    url = f"{bucket_url}/{uuid4().hex}"
    put(tmp_path, url, name)

    storage_url = url if put is foreign_object else None
    assert open_storage(settings(tmp_path, storage_url)).archives_older_than(0) == []


def test_tells_whether_it_can_be_written(storage: Storage) -> None:
    assert storage.is_writable()
    assert storage.free_bytes() > 0


def test_tells_that_a_bucket_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{HOST}:{free_port()}")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")

    storage = open_storage(settings(tmp_path, "s3://away/board"))
    assert not storage.is_writable()
    with pytest.raises(OSError, match=r"^The bucket does not answer: [^\n]*$"):
        keep(storage)
    assert files(tmp_path) == []


def test_speaks_to_a_bucket_without_encryption_only_where_that_is_allowed(
    tmp_path: Path, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert open_storage(settings(tmp_path, bucket_url)).is_writable()
    monkeypatch.delenv("AWS_ALLOW_HTTP")

    assert not open_storage(settings(tmp_path, bucket_url)).is_writable()


def test_settings_of_a_bucket_that_cannot_be_used_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REQUEST_PAYER", "perhaps")

    with pytest.raises(SettingsError, match="STORAGE_URL"):
        open_storage(settings(tmp_path, "s3://bucket/never-opened-before"))
