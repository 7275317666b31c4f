"""The first boot of a board in containers, and the ones after it."""

import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner

from board import database
from board.database import transaction
from board.models import Participant
from board.participants import authenticate
from board.references import list_references
from board.settings import get_settings
from cli import deploy
from cli.launch.endpoints import HOST, free_port
from cli.main import main
from tests.databases import fresh_database


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    return folder


@pytest.fixture
def empty_board(
    postgres_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The address of a database without tables, which the settings lead to."""
    with fresh_database(postgres_url) as url:
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("BROKER_URL", broker_url)
        monkeypatch.setenv("COSMOBOARD_DATA", str(tmp_path / "data"))
        get_settings.cache_clear()
        database.get_engine.cache_clear()
        yield url
        database.get_engine().dispose()
        get_settings.cache_clear()
        database.get_engine.cache_clear()


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_makes_secrets_that_belong_together(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deploy.make_secrets(secrets)
    made = contents(secrets)

    assert len(made["postgres_password"]) >= 40
    assert made["postgres_password"] != made["valkey_password"]
    assert f'requirepass "{made["valkey_password"]}"' in made["valkey.conf"]
    monkeypatch.setenv("COSMOBOARD_SECRETS", str(secrets))
    for name in ("DATABASE_URL", "BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    get_settings.cache_clear()
    assert f":{made['postgres_password']}@postgres:" in get_settings().database_url
    assert f":{made['valkey_password']}@valkey:" in get_settings().broker_url
    get_settings.cache_clear()


def test_no_two_boards_have_the_same_secrets(tmp_path: Path) -> None:
    folders = tmp_path / "one", tmp_path / "two"
    for folder in folders:
        folder.mkdir()
        deploy.make_secrets(folder)
    one, two = map(contents, folders)
    assert all(one[name] != two[name] for name in one)


def test_secrets_are_for_owner_and_group_alone(secrets: Path) -> None:
    deploy.make_secrets(secrets)
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o440}


def test_secrets_stay_as_they_are(secrets: Path) -> None:
    deploy.make_secrets(secrets)
    made = contents(secrets)
    (secrets / "database_url").unlink()

    assert not deploy.make_secrets(secrets)
    assert contents(secrets) == made


def test_tells_that_secrets_cannot_be_kept() -> None:
    refused = CliRunner().invoke(main, ["deploy", "secrets", "/proc/self"])
    assert refused.exit_code == 1
    assert "must be a folder that this user may write" in refused.stderr


def test_prepares_an_empty_database_once(empty_board: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.launch.demo.DEMO_TRACKS", ("3d-32",))
    first = CliRunner().invoke(main, ["deploy", "prepare"])
    assert first.exit_code == 0, first.output
    token = first.stdout.rpartition(": ")[2].strip()
    with transaction() as session:
        assert authenticate(session, token).is_host
        assert [found.track for found in list_references(session)] == ["3d-32"]

    again = CliRunner().invoke(main, ["deploy", "prepare"])
    assert (again.exit_code, again.stdout) == (0, "")
    with transaction() as session:
        assert session.query(Participant).count() == 1
        assert len(list_references(session)) == 1


def test_waits_for_a_database_that_comes_up_late(empty_board: str) -> None:
    """A relay starts to listen only after a while, as a database does that is still recovering."""
    import socket

    port = free_port()
    target = int(empty_board.rpartition(":")[2].partition("/")[0])
    late = empty_board.replace(f":{target}/", f":{port}/")

    def relay() -> None:
        time.sleep(1)
        with socket.create_server((HOST, port)) as server:
            client, _ = server.accept()
            upstream = socket.create_connection((HOST, target))
            back = threading.Thread(target=pump, args=(upstream, client))
            back.start()
            pump(client, upstream)
            back.join()
            client.close()
            upstream.close()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        while block := source.recv(65536):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)

    relaying = threading.Thread(target=relay)
    relaying.start()
    began = time.monotonic()
    deploy.wait_for_database(late, patience=30)
    assert 1 <= time.monotonic() - began < 5
    relaying.join(5)


def test_gives_up_on_a_database_that_stays_away() -> None:
    url = f"postgresql://cosmoboard:secret@{HOST}:{free_port()}/cosmoboard"
    with pytest.raises(ClickException, match="has not answered") as refusal:
        deploy.wait_for_database(url, patience=0.2)
    assert "secret" not in refusal.value.message


def test_tells_at_once_that_the_secrets_are_another_boards(empty_board: str) -> None:
    wrong = empty_board.replace(empty_board.split(":")[2].split("@")[0], "wrong")
    began = time.monotonic()
    with pytest.raises(ClickException, match="belong to another board"):
        deploy.wait_for_database(wrong, patience=60)
    assert time.monotonic() - began < 10
