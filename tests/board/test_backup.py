"""A board comes back from its backup exactly as it was, or not at all."""

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.orm import Session

from board.backup import restore_backup, write_backup
from board.backup_manifest import BackupError, Manifest, read_manifest
from board.backup_tables import kept_tables, newest_revision
from board.database import get_engine, make_engine, migrate, transaction
from board.lifecycle import claim_submission, fail_submission, finish_submission
from board.models import Comparison, CopyCheck, RealFields, Reference, Score
from board.participants import create_participant, issue_token
from board.settings import Settings
from board.snapshots import keep_snapshot
from board.storage import DiskStorage, Storage, open_storage
from board.submissions import StoredArchive, create_submission, describe_submission
from board.uploads import open_upload
from tests.board.conftest import make_reference, report
from tests.buckets import local_bucket
from tests.databases import fresh_database

LEASE = timedelta(minutes=5)
ODD = "back\\slash\ttab\nline\r\\N \\. “μ” \U0001f30c"
"""Text of which every character must come back."""


def silent(what: str, done: int, total: int) -> None:
    pass


def queue(storage: Storage, content: bytes, **form: str) -> UUID:
    """Publish an archive and queue its submission, as the API does."""
    archive = uuid4()
    with storage.stage() as staged:
        staged.write_bytes(content)
        storage.publish(staged, archive)
    with transaction() as session:
        ada = create_participant(session, "ada")
        new = describe_submission({"track": "3d-64", "method": "mine", **form})
        stored = StoredArchive(archive, sha256(content).hexdigest(), len(content))
        create_submission(session, ada, new, stored, 1000)
    return archive


@pytest.fixture
def storage(board: Settings) -> Storage:
    return DiskStorage(board.data)


@pytest.fixture
def submissions(board: Settings, storage: Storage) -> dict[str, UUID]:
    """A submission in every state, by state; the board has a host and a reference, too."""
    with transaction() as session:
        reference = make_reference(session)
        issue_token(session, create_participant(session, "host", is_host=True))
    states = ("queued", "running", "scored", "failed")
    made = {state: queue(storage, os.urandom(100_000), description=ODD) for state in states}
    with transaction() as session:
        claim_submission(session, made["running"], LEASE)
        claim = claim_submission(session, made["scored"], LEASE)
        assert claim
        finish_submission(session, claim, reference.id, report(0.5), b"\x00\\x41\xff")
        claim = claim_submission(session, made["failed"], LEASE)
        assert claim
        fail_submission(session, claim, "not_finite", "Field 3 holds NaN.")
        ada = create_participant(session, "ada")
        new = describe_submission({"track": "3d-64", "method": "arriving"})
        made["uploading"] = open_upload(session, ada, new, 10, None, 1000).id
        keep_snapshot(session, "3d-64", b'{"rows": []}', {"rows": []})
        score = session.scalars(select(Score)).one()
        session.add(Comparison(leader_id=score.id, other_id=score.id, p=1.0))
    return made


@pytest.fixture
def real_fields(storage: Storage, submissions: dict[str, UUID]) -> UUID:
    """The training set of the reference, which the scored submission was searched for."""
    archive = uuid4()
    content = os.urandom(50_000)
    with storage.stage() as staged:
        staged.write_bytes(content)
        storage.publish(staged, archive)
    with transaction() as session:
        reference_id = session.scalars(select(Reference.id)).one()
        session.add(
            RealFields(
                archive_id=archive,
                reference_id=reference_id,
                part="training",
                sha256=sha256(content).hexdigest(),
                size=len(content),
            )
        )
        session.add(
            CopyCheck(
                submission_id=submissions["scored"],
                reference_id=reference_id,
                copies=[{"field": 1}],
                held_out_copies=[],
            )
        )
    return archive


@pytest.fixture
def elsewhere(postgres_url: str) -> Iterator[str]:
    """The address of a database without tables."""
    with fresh_database(postgres_url) as url:
        yield url


@pytest.fixture
def other_storage(tmp_path: Path) -> Storage:
    return DiskStorage(tmp_path / "elsewhere")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backup"


@pytest.fixture
def back_up(board: Settings, storage: Storage, folder: Path) -> Callable[[], Manifest]:
    return lambda: write_backup(board.database_url, storage, folder, silent)


