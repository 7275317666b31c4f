"""Run the migrations online, one process at a time."""

from alembic import context
from sqlalchemy import create_engine, pool, text

from board.database import psycopg_url
from board.models import Base

_MIGRATION_LOCK = 0x6D696772617465  # any number that is this lock's alone


def run_migrations() -> None:
    """Migrate in one transaction, under a lock so that several processes may start at once."""
    engine = create_engine(
        psycopg_url(context.config.attributes["database_url"]), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            context.run_migrations()


run_migrations()
