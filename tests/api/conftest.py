"""The service for the tests of its HTTP interface and its pages."""

from tests.boards import (
    archive,
    board,
    client,
    engine,
    environment,
    make_archive,
    served_database,
    server,
)

__all__ = [
    "archive",
    "board",
    "client",
    "engine",
    "environment",
    "make_archive",
    "served_database",
    "server",
]
