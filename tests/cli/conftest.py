"""The service for the tests of the commands that ask it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cli.main import main
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


@pytest.fixture
def run(server, board, tmp_path, monkeypatch) -> Callable[..., Result]:
    """Runs `cosmoboard` against the service, with ada's token in the environment."""
    monkeypatch.setenv("COSMOBOARD_URL", server.url)
    monkeypatch.setenv("COSMOBOARD_TOKEN", board.token())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*words: object, **arguments: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words], **arguments)

    return run


@pytest.fixture
def archive_file(archive, tmp_path) -> Path:
    """A file that holds a valid archive of the track 3d-32."""
    path = tmp_path / "cubes.npz"
    path.write_bytes(archive)
    return path
