"""The tables of a board, copied out of one snapshot and into an empty board."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from alembic import command
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg import Cursor, sql
from sqlalchemy import Connection, Engine, inspect, select, text

from board.backup_manifest import BackupError, KeptArchive, KeptTable
from board.database import alembic_config, make_engine, migrate
from board.models import Base, RealFields, Submission

_WAITING = ("queued", "running")


@dataclass(frozen=True)
class Tables:
    """The tables as one transaction sees them."""

    connection: Connection

    def copy_out(self, name: str, columns: Iterable[str], key: Iterable[str]) -> Iterator[bytes]:
        """Yield the rows of a table in the order of its key, as PostgreSQL's COPY text."""
        query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT").format(
            _identifiers(columns), sql.Identifier(name), _identifiers(key)
        )
        with self._cursor() as cursor, cursor.copy(query) as copy:
            for block in copy:
                yield bytes(block)

    def copy_in(self, table: KeptTable, blocks: Iterable[bytes]) -> None:
        """Add rows to a table, and let its identity column go on after the last of them."""
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(
            sql.Identifier(table.name), _identifiers(table.columns)
        )
        with self._cursor() as cursor, cursor.copy(query) as copy:
            for block in blocks:
                copy.write(block)
        for column in inspect(self.connection).get_columns(table.name):
            if column.get("identity"):
                self._continue_identity(table.name, column["name"])

    def archives(self) -> list[tuple[KeptArchive, bool]]:
        """Return every archive that has arrived, and whether it must be there.

        Real fields must, and submissions that are still to be scored. Others may be gone already:
        archives are kept for a time only.
        """
        rows = self.connection.execute(
            select(Submission.id, Submission.sha256, Submission.size, Submission.state)
            .where(Submission.state != "uploading", Submission.sha256.is_not(None))
            .order_by(Submission.created_at, Submission.id)
        )
        submitted = [
            (KeptArchive(row.id, row.sha256, row.size), row.state in _WAITING) for row in rows
        ]
        real = self.connection.execute(
            select(RealFields.__table__).order_by("reference_id", "part")
        )
        return submitted + [
            (KeptArchive(row.archive_id, row.sha256, row.size), True) for row in real
        ]

    def revision(self) -> str:
        """Return the revision of the schema."""
        return _revision(self.connection) or ""

    def _continue_identity(self, table: str, column: str) -> None:
        query = sql.SQL(
            "SELECT setval(pg_get_serial_sequence({}, {}), max({}) + 1, false) FROM {}"
        ).format(
            sql.Literal(f'"{table}"'),
            sql.Literal(column),
            sql.Identifier(column),
            sql.Identifier(table),
        )
        with self._cursor() as cursor:
            cursor.execute(query)

    def _cursor(self) -> Cursor[Any]:
        connection = self.connection.connection.driver_connection
        assert connection is not None  # noqa: S101
        cursor: Cursor[Any] = connection.cursor()
        return cursor


@contextmanager
def snapshot(database_url: str) -> Iterator[Tables]:
    """Open the tables as they are now, whatever is changed meanwhile.

    Raises:
        BackupError: The schema is not the one of this Cosmoboard.
    """
    with _engine(database_url) as engine, engine.connect() as connection:
        connection = connection.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        if _revision(connection) != newest_revision(database_url):
            raise BackupError(
                "The database is not of this version of Cosmoboard: start the board once, so that "
                "it is migrated, or use the version that it belongs to."
            )
        yield Tables(connection)


@contextmanager
def filling(database_url: str, revision: str) -> Iterator[Tables]:
    """Open the tables of an empty board to fill them, all or none; then migrate them.

    Args:
        database_url: The board.
        revision: Of the schema that the rows belong to.

    Raises:
        BackupError: The board is not empty.
    """
    require_empty(database_url, revision)
    with _engine(database_url) as engine:
        config = alembic_config(database_url)
        with engine.connect() as connection:
            made = _revision(connection)
        if made not in (None, revision):
            command.downgrade(config, "base")
        migrate(database_url, revision)
        with engine.begin() as connection:
            names = ", ".join(f'"{name}"' for name in _board_tables(connection))
            connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))
            _require_no_rows(connection)
            yield Tables(connection)
    migrate(database_url)


def require_empty(database_url: str, revision: str) -> None:
    """Refuse a board that holds something, or a backup from the future.

    Raises:
        BackupError: It does, or this Cosmoboard does not know the schema's revision.
    """
    try:
        ScriptDirectory.from_config(alembic_config(database_url)).get_revision(revision)
    except CommandError:
        raise BackupError(
            f"The backup's schema {revision} is unknown: a newer Cosmoboard wrote it."
        ) from None
    with _engine(database_url) as engine, engine.connect() as connection:
        _require_no_rows(connection)


def newest_revision(database_url: str) -> str:
    """Return the revision of the schema that this Cosmoboard works with."""
    head = ScriptDirectory.from_config(alembic_config(database_url)).get_current_head()
    assert head is not None  # noqa: S101
    return head


def kept_tables() -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yield name, columns and primary key of each table, parents before children."""
    for table in Base.metadata.sorted_tables:
        key = tuple(column.name for column in table.primary_key)
        yield table.name, tuple(column.name for column in table.columns), key


def _require_no_rows(connection: Connection) -> None:
    for name in _board_tables(connection):
        if connection.scalar(text(f'SELECT EXISTS (SELECT FROM "{name}")')):  # noqa: S608
            raise BackupError(
                f"The board is not empty: it has {name}. A backup is restored into a new board, "
                "before anything else is done with it."
            )


def _board_tables(connection: Connection) -> list[str]:
    found = inspect(connection).get_table_names()
    return sorted(name for name in found if name != "alembic_version")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _identifiers(names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))


@contextmanager
def _engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    try:
        yield engine
    finally:
        engine.dispose()