@contextmanager
def connected(database_url: str) -> Iterator[Connection]:
    engine = make_engine(database_url)
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def rows(database_url: str) -> dict[str, list[Any]]:
    """Return every row of every table."""
    with connected(database_url) as connection:
        found = {
            name: [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
            for name in inspect(connection).get_table_names()
            if name != "alembic_version"
        }
    return {name: sorted(table, key=lambda row: str(row[0])) for name, table in found.items()}


def is_empty(database_url: str) -> bool:
    return not any(rows(database_url).values())


def archives(storage: Storage) -> dict[UUID, bytes]:
    found = {}
    for archive in storage.archives_older_than(0):
        with storage.archive(archive) as path:
            found[archive] = path.read_bytes()
    return found


def test_everything_comes_back(
    board: Settings,
    storage: Storage,
    submissions: dict[str, UUID],
    real_fields: UUID,
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    before = rows(board.database_url)
    assert all(before.values()), "no table is empty"

    manifest = back_up()
    assert read_manifest(folder) == manifest
    assert manifest.lost == {}
    assert restore_backup(elsewhere, other_storage, folder, silent) == manifest

    assert rows(elsewhere) == before
    assert len(archives(other_storage)) == 5
    assert archives(other_storage) == archives(storage)


def test_a_restored_board_goes_on(
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    back_up()
    restore_backup(elsewhere, other_storage, folder, silent)

    with connected(elsewhere) as connection, Session(connection) as session, session.begin():
        newcomer = create_participant(session, "newcomer")
        assert issue_token(session, newcomer)
        assert make_reference(session, content="b").is_current
        assert claim_submission(session, submissions["queued"], LEASE)


def test_a_board_may_move_into_a_bucket_and_back(
    board: Settings,
    storage: Storage,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    tmp_path: Path,
) -> None:
    back_up()
    with local_bucket() as url:
        bucket = open_storage(
            board.model_copy(
                update={
                    "storage_url": url,
                    "storage_allow_http": True,
                    "data": tmp_path / "staging",
                }
            )
        )
        restore_backup(elsewhere, bucket, folder, silent)
        assert archives(bucket) == archives(storage)
        write_backup(elsewhere, bucket, tmp_path / "second", silent)
    for name in ("tables", "archives"):
        first, second = (
            {path.name: path.read_bytes() for path in (home / name).iterdir()}
            for home in (folder, tmp_path / "second")
        )
        assert first == second


def test_what_arrives_meanwhile_does_no_harm(
    board: Settings,
    storage: Storage,
    submissions: dict[str, UUID],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    """Submissions arrive in two threads while three backups are written one after the other."""
    stopping = threading.Event()
    arrived: list[UUID] = []

    def submit() -> None:
        while not stopping.is_set():
            arrived.append(queue(storage, os.urandom(10_000)))

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        counts = []
        for _ in range(3):
            known = len(arrived)
            counts.append(len(write_backup(board.database_url, storage, folder, silent).archives))
            while len(arrived) < known + 5:
                assert all(thread.is_alive() for thread in threads)
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    assert counts == sorted(set(counts)), "each backup holds more than the one before"

    manifest = restore_backup(elsewhere, other_storage, folder, silent)
    assert manifest.lost == {}
    restored, origin = rows(elsewhere), rows(board.database_url)
    for name, table in restored.items():
        assert set(map(str, table)) <= set(map(str, origin[name]))
    named = {row[0] for row in restored["submissions"]} - {submissions["uploading"]}
    assert set(archives(other_storage)) == named
    assert archives(other_storage).items() <= archives(storage).items()


def test_a_second_backup_copies_only_what_is_new(
    storage: Storage, submissions: dict[str, UUID], back_up: Callable[[], Manifest], folder: Path
) -> None:
    back_up()
    first = {path: path.stat().st_ino for path in (folder / "archives").iterdir()}
    new = queue(storage, b"new")
    back_up()

    second = {path: path.stat().st_ino for path in (folder / "archives").iterdir()}
    assert second.keys() - first.keys() == {folder / "archives" / f"{new}.npz"}
    assert first.items() <= second.items()
    assert len(list((folder / "tables").iterdir())) == len(list(kept_tables()))


def test_a_backup_that_is_cut_off_leaves_the_one_before(
    board: Settings,
    storage: Storage,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    earlier = back_up()
    before = rows(board.database_url)
    queue(storage, b"new")

    def cut(what: str, done: int, total: int) -> None:
        if what == "archives" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_backup(board.database_url, storage, folder, cut)

    assert restore_backup(elsewhere, other_storage, folder, silent) == earlier
    assert rows(elsewhere) == before


@pytest.mark.parametrize("where", ["checking", "archives", "tables"])
def test_a_restore_that_is_cut_off_shows_nothing_and_can_be_said_again(
    where: str,
    board: Settings,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    back_up()

    def cut(what: str, done: int, total: int) -> None:
        if (what, done) == (where, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_backup(elsewhere, other_storage, folder, cut)
    assert is_empty(elsewhere)

    restore_backup(elsewhere, other_storage, folder, silent)
    assert rows(elsewhere) == rows(board.database_url)


def test_a_board_that_holds_anything_is_left_as_it_is(
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    back_up()
    migrate(elsewhere)
    with connected(elsewhere) as connection, Session(connection) as session, session.begin():
        create_participant(session, "eve")
    before = rows(elsewhere)

    with pytest.raises(BackupError, match="not empty: it has participants"):
        restore_backup(elsewhere, other_storage, folder, silent)
    assert rows(elsewhere) == before
    assert archives(other_storage) == {}


def test_a_backup_of_an_older_schema_is_migrated(
    board: Settings,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with get_engine().begin() as connection:
        connection.execute(text("DELETE FROM submissions WHERE state = 'uploading'"))
        connection.execute(text("DELETE FROM snapshots"))
        connection.execute(text("DELETE FROM comparisons"))
    migrate(elsewhere, "0001")
    with connected(elsewhere) as connection:
        columns = {
            name: {column["name"] for column in inspect(connection).get_columns(name)}
            for name in inspect(connection).get_table_names()
        }
    older = [
        (name, tuple(column for column in known if column in columns[name]), key)
        for name, known, key in kept_tables()
        if name in columns
    ]
    monkeypatch.setattr("board.backup.kept_tables", lambda: older)
    back_up()
    rewrite(folder, revision="0001")

    restore_backup(elsewhere, other_storage, folder, silent)
    assert rows(elsewhere) == rows(board.database_url)
    with connected(elsewhere) as connection:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert revision == newest_revision(elsewhere)


def test_a_board_that_is_not_migrated_is_not_backed_up(
    elsewhere: str, storage: Storage, folder: Path
) -> None:
    migrate(elsewhere, "0001")
    with pytest.raises(BackupError, match="not of this version"):
        write_backup(elsewhere, storage, folder, silent)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def damage_table(folder: Path) -> None:
    damage(next((folder / "tables").glob("submissions-*")))


def change_table(folder: Path) -> None:
    path = next((folder / "tables").glob("participants-*"))
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"ada", b"eve")))


def damage_archive(folder: Path) -> None:
    damage(next((folder / "archives").iterdir()))


def lose_table(folder: Path) -> None:
    next((folder / "tables").glob("scores-*")).unlink()


def lose_archive(folder: Path) -> None:
    next((folder / "archives").iterdir()).unlink()


def lose_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def cut_manifest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text()[:-100])


def name_a_foreign_table(folder: Path) -> None:
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables[0]["name"] = "../../etc/passwd"
    rewrite(folder, tables=tables)


def come_from_the_future(folder: Path) -> None:
    rewrite(folder, revision="9999")


def come_from_the_far_future(folder: Path) -> None:
    rewrite(folder, format=99)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (damage_table, "submissions-.* is damaged"),
        (change_table, "participants-.* is damaged"),
        (damage_archive, r"\.npz is damaged"),
        (lose_table, "scores-.* is missing from the backup"),
        (lose_archive, r"\.npz is missing from the backup"),
        (lose_manifest, "no complete backup"),
        (cut_manifest, "manifest.json is damaged"),
        (name_a_foreign_table, "manifest.json is damaged"),
        (come_from_the_future, "a newer Cosmoboard wrote it"),
        (come_from_the_far_future, "another format"),
    ],
)
def test_a_spoilt_backup_is_refused_and_nothing_of_it_is_shown(
    spoil: Callable[[Path], None],
    reason: str,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    back_up()
    spoil(folder)

    with pytest.raises(BackupError, match=reason):
        restore_backup(elsewhere, other_storage, folder, silent)
    assert is_empty(elsewhere)


def test_an_archive_that_is_needed_is_missed(
    storage: Storage, submissions: dict[str, UUID], back_up: Callable[[], Manifest]
) -> None:
    """Those of scored submissions are kept for a time only."""
    storage.remove(submissions["scored"])
    assert back_up().lost == {}

    storage.remove(submissions["queued"])
    assert back_up().lost == {}, "the backup has it from the time before"


def test_what_is_lost_is_told_and_all_else_is_kept(
    board: Settings,
    storage: Storage,
    submissions: dict[str, UUID],
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
    other_storage: Storage,
) -> None:
    storage.remove(submissions["queued"])
    damage(board.data / "archives" / f"{submissions['running']}.npz")

    lost = {submissions["queued"]: "missing", submissions["running"]: "damaged"}
    assert back_up().lost == lost
    assert read_manifest(folder).lost == lost
    restore_backup(elsewhere, other_storage, folder, silent)
    assert set(archives(other_storage)) == {submissions["scored"], submissions["failed"]}


def test_the_backup_of_another_board_is_not_overwritten(
    submissions: dict[str, UUID],
    storage: Storage,
    back_up: Callable[[], Manifest],
    folder: Path,
    elsewhere: str,
) -> None:
    manifest = back_up()
    migrate(elsewhere)

    with pytest.raises(BackupError, match="backup of another board"):
        write_backup(elsewhere, storage, folder, silent)
    assert read_manifest(folder) == manifest


def test_two_backups_at_once_do_not_mix(
    submissions: dict[str, UUID], back_up: Callable[[], Manifest], folder: Path
) -> None:
    import fcntl

    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with pytest.raises(BackupError, match="Another backup is being written"):
        back_up()
    os.close(descriptor)
    back_up()
