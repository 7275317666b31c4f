"""Connections to Postgres, and its migrations."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.orm import Session

from board.settings import get_settings


def psycopg_url(database_url: str) -> URL:
    """Return a PostgreSQL address with the driver that we use."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


def make_engine(database_url: str) -> Engine:
    """Return an engine whose connections are tested before use and never wait for ever."""
    return create_engine(
        psycopg_url(database_url),
        pool_pre_ping=True,
        pool_size=10,
        max_overflow=20,
        pool_timeout=10,
        connect_args={
            "connect_timeout": 5,
            "options": "-c timezone=UTC -c lock_timeout=10s"
            " -c idle_in_transaction_session_timeout=60s",
        },
    )


@cache
def get_engine() -> Engine:
    """Return this process's engine."""
    return make_engine(get_settings().database_url)


@contextmanager
def transaction() -> Iterator[Session]:
    """Open a session whose block is one transaction on this process's engine."""
    with Session(get_engine(), expire_on_commit=False) as session, session.begin():
        yield session


def alembic_config(database_url: str) -> Config:
    """Return Alembic's configuration for the migrations of this project."""
    config = Config()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["database_url"] = database_url
    return config


def migrate(database_url: str, revision: str = "head") -> None:
    """Bring the database's schema up to `revision`, one migrating process at a time."""
    command.upgrade(alembic_config(database_url), revision)
