"""The schema: up, down, and the same as the models say."""

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from sqlalchemy import inspect

from board.database import alembic_config, make_engine, migrate


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
        yield postgres_url.removesuffix("/postgres") + "/migrated"
        connection.execute("DROP DATABASE migrated WITH (FORCE)")


def tables(url: str) -> set[str]:
    engine = make_engine(url)
    try:
        return set(inspect(engine).get_table_names())
    finally:
        engine.dispose()


def test_goes_up_down_and_up_again(empty_database: str) -> None:
    migrate(empty_database)
    assert {"participants", "references", "scores", "submissions"} <= tables(empty_database)

    command.downgrade(alembic_config(empty_database), "base")
    assert tables(empty_database) == {"alembic_version"}

    migrate(empty_database)
    migrate(empty_database)


def test_makes_what_the_models_describe(empty_database: str) -> None:
    migrate(empty_database)

    command.check(alembic_config(empty_database))
